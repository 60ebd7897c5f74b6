#include "tcp.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "connection.h"
#include "net_worker.h"
#include "svcdns/log.h"
#include "svcdns/memory.h"

#define PAUSE_MS 100 /* until another one is tried, where no descriptor or memory was left for it */

static void on_ready(uv_poll_t *poll, int status, int events)
{
	struct tcp *tcp = CONTAINER_OF(poll, struct tcp, watched.poll);

	(void)status;
	(void)events;
	net_worker_turn(tcp->owner);
	watch_set_serve(&tcp->watched);
}

void tcp_init(struct tcp *tcp, struct net_worker *owner)
{
	*tcp = (struct tcp){.owner = owner};
	uv_timer_init(&owner->loop, &tcp->timer);
	watch_set_open(&tcp->watched, &owner->loop, on_ready);
}

static uint64_t patience(const struct tcp_listener *listener, enum tcp_state state)
{
	switch (state) {
	case TCP_FIRST:
		return (uint64_t)listener->limits.first_ns;
	case TCP_WRITING:
		return (uint64_t)listener->limits.write_ns;
	default:
		return (uint64_t)listener->limits.idle_ns;
	}
}

static void on_timer(uv_timer_t *timer);

static void set_timer(struct tcp *tcp, uint64_t due)
{
	uint64_t now = clock_monotonic();

	tcp->timer_due = due;
	uv_update_time(&tcp->owner->loop);
	uv_timer_start(&tcp->timer, on_timer, due > now ? (due - now) / CLOCK_MS + 1 : 0, 0);
}

/* Closes what was waited for long enough; returns when the next one of these is, UINT64_MAX: there is none.
 */
static uint64_t close_overdue(struct tcp_listener *listener, uint64_t now)
{
	uint64_t next = UINT64_MAX;

	for (enum tcp_state state = TCP_FIRST; state < TCP_SERVING; state++) {
		const struct tcp_list *list = &listener->lists[state];

		while (list->first && list->first->since + patience(listener, state) <= now)
			connection_close(list->first);
		if (list->first && list->first->since + patience(listener, state) < next)
			next = list->first->since + patience(listener, state);
	}
	return next;
}

static void set_accepting(struct tcp *tcp, bool wanted)
{
	tcp->is_paused = !wanted;
	for (struct tcp_listener *l = tcp->listeners; l; l = l->next)
		if (l->watch.fd >= 0)
			watch_change(&tcp->watched, &l->watch, wanted ? EPOLLIN : 0);
}

static void on_timer(uv_timer_t *timer)
{
	struct tcp *tcp = CONTAINER_OF(timer, struct tcp, timer);
	uint64_t now = clock_monotonic(), next = UINT64_MAX;

	tcp->timer_due = 0;
	if (tcp->is_paused)
		set_accepting(tcp, true);
	for (struct tcp_listener *l = tcp->listeners; l; l = l->next) {
		uint64_t due = close_overdue(l, now);

		next = due < next ? due : next;
	}
	if (next != UINT64_MAX)
		set_timer(tcp, next);
}

void tcp_remove(struct tcp *tcp, struct connection *c)
{
	struct tcp_list *list = &c->listener->lists[c->state];

	if (!c->is_listed)
		return;
	*(c->before ? &c->before->after : &list->first) = c->after;
	*(c->after ? &c->after->before : &list->last) = c->before;
	c->is_listed = false;
	tcp->connections--;
}

void tcp_enlist(struct tcp *tcp, struct connection *c, enum tcp_state state)
{
	struct tcp_list *list = &c->listener->lists[state];
	uint64_t due;

	tcp_remove(tcp, c);
	c->state = state;
	c->since = tcp->owner->worker.now;
	c->before = list->last;
	c->after = NULL;
	*(list->last ? &list->last->after : &list->first) = c;
	list->last = c;
	c->is_listed = true;
	tcp->connections++;
	due = c->since + patience(c->listener, state);
	if (state != TCP_SERVING && (!tcp->timer_due || due < tcp->timer_due))
		set_timer(tcp, due);
}

static struct connection *older(struct connection *a, struct connection *b)
{
	return !a || (b && b->since < a->since) ? b : a;
}

/* Closes the connection that has been of no use for longest. False: all are being served. */
static bool give_up_oldest(struct tcp *tcp)
{
	struct connection *oldest = NULL;

	for (struct tcp_listener *l = tcp->listeners; l; l = l->next) {
		oldest = older(oldest, l->lists[TCP_FIRST].first);
		oldest = older(oldest, l->lists[TCP_IDLE].first);
	}
	if (oldest)
		connection_close(oldest);
	return oldest;
}

static int accept_next(struct tcp_listener *listener, union address *client)
{
	socklen_t length = sizeof(*client);

	return accept4(listener->watch.fd, &client->any, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

/* The listener stays readable while nothing can be accepted, so the loop has to look away. */
static void pause_accepting(struct tcp *tcp, int reason)
{
	uint64_t until = clock_monotonic() + PAUSE_MS * CLOCK_MS;
	char text[ERROR_REASON_MAX];

	if (!tcp->is_short)
		log_line(LOG_ERROR, NULL, "TCP connections have to wait: accept: %s",
			error_reason(reason, text));
	tcp->is_short = true;
	set_accepting(tcp, false);
	if (!tcp->timer_due || until < tcp->timer_due)
		set_timer(tcp, until);
}

static bool is_shortage(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/* One for each event: to find out that there is no further connection costs as much as to take one. */
static void on_connections(struct watch *watch, uint32_t events)
{
	struct tcp_listener *listener = CONTAINER_OF(watch, struct tcp_listener, watch);
	struct tcp *tcp = listener->tcp;
	union address client = {0};
	int fd = accept_next(listener, &client);

	(void)events;
	if (fd < 0 && is_shortage(errno) && give_up_oldest(tcp))
		fd = accept_next(listener, &client);
	if (fd < 0) {
		if (is_shortage(errno))
			pause_accepting(tcp, errno);
		return;
	}
	tcp->is_short = false;
	if (tcp->connections < tcp->owner->config->tcp_connections || give_up_oldest(tcp))
		connection_open(listener, fd, &client);
	else
		close(fd);
}

struct tcp_listener *tcp_create(struct tcp *tcp, const union address *address, int fd)
{
	struct tcp_listener *listener = memory_zero(1, sizeof(*listener));

	listener->tcp = tcp;
	listener->address = *address;
	listener->watch = (struct watch){fd, tcp->is_paused ? 0 : EPOLLIN, on_connections};
	if (!watch_begin(&tcp->watched, &listener->watch))
		abort();
	listener->next = tcp->listeners;
	tcp->listeners = listener;
	return listener;
}

void tcp_start(struct tcp_listener *listener, size_t index, const struct router *router,
	const struct tcp_limits *limits)
{
	listener->listener = index;
	listener->router = router;
	listener->limits = *limits;
}

void tcp_flush(struct tcp *tcp)
{
	while (tcp->ready) {
		struct connection *c = tcp->ready;

		tcp->ready = c->ready_next;
		connection_flush(c);
	}
}

static void for_each_of(struct tcp_list *list, void (*do_it)(struct connection *))
{
	struct connection *next;

	for (struct connection *c = list->first; c; c = next) {
		next = c->after;
		do_it(c);
	}
}

static void for_all(struct tcp_listener *listener, void (*do_it)(struct connection *))
{
	for (enum tcp_state state = TCP_FIRST; state < TCP_STATES; state++)
		for_each_of(&listener->lists[state], do_it);
}

static void for_each(struct tcp *tcp, void (*do_it)(struct connection *))
{
	for (struct tcp_listener *l = tcp->listeners; l; l = l->next)
		for_all(l, do_it);
}

static void close_listeners(struct tcp *tcp)
{
	for (struct tcp_listener *l = tcp->listeners; l; l = l->next)
		if (!l->is_retired)
			watch_end(&l->watch);
}

void tcp_retire(struct tcp_listener *listener)
{
	listener->is_retired = true;
	watch_end(&listener->watch);
	for_all(listener, connection_end);
}

void tcp_free_retired(struct tcp *tcp)
{
	for (struct tcp_listener **link = &tcp->listeners; *link;) {
		struct tcp_listener *listener = *link;

		if (!listener->is_retired) {
			link = &listener->next;
			continue;
		}
		*link = listener->next;
		for_all(listener, connection_close);
		memory_free(listener);
	}
}

void tcp_drain(struct tcp *tcp)
{
	tcp->is_draining = true;
	close_listeners(tcp);
	for_each(tcp, connection_end);
}

void tcp_close(struct tcp *tcp)
{
	if (!tcp->is_draining)
		close_listeners(tcp);
	for_each(tcp, connection_close);
	uv_close((uv_handle_t *)&tcp->timer, NULL);
	watch_set_close(&tcp->watched);
}

void tcp_finish(struct tcp *tcp)
{
	tcp_flush(tcp); /* frees those that were closed with a reply on its way */
	while (tcp->listeners) {
		struct tcp_listener *listener = tcp->listeners;

		tcp->listeners = listener->next;
		memory_free(listener);
	}
}
