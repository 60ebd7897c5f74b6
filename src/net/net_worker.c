/* A worker's life: begin() on its own thread, the loop until it is told to stop and has drained, end(), the
 * loop again until every handle is closed. */
#include "net_worker.h"

#include <stdio.h>
#include <stdlib.h>

#include "svcdns/memory.h"

#define TICK_MS 1000

void net_worker_init(
	struct net_worker *w, unsigned index, const struct network_config *config, size_t sockets)
{
	if (uv_loop_init(&w->loop) != 0)
		abort();
	worker_init(&w->worker, index, &w->loop);
	w->config = config;
	w->armed = UINT64_MAX;
	w->routers = memory_zero(config->listener_count, sizeof(*w->routers));
	w->batch = udp_batch_create(&w->worker);
	w->udp = memory_zero(sockets, sizeof(*w->udp));
	tcp_init(&w->tcp, w, sockets);
}

void net_worker_add(
	struct net_worker *w, size_t listener, const union address *address, int udp_fd, int tcp_fd)
{
	udp_init(&w->udp[w->udp_count++], w, &w->routers[listener], address, udp_fd);
	tcp_listen(&w->tcp, &w->routers[listener], &w->config->listeners[listener].tcp, tcp_fd);
}

static void flush(struct net_worker *w)
{
	for (size_t i = 0; i < w->udp_count; i++)
		if (w->udp[i].outgoing && !w->udp[i].is_blocked)
			udp_flush(&w->udp[i]);
	tcp_flush(&w->tcp);
}

static bool is_drained(const struct net_worker *w)
{
	for (size_t i = 0; i < w->udp_count; i++)
		if (w->udp[i].outgoing)
			return false;
	return w->worker.waiting == 0 && w->tcp.connections == 0;
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
	arm(w);
	if (w->is_stopping && is_drained(w))
		uv_stop(&w->loop);
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

static void on_wake(uv_async_t *wake)
{
	struct net_worker *w = CONTAINER_OF(wake, struct net_worker, wake);
	int64_t grace_ns = atomic_load(&w->grace_ns);

	if (w->is_stopping)
		return;
	w->is_stopping = true;
	for (size_t i = 0; i < w->udp_count; i++)
		udp_drain(&w->udp[i]);
	tcp_drain(&w->tcp);
	uv_timer_start(&w->grace, on_grace_over, grace_ns > 0 ? (uint64_t)grace_ns / CLOCK_MS : 0, 0);
}

static void open_handles(struct net_worker *w)
{
	uv_prepare_init(&w->loop, &w->prepare);
	uv_prepare_start(&w->prepare, on_prepare);
	uv_timer_init(&w->loop, &w->tick);
	uv_timer_start(&w->tick, on_tick, TICK_MS, TICK_MS);
	uv_timer_init(&w->loop, &w->grace);
	uv_timer_init(&w->loop, &w->due);
	if (uv_async_init(&w->loop, &w->wake, on_wake) != 0)
		abort();
	for (size_t i = 0; i < w->udp_count; i++)
		udp_start(&w->udp[i]);
}

static void close_handles(struct net_worker *w)
{
	flush(w); /* what end() had delivered */
	uv_close((uv_handle_t *)&w->prepare, NULL);
	uv_close((uv_handle_t *)&w->tick, NULL);
	uv_close((uv_handle_t *)&w->grace, NULL);
	uv_close((uv_handle_t *)&w->due, NULL);
	uv_close((uv_handle_t *)&w->wake, NULL);
	for (size_t i = 0; i < w->udp_count; i++)
		udp_close(&w->udp[i]);
	tcp_close(&w->tcp);
}

static void *run(void *argument)
{
	struct net_worker *w = argument;
	char name[16];

	snprintf(name, sizeof(name), "worker %u", w->worker.index);
	pthread_setname_np(pthread_self(), name);
	w->worker.now = clock_monotonic();
	w->config->begin(w->config->context, &w->worker, w->routers);
	pthread_barrier_wait(w->begun);
	uv_run(&w->loop, UV_RUN_DEFAULT);
	w->config->end(w->config->context, &w->worker, w->routers);
	close_handles(w);
	uv_run(&w->loop, UV_RUN_DEFAULT);
	return NULL;
}

void net_worker_start(struct net_worker *w, pthread_barrier_t *begun)
{
	w->begun = begun;
	open_handles(w);
	if (pthread_create(&w->thread, NULL, run, w) != 0)
		abort();
}

void net_worker_stop(struct net_worker *w, int64_t grace_ns)
{
	atomic_store(&w->grace_ns, grace_ns);
	uv_async_send(&w->wake);
}

void net_worker_join(struct net_worker *w)
{
	pthread_join(w->thread, NULL);
	for (size_t i = 0; i < w->udp_count; i++)
		udp_finish(&w->udp[i]);
	tcp_finish(&w->tcp);
	udp_batch_free(w->batch);
	worker_finish(&w->worker);
	uv_loop_close(&w->loop);
	memory_free(w->udp);
	memory_free(w->routers);
}
