/* Queries of a connection are taken one after the other and answered as they become ready, which may be in
 * another order (RFC 7766 section 6.2.1.1). A query is put together in the wire of its request, so that it
 * makes no difference how it was cut into segments.
 *
 * What a client can make us hold is bounded: no query is taken while IN_FLIGHT_MAX are under way, while
 * OUTGOING_MAX octets of replies wait, or while the client does not read; and then its octets are not read
 * either. A request is owned by the connection from `query` on, by the plugin that it waits for, and by
 * the connection again from deliver() until its reply is out. */
#include "connection.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "net_worker.h"
#include "svcdns/memory.h"
#include "svcdns/query.h"

#define PREFIX	      2 /* octets of the length before a message, RFC 1035 section 4.2.2 */
#define IN_FLIGHT_MAX 64
#define OUTGOING_MAX  65536
#define WRITE_MAX     64 /* replies for one system call */

static void release_outgoing(struct connection *c)
{
	struct request *request = c->outgoing;

	c->outgoing = request->next;
	if (!c->outgoing)
		c->outgoing_end = &c->outgoing;
	c->outgoing_octets -= PREFIX + request->reply.length;
	c->outgoing_sent = 0;
	c->in_flight--;
	request_release(request);
}

static void append_outgoing(struct connection *c, struct request *request)
{
	writer_put_u16_at(request->wire - PREFIX, (uint16_t)request->reply.length);
	request->next = NULL;
	*c->outgoing_end = request;
	c->outgoing_end = &request->next;
	c->outgoing_octets += PREFIX + request->reply.length;
}

/* It is looked at before the loop waits again. */
static void make_ready(struct connection *c)
{
	if (c->is_ready)
		return;
	c->is_ready = true;
	c->ready_next = c->tcp->ready;
	c->tcp->ready = c;
}

/* A connection with replies that are not out is reset: the client does not read, and the kernel would hold
 * what it has for minutes. */
static void set_reset(int fd)
{
	struct linger linger = {.l_onoff = 1, .l_linger = 0};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

void connection_close(struct connection *c)
{
	if (c->is_closed)
		return;
	c->is_closed = true;
	tcp_remove(c->tcp, c);
	if (c->outgoing)
		set_reset(c->watch.fd);
	watch_end(&c->watch);
	request_release(c->query);
	c->query = NULL;
	while (c->outgoing)
		release_outgoing(c);
	make_ready(c);
}

static void deliver(struct request *request, enum verdict verdict)
{
	struct connection *c = request->owner;

	if (verdict != VERDICT_ANSWERED || c->is_closed) {
		c->in_flight--;
		request_release(request);
	} else {
		append_outgoing(c, request);
	}
	make_ready(c);
}

static void answer(struct connection *c, struct request *request, size_t length)
{
	request->router = c->listener->router;
	request->transport = TRANSPORT_TCP;
	request->client = c->client;
	request->local = c->local;
	request->received = request->worker->now;
	request->deliver = deliver;
	request->owner = c;
	c->in_flight++;
	switch (query_answer(request, length)) {
	case VERDICT_ANSWERED:
		append_outgoing(c, request);
		break;
	case VERDICT_PENDING:
		break;
	default:
		c->in_flight--;
		request_release(request);
	}
}

/* Octets that the query under way still lacks: first of its prefix, then of itself. */
static size_t lacking(const struct connection *c)
{
	if (c->query_have < PREFIX)
		return PREFIX - c->query_have;
	return PREFIX + message_u16(c->query->wire - PREFIX) - c->query_have;
}

/* Moves octets from the input to the query. True: it is complete. */
static bool put_together(struct connection *c)
{
	while (c->input_at < c->input_end) {
		size_t count = lacking(c), left = c->input_end - c->input_at;

		if (count > left)
			count = left;
		memcpy(c->query->wire - PREFIX + c->query_have, c->input + c->input_at, count);
		c->query_have += count;
		c->input_at += count;
		if (c->query_have >= PREFIX && lacking(c) == 0)
			return true;
	}
	return false;
}

static bool may_take(const struct connection *c)
{
	int64_t queries = c->listener->limits.queries;

	return (!queries || c->taken < queries) && c->in_flight < IN_FLIGHT_MAX &&
	       c->outgoing_octets < OUTGOING_MAX && !c->is_writing;
}

/* Takes and answers queries out of what was read. True: at least one. */
static bool take_queries(struct connection *c)
{
	bool any = false;

	while (c->input_at < c->input_end && may_take(c)) {
		struct request *request;

		if (!c->query) {
			c->query = request_take(&c->tcp->owner->worker);
			c->query_have = 0;
		}
		if (!put_together(c))
			break;
		request = c->query;
		c->query = NULL;
		answer(c, request, c->query_have - PREFIX);
		any = true;
		if (++c->taken == c->listener->limits.queries)
			c->is_ended = true;
	}
	return any;
}

static unsigned gather(const struct connection *c, struct iovec parts[WRITE_MAX])
{
	size_t sent = c->outgoing_sent;
	unsigned count = 0;

	for (struct request *r = c->outgoing; r && count < WRITE_MAX; r = r->next) {
		parts[count++] = (struct iovec){r->wire - PREFIX + sent, PREFIX + r->reply.length - sent};
		sent = 0;
	}
	return count;
}

/* `octets` more have left. */
static void note_sent(struct connection *c, size_t octets)
{
	c->outgoing_sent += octets;
	while (c->outgoing && c->outgoing_sent >= PREFIX + c->outgoing->reply.length) {
		size_t more = c->outgoing_sent - PREFIX - c->outgoing->reply.length;

		release_outgoing(c);
		c->outgoing_sent = more;
	}
}

/* Sends what the kernel takes; what is left waits for the client to read. True: something was sent. */
static bool send_replies(struct connection *c)
{
	struct iovec parts[WRITE_MAX];
	bool any = false;

	while (c->outgoing && !c->is_writing && !c->is_closed) {
		struct msghdr message = {.msg_iov = parts, .msg_iovlen = gather(c, parts)};
		ssize_t sent = sendmsg(c->watch.fd, &message, MSG_NOSIGNAL);

		if (sent > 0) {
			note_sent(c, (size_t)sent);
			any = true;
		} else if (sent == 0 || errno == EAGAIN) {
			c->is_writing = true;
		} else if (errno != EINTR) {
			connection_close(c);
		}
	}
	return any;
}

static void receive(struct connection *c)
{
	ssize_t count = recv(c->watch.fd, c->input, sizeof(c->input), 0);

	if (count > 0) {
		c->input_at = 0;
		c->input_end = (size_t)count;
	} else if (count == 0) {
		c->is_ended = true; /* replies are still wanted: the client may have shut down one way only */
	} else if (errno != EAGAIN && errno != EINTR) {
		connection_close(c);
	}
}

static void on_events(struct watch *watch, uint32_t events)
{
	struct connection *c = CONTAINER_OF(watch, struct connection, watch);

	if (events & EPOLLOUT)
		c->is_writing = false;
	if (events & EPOLLIN)
		receive(c);
	else if (events & (EPOLLERR | EPOLLHUP))
		connection_close(c);
	connection_proceed(c);
}

/* Octets are read only when all that were read before have been taken. */
static uint32_t wanted_events(const struct connection *c)
{
	bool is_wanted = !c->is_ended && c->input_at == c->input_end && may_take(c);

	return (is_wanted ? EPOLLIN : 0) | (c->is_writing ? EPOLLOUT : 0);
}

/* What the connection waits for now. A query that only came in part is no progress. */
static void settle(struct connection *c, bool has_progressed)
{
	enum tcp_state state = TCP_IDLE;

	if (c->is_writing)
		state = TCP_WRITING;
	else if (c->in_flight)
		state = TCP_SERVING;
	else if (!has_progressed && c->state == TCP_FIRST)
		state = TCP_FIRST;
	if (has_progressed || state != c->state || !c->is_listed)
		tcp_enlist(c->tcp, c, state);
	watch_change(&c->tcp->watched, &c->watch, wanted_events(c));
}

void connection_proceed(struct connection *c)
{
	bool any = false, more;

	if (c->is_closed)
		return;
	do {
		more = take_queries(c);
		more |= send_replies(c);
		any |= more;
	} while (more && c->input_at < c->input_end && !c->is_closed);
	if (c->is_closed)
		return;
	if (c->is_ended && c->in_flight == 0)
		connection_close(c);
	else
		settle(c, any);
}

void connection_end(struct connection *c)
{
	c->is_ended = true;
	connection_proceed(c);
}

void connection_flush(struct connection *c)
{
	c->is_ready = false;
	connection_proceed(c);
	if (c->is_closed && c->in_flight == 0 && !c->is_ready)
		memory_free(c);
}

/* The address that the client knows us by; a listener that is not a wildcard has only one. */
static void find_local(struct connection *c)
{
	socklen_t length = sizeof(c->local);

	if (address_is_wildcard(&c->listener->address))
		getsockname(c->watch.fd, &c->local.any, &length);
	else
		c->local = c->listener->address;
}

void connection_open(struct tcp_listener *listener, int fd, const union address *client)
{
	struct connection *c = memory_zero(1, sizeof(*c));

	c->tcp = listener->tcp;
	c->listener = listener;
	c->client = *client;
	c->outgoing_end = &c->outgoing;
	c->watch = (struct watch){fd, EPOLLIN, on_events};
	find_local(c);
	if (watch_begin(&c->tcp->watched, &c->watch))
		tcp_enlist(c->tcp, c, TCP_FIRST);
	else
		connection_close(c);
}
