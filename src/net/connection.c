/* Queries of a connection are taken one after the other and answered as they become ready, which may be in
 * another order (RFC 7766 section 6.2.1.1). A query is put together in the wire of its request, so that it
 * makes no difference how it was cut into segments.
 *
 * What a client can make us hold is bounded: no query is taken while IN_FLIGHT_MAX are under way, while
 * OUTGOING_MAX octets of replies wait, or while the client does not read; and then its octets are not read
 * either. A request is owned by the connection from `query` on, by the plugin that it waits for, and by
 * the connection again from deliver() until its reply is out. */
#include "connection.h"

#include <string.h>

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

/* The struct goes when libuv, the queries that wait, and tcp->ready have all let go of it. */
static void free_if_unused(struct connection *c)
{
	if (c->is_closed && c->in_flight == 0 && !c->is_ready)
		memory_free(c);
}

static void on_close(uv_handle_t *handle)
{
	struct connection *c = CONTAINER_OF((uv_tcp_t *)handle, struct connection, handle);

	while (c->outgoing)
		release_outgoing(c);
	c->is_closed = true;
	free_if_unused(c);
}

/* A connection with replies that are not out is reset: the client does not read, and the kernel would hold
 * what it has for minutes. */
void connection_close(struct connection *c)
{
	if (c->is_closing)
		return;
	c->is_closing = true;
	tcp_remove(c->tcp, c);
	request_release(c->query);
	c->query = NULL;
	if (!c->outgoing || uv_tcp_close_reset(&c->handle, on_close) != 0)
		uv_close((uv_handle_t *)&c->handle, on_close);
}

static void deliver(struct request *request, enum verdict verdict)
{
	struct connection *c = request->owner;

	if (verdict != VERDICT_ANSWERED || c->is_closing) {
		c->in_flight--;
		request_release(request);
	} else {
		append_outgoing(c, request);
	}
	if (c->is_closing) {
		free_if_unused(c);
	} else if (!c->is_ready) {
		c->is_ready = true;
		c->ready_next = c->tcp->ready;
		c->tcp->ready = c;
	}
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

static void on_written(uv_write_t *write, int status);

static unsigned gather(const struct connection *c, uv_buf_t buffers[WRITE_MAX])
{
	size_t sent = c->outgoing_sent;
	unsigned count = 0;

	for (struct request *r = c->outgoing; r && count < WRITE_MAX; r = r->next) {
		buffers[count++] = uv_buf_init(
			(char *)r->wire - PREFIX + sent, (unsigned)(PREFIX + r->reply.length - sent));
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

/* Sends what the kernel takes; the rest of a reply that it took in part, or not, goes to libuv, which waits
 * for the client. True: something left. */
static bool send_replies(struct connection *c)
{
	uv_buf_t buffers[WRITE_MAX];
	bool any = false;

	while (c->outgoing && !c->is_writing && !c->is_closing) {
		unsigned count = gather(c, buffers);
		int sent = uv_try_write((uv_stream_t *)&c->handle, buffers, count);

		if (sent > 0) {
			note_sent(c, (size_t)sent);
			any = true;
		} else if (sent == 0 || sent == UV_EAGAIN) {
			c->is_writing = true;
			uv_write(&c->write, (uv_stream_t *)&c->handle, buffers, 1, on_written);
		} else {
			connection_close(c);
		}
	}
	return any;
}

static void on_written(uv_write_t *write, int status)
{
	struct connection *c = CONTAINER_OF(write, struct connection, write);

	c->is_writing = false;
	if (c->is_closing)
		return;
	if (status < 0) {
		connection_close(c);
		return;
	}
	net_worker_turn(c->tcp->owner);
	note_sent(c, PREFIX + c->outgoing->reply.length - c->outgoing_sent);
	tcp_enlist(c->tcp, c, TCP_WRITING);
	connection_proceed(c);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
	struct connection *c = CONTAINER_OF((uv_tcp_t *)handle, struct connection, handle);

	(void)suggested;
	*ret = uv_buf_init((char *)c->input, sizeof(c->input));
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
	struct connection *c = CONTAINER_OF((uv_tcp_t *)stream, struct connection, handle);

	(void)buffer;
	if (count == 0)
		return;
	net_worker_turn(c->tcp->owner);
	if (count == UV_EOF) {
		connection_end(c); /* replies are still wanted: the client may have shut down one way only */
	} else if (count < 0) {
		connection_close(c);
	} else {
		c->input_at = 0;
		c->input_end = (size_t)count;
		connection_proceed(c);
	}
}

/* Libuv reads only while all that it read was taken. */
static void set_reading(struct connection *c)
{
	bool wanted = !c->is_ended && c->input_at == c->input_end && may_take(c);

	if (wanted == c->is_reading)
		return;
	c->is_reading = wanted;
	if (wanted)
		uv_read_start((uv_stream_t *)&c->handle, on_alloc, on_read);
	else
		uv_read_stop((uv_stream_t *)&c->handle);
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
	set_reading(c);
}

void connection_proceed(struct connection *c)
{
	bool any = false, more;

	if (c->is_closing) {
		free_if_unused(c);
		return;
	}
	do {
		more = take_queries(c);
		more |= send_replies(c);
		any |= more;
	} while (more && c->input_at < c->input_end && !c->is_closing);
	if (c->is_closing)
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

struct connection *connection_accept(struct tcp_listener *listener)
{
	struct connection *c = memory_zero(1, sizeof(*c));
	int length = sizeof(c->client);

	c->tcp = listener->tcp;
	c->listener = listener;
	c->outgoing_end = &c->outgoing;
	uv_tcp_init(&listener->tcp->owner->loop, &c->handle);
	if (uv_accept((uv_stream_t *)&listener->handle, (uv_stream_t *)&c->handle) != 0 ||
		uv_tcp_getpeername(&c->handle, &c->client.any, &length) != 0) {
		connection_close(c);
		return c;
	}
	length = sizeof(c->local);
	uv_tcp_getsockname(&c->handle, &c->local.any, &length);
	return c;
}
