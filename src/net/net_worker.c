/* A worker's life: begin() on its own thread, the loop until it is told to stop and has drained, end(), the
 * loop again until every handle is closed. In between, one generation may follow another. */
#include "net_worker.h"

#include <stdio.h>
#include <stdlib.h>

#include "svcdns/memory.h"

#define TICK_MS 1000

void net_worker_init(
	struct net_worker *w, unsigned index, const struct network_config *config, sem_t *reports)
{
	if (uv_loop_init(&w->loop) != 0)
		abort();
	worker_init(&w->worker, index, &w->loop);
	w->config = config;
	w->reports = reports;
	w->retire_ns = w->grace_ns = NET_WORKER_NEVER;
	w->armed = UINT64_MAX;
	w->batch = udp_batch_create(&w->worker);
	tcp_init(&w->tcp, w);
}

static void flush(struct net_worker *w)
{
	for (struct udp *udp = w->udp; udp; udp = udp->next)
		if (udp->outgoing && !udp->is_blocked)
			udp_flush(udp);
	tcp_flush(&w->tcp);
}

static bool is_drained(const struct net_worker *w)
{
	for (const struct udp *udp = w->udp; udp; udp = udp->next)
		if (udp->outgoing)
			return false;
	return w->worker.waiting == 0 && w->tcp.connections == 0;
}

/* What becomes of a listener's sockets on an address: its index now, or NET_WORKER_NOWHERE. A wildcard
 * listener loses an address that has got a listener of its own. */
static size_t kept_index(const struct net_change *change, size_t listener, const union address *address)
{
	size_t index = change->kept[listener];

	for (size_t i = 0; i < change->generation->listener_count; i++)
		if (i != index && address_equal(&change->listeners[i].address, address))
			return NET_WORKER_NOWHERE;
	return index;
}

/* Sockets of listeners that the generation still has go on for it; those of others read no more. */
static void keep_sockets(struct net_worker *w, const struct net_change *change)
{
	for (struct udp *udp = w->udp; udp; udp = udp->next) {
		size_t index = kept_index(change, udp->listener, &udp->local);

		if (index != NET_WORKER_NOWHERE) {
			udp_start(udp, index, &w->current.routers[index]);
			continue;
		}
		udp_drain(udp);
		udp->is_retired = true;
	}
	for (struct tcp_listener *l = w->tcp.listeners; l; l = l->next) {
		size_t index = kept_index(change, l->listener, &l->address);

		if (index != NET_WORKER_NOWHERE)
			tcp_start(l, index, &w->current.routers[index], &change->listeners[index].tcp);
		else
			tcp_retire(l);
	}
}

static void add_sockets(
	struct net_worker *w, const struct net_sockets *sockets, const struct net_change *change)
{
	size_t index = sockets->listener;
	struct udp *udp = udp_create(w, &sockets->address, sockets->udp);

	udp->next = w->udp;
	w->udp = udp;
	udp_start(udp, index, &w->current.routers[index]);
	tcp_start(tcp_create(&w->tcp, &sockets->address, sockets->tcp), index, &w->current.routers[index],
		&change->listeners[index].tcp);
}

/* From here on queries go to another generation. Those that the one before has stay with it. */
static void make_change(struct net_worker *w, const struct net_change *change)
{
	const struct network_generation *generation = change->generation;
	struct router *routers = memory_zero(generation->listener_count, sizeof(*routers));

	w->worker.now = clock_monotonic();
	generation->begin(generation->context, &w->worker, routers);
	w->retired = w->current;
	w->current = (struct tenure){generation, routers};
	keep_sockets(w, change);
	for (size_t i = 0; i < change->socket_count; i++)
		add_sockets(w, &change->sockets[i], change);
	sem_post(w->reports);
}

static void end(struct net_worker *w, const struct tenure *tenure)
{
	tenure->generation->end(tenure->generation->context, &w->worker, tenure->routers);
}

/* When no socket leads to its routers any more. */
static void forget(struct tenure *tenure)
{
	memory_free(tenure->routers);
	*tenure = (struct tenure){0};
}

static void close_retired(struct net_worker *w)
{
	for (struct udp **link = &w->udp; *link;) {
		struct udp *udp = *link;

		if (!udp->is_retired) {
			link = &udp->next;
			continue;
		}
		*link = udp->next;
		udp_close(udp);
	}
	tcp_free_retired(&w->tcp);
}

/* Once it is asked for, and the generation has nothing to do any more or no time. */
static void retire_if_due(struct net_worker *w)
{
	const struct network_generation *generation = w->retired.generation;

	if (LIKELY(!w->retire_by))
		return;
	if (!generation->is_idle(generation->context, &w->worker) && w->worker.now < w->retire_by)
		return;
	w->retire_by = 0;
	end(w, &w->retired);
	flush(w); /* what end() had delivered */
	close_retired(w);
	forget(&w->retired);
	w->has_retired = true;
	uv_async_send(&w->wake); /* one more round, in which the loop closes what end() and we have closed */
}

static void report_retired(struct net_worker *w)
{
	if (LIKELY(!w->has_retired))
		return;
	w->has_retired = false;
	sem_post(w->reports);
}

static void on_due(uv_timer_t *due)
{
	struct net_worker *w = CONTAINER_OF(due, struct net_worker, due);

	w->armed = UINT64_MAX;
	net_worker_turn(w);
	timers_run(&w->worker);
}

/* Sets the loop's timer for the first of the worker's, in whole milliseconds, one more than is left. */
static void arm(struct net_worker *w)
{
	uint64_t next = timers_next(&w->worker), now;

	if (LIKELY(next == w->armed))
		return;
	w->armed = next;
	if (next == UINT64_MAX) {
		uv_timer_stop(&w->due);
		return;
	}
	now = clock_monotonic();
	uv_update_time(&w->loop);
	uv_timer_start(&w->due, on_due, (next > now ? next - now : 0) / CLOCK_MS + 1, 0);
}

static void on_prepare(uv_prepare_t *prepare)
{
	struct net_worker *w = CONTAINER_OF(prepare, struct net_worker, prepare);

	flush(w);
	report_retired(w);
	retire_if_due(w);
	arm(w);
	if (w->is_stopping && is_drained(w))
		uv_stop(&w->loop);
}

static void on_spin(uv_idle_t *spin)
{
	struct net_worker *w = CONTAINER_OF(spin, struct net_worker, spin);

	for (struct udp *udp = w->udp; udp; udp = udp->next)
		if (udp->is_busy)
			udp_serve_busy(udp);
}

void net_worker_count_busy(struct net_worker *w, bool is_more)
{
	w->busy += is_more ? 1 : -1u;
	if (w->busy)
		uv_idle_start(&w->spin, on_spin);
	else
		uv_idle_stop(&w->spin);
}

static void on_tick(uv_timer_t *tick)
{
	struct net_worker *w = CONTAINER_OF(tick, struct net_worker, tick);

	net_worker_turn(w);
	worker_trim(&w->worker);
}

static void on_grace_over(uv_timer_t *grace)
{
	uv_stop(grace->loop);
}

static void stop(struct net_worker *w, int64_t grace_ns)
{
	w->is_stopping = true;
	for (struct udp *udp = w->udp; udp; udp = udp->next)
		udp_drain(udp);
	tcp_drain(&w->tcp);
	uv_timer_start(&w->grace, on_grace_over, grace_ns > 0 ? (uint64_t)grace_ns / CLOCK_MS : 0, 0);
}

static void on_wake(uv_async_t *wake)
{
	struct net_worker *w = CONTAINER_OF(wake, struct net_worker, wake);
	const struct net_change *change = atomic_exchange(&w->change, NULL);
	int64_t retire_ns = atomic_exchange(&w->retire_ns, NET_WORKER_NEVER),
		grace_ns = atomic_load(&w->grace_ns);

	if (change)
		make_change(w, change);
	if (retire_ns != NET_WORKER_NEVER)
		w->retire_by = clock_monotonic() + (uint64_t)(retire_ns > 0 ? retire_ns : 1);
	if (grace_ns != NET_WORKER_NEVER && !w->is_stopping)
		stop(w, grace_ns);
}

static void open_handles(struct net_worker *w)
{
	uv_idle_init(&w->loop, &w->spin);
	uv_prepare_init(&w->loop, &w->prepare);
	uv_prepare_start(&w->prepare, on_prepare);
	uv_timer_init(&w->loop, &w->tick);
	uv_timer_start(&w->tick, on_tick, TICK_MS, TICK_MS);
	uv_timer_init(&w->loop, &w->grace);
	uv_timer_init(&w->loop, &w->due);
	if (uv_async_init(&w->loop, &w->wake, on_wake) != 0)
		abort();
}

static void close_handles(struct net_worker *w)
{
	flush(w); /* what end() had delivered */
	uv_close((uv_handle_t *)&w->spin, NULL);
	uv_close((uv_handle_t *)&w->prepare, NULL);
	uv_close((uv_handle_t *)&w->tick, NULL);
	uv_close((uv_handle_t *)&w->grace, NULL);
	uv_close((uv_handle_t *)&w->due, NULL);
	uv_close((uv_handle_t *)&w->wake, NULL);
	for (struct udp *udp = w->udp; udp; udp = udp->next)
		udp_close(udp);
	tcp_close(&w->tcp);
}

static void *run(void *argument)
{
	struct net_worker *w = argument;
	char name[16];

	snprintf(name, sizeof(name), "worker %u", w->worker.index);
	pthread_setname_np(pthread_self(), name);
	make_change(w, atomic_exchange(&w->change, NULL));
	uv_run(&w->loop, UV_RUN_DEFAULT);
	end(w, &w->current);
	close_handles(w);
	uv_run(&w->loop, UV_RUN_DEFAULT);
	return NULL;
}

void net_worker_start(struct net_worker *w, const struct net_change *first)
{
	open_handles(w);
	atomic_store(&w->change, first);
	if (pthread_create(&w->thread, NULL, run, w) != 0)
		abort();
}

void net_worker_change(struct net_worker *w, const struct net_change *change)
{
	atomic_store(&w->change, change);
	uv_async_send(&w->wake);
}

void net_worker_retire(struct net_worker *w, int64_t grace_ns)
{
	atomic_store(&w->retire_ns, grace_ns);
	uv_async_send(&w->wake);
}

void net_worker_stop(struct net_worker *w, int64_t grace_ns)
{
	atomic_store(&w->grace_ns, grace_ns);
	uv_async_send(&w->wake);
}

void net_worker_join(struct net_worker *w)
{
	pthread_join(w->thread, NULL);
	while (w->udp) {
		struct udp *udp = w->udp;

		w->udp = udp->next;
		udp_free(udp);
	}
	tcp_finish(&w->tcp);
	forget(&w->current);
	udp_batch_free(w->batch);
	worker_finish(&w->worker);
	uv_loop_close(&w->loop);
}
