#include "tcp.h"

#include "connection.h"
#include "net_worker.h"
#include "svcdns/memory.h"

void tcp_init(struct tcp *tcp, struct net_worker *owner)
{
	*tcp = (struct tcp){.owner = owner};
	uv_timer_init(&owner->loop, &tcp->timer);
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

static void on_timer(uv_timer_t *timer)
{
	struct tcp *tcp = CONTAINER_OF(timer, struct tcp, timer);
	uint64_t now = clock_monotonic(), next = UINT64_MAX;

	tcp->timer_due = 0;
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

/* Makes room for one more connection, at the cost of the one that has been of no use for longest. */
static bool make_room(struct tcp *tcp)
{
	struct connection *oldest = NULL;

	if (tcp->connections < tcp->owner->config->tcp_connections)
		return true;
	for (struct tcp_listener *l = tcp->listeners; l; l = l->next) {
		oldest = older(oldest, l->lists[TCP_FIRST].first);
		oldest = older(oldest, l->lists[TCP_IDLE].first);
	}
	if (oldest)
		connection_close(oldest);
	return oldest;
}

static void on_connection(uv_stream_t *stream, int status)
{
	struct tcp_listener *listener = CONTAINER_OF((uv_tcp_t *)stream, struct tcp_listener, handle);
	struct tcp *tcp = listener->tcp;
	struct connection *c;
	bool has_room;

	if (status < 0)
		return;
	net_worker_turn(tcp->owner);
	has_room = make_room(tcp);
	c = connection_accept(listener);
	if (!has_room)
		connection_close(c);
	else
		connection_proceed(c);
}

struct tcp_listener *tcp_create(struct tcp *tcp, int fd)
{
	struct tcp_listener *listener = memory_zero(1, sizeof(*listener));

	listener->tcp = tcp;
	uv_tcp_init(&tcp->owner->loop, &listener->handle);
	uv_tcp_open(&listener->handle, fd);
	uv_listen((uv_stream_t *)&listener->handle, SOMAXCONN, on_connection);
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
		c->is_ready = false;
		connection_proceed(c);
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

static void on_listener_closed(uv_handle_t *handle)
{
	struct tcp_listener *listener = CONTAINER_OF((uv_tcp_t *)handle, struct tcp_listener, handle);

	listener->is_closed = true;
	if (listener->is_over)
		memory_free(listener);
}

static void close_listeners(struct tcp *tcp)
{
	for (struct tcp_listener *l = tcp->listeners; l; l = l->next)
		if (!l->is_retired)
			uv_close((uv_handle_t *)&l->handle, on_listener_closed);
}

void tcp_retire(struct tcp_listener *listener)
{
	listener->is_retired = true;
	uv_close((uv_handle_t *)&listener->handle, on_listener_closed);
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
		listener->is_over = true;
		if (listener->is_closed)
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
