/* c-ares carries what goes over TCP: it connects, frames, pipelines and reconnects. Each server has a channel
 * of its own, since c-ares fails all that a channel has under way when one of its connections breaks.
 *
 * c-ares 1.18 cannot cancel a single query, so that one which is given up here is answered to nobody later:
 * the callback carries a ticket, which outlives the exchange. */
#include "tcp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "svcdns/clock.h"
#include "svcdns/memory.h"

#define TICK_MS                                                                                              \
	50 /* c-ares' time-outs are looked at so often; ares_timeout() would walk through all queries */

struct ticket {
	struct attempt *attempt;
	unsigned serial;
	struct tcp_channel *channel;
};

struct tcp_socket { /* a descriptor of c-ares' on the loop */
	uv_poll_t poll;
	struct tcp_channel *channel;
	ares_socket_t fd;
	struct tcp_socket *next;
};

struct tcp_channel {
	ares_channel ares;
	struct server *server;
	struct tcp_socket *sockets;
	uv_timer_t timer;
	unsigned under_way;
	struct ticket *
		sending; /* within ares_send(): what it was called for; NULL: it has come to an end already */
	bool is_connected; /* the connection came about */
	int error;	   /* errno that ended it or kept it from coming about; 0: not known */
	bool is_closing;
};

static void on_socket_closed(uv_handle_t *handle)
{
	struct tcp_socket *socket = CONTAINER_OF((uv_poll_t *)handle, struct tcp_socket, poll);
	struct upstream_group *group = socket->channel->server->group;

	memory_free(socket);
	group_release(group);
}

static struct tcp_socket *find_socket(struct tcp_channel *channel, ares_socket_t fd)
{
	struct tcp_socket *socket = channel->sockets;

	while (socket && socket->fd != fd)
		socket = socket->next;
	return socket;
}

/* Before c-ares sees it: afterwards the socket is closed. */
static void note_state(struct tcp_channel *channel, ares_socket_t fd)
{
	union address peer;
	int error = 0; /* asked for once, it is forgotten by the socket */
	socklen_t length = sizeof(peer), size = sizeof(error);

	if (getpeername(fd, &peer.any, &length) == 0)
		channel->is_connected = true;
	else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error)
		channel->error = error;
}

static void on_event(uv_poll_t *poll, int status, int events)
{
	struct tcp_socket *socket = CONTAINER_OF(poll, struct tcp_socket, poll);
	struct tcp_channel *channel = socket->channel;
	ares_socket_t fd = socket->fd;
	bool readable = status < 0 || events & UV_READABLE, writable = status < 0 || events & UV_WRITABLE;

	channel->server->group->worker->now = clock_monotonic();
	note_state(channel, fd);
	if (writable)
		ares_process_fd(channel->ares, ARES_SOCKET_BAD, fd);
	if (readable && find_socket(channel, fd) == socket) /* and not another one with its number */
		ares_process_fd(channel->ares, fd, ARES_SOCKET_BAD);
}

static struct tcp_socket *add_socket(struct tcp_channel *channel, ares_socket_t fd)
{
	struct upstream_group *group = channel->server->group;
	struct tcp_socket *socket = memory_zero(1, sizeof(*socket));

	socket->channel = channel;
	socket->fd = fd;
	uv_poll_init(group->worker->loop, &socket->poll, fd);
	group_hold(group);
	socket->next = channel->sockets;
	channel->sockets = socket;
	return socket;
}

static void remove_socket(struct tcp_channel *channel, struct tcp_socket *socket)
{
	struct tcp_socket **link = &channel->sockets;

	while (*link != socket)
		link = &(*link)->next;
	*link = socket->next;
	uv_poll_stop(&socket->poll);
	uv_close((uv_handle_t *)&socket->poll, on_socket_closed);
}

/* c-ares wants a descriptor watched otherwise than before; neither way: it is about to close it. */
static void on_socket_state(void *context, ares_socket_t fd, int readable, int writable)
{
	struct tcp_channel *channel = context;
	struct tcp_socket *socket = find_socket(channel, fd);

	if (!readable && !writable) {
		if (socket)
			remove_socket(channel, socket);
		return;
	}
	if (!socket)
		socket = add_socket(channel, fd);
	uv_poll_start(&socket->poll, (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0), on_event);
}

static void on_tick(uv_timer_t *timer)
{
	struct tcp_channel *channel = CONTAINER_OF(timer, struct tcp_channel, timer);

	channel->server->group->worker->now = clock_monotonic();
	ares_process_fd(channel->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	if (!channel->under_way)
		uv_timer_stop(timer);
}

static void set_server(struct tcp_channel *channel)
{
	struct ares_addr_port_node node = {0};
	const union address *address = &channel->server->address;

	node.family = address->any.sa_family;
	node.tcp_port = address_port(address);
	if (node.family == AF_INET)
		node.addr.addr4 = address->in.sin_addr;
	else
		memcpy(&node.addr.addr6, &address->in6.sin6_addr, sizeof(node.addr.addr6));
	ares_set_servers_ports(channel->ares, &node);
}

struct tcp_channel *tcp_channel_create(struct server *server)
{
	const struct upstream_config *config = server->group->config;
	struct tcp_channel *channel = memory_zero(1, sizeof(*channel));
	struct ares_options options = {
		.flags = ARES_FLAG_USEVC | ARES_FLAG_STAYOPEN | ARES_FLAG_NOCHECKRESP | ARES_FLAG_NOALIASES,
		.timeout = (int)((uint64_t)config->read_timeout / CLOCK_MS),
		.tries = 1,
		.sock_state_cb = on_socket_state,
		.sock_state_cb_data = channel,
		.lookups = (char[]){"b"},
	};
	int status;

	channel->server = server;
	status = ares_init_options(&channel->ares, &options,
		ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB |
			ARES_OPT_LOOKUPS);
	if (status != ARES_SUCCESS) {
		fprintf(stderr, "c-ares: %s\n", ares_strerror(status));
		abort();
	}
	set_server(channel);
	if (config->has_source && config->source.family == 4) {
		const uint8_t *b = config->source.bytes;

		ares_set_local_ip4(channel->ares,
			(unsigned)b[0] << 24 | (unsigned)b[1] << 16 | (unsigned)b[2] << 8 | b[3]);
	} else if (config->has_source) {
		ares_set_local_ip6(channel->ares, config->source.bytes);
	}
	uv_timer_init(server->group->worker->loop, &channel->timer);
	group_hold(server->group);
	return channel;
}

static void on_timer_closed(uv_handle_t *handle)
{
	struct tcp_channel *channel = CONTAINER_OF((uv_timer_t *)handle, struct tcp_channel, timer);

	group_release(channel->server->group);
}

void tcp_channel_destroy(struct tcp_channel *channel)
{
	channel->is_closing = true;
	ares_destroy(channel->ares);
	uv_close((uv_handle_t *)&channel->timer, on_timer_closed);
}

void tcp_channel_free(struct tcp_channel *channel)
{
	memory_free(channel);
}

/* Why a query failed, in Go's words. c-ares has one status for all that befalls a connection. */
static void describe_failure(const struct tcp_channel *channel, int status, char *out, size_t size)
{
	char reason[ERROR_REASON_MAX];
	const char *why = channel->error ? error_reason(channel->error, reason) : "connection closed";

	if (status == ARES_ETIMEOUT)
		snprintf(out, size, "tcp %s: i/o timeout", channel->server->text);
	else if (status != ARES_ECONNREFUSED)
		snprintf(out, size, "tcp %s: %s", channel->server->text, ares_strerror(status));
	else if (channel->is_connected)
		snprintf(out, size, "read tcp %s: %s", channel->server->text, why);
	else
		snprintf(out, size, "dial tcp %s: connect: %s", channel->server->text, why);
}

/* Also called by ares_send() itself, when there is no way to the server: tcp_send() tells that then. */
static void on_answer(void *argument, int status, int timeouts, unsigned char *message, int length)
{
	struct ticket ticket = *(struct ticket *)argument;
	struct attempt *attempt = ticket.attempt;
	bool is_being_sent = ticket.channel->sending == argument;
	char reason[256];

	(void)timeouts;
	memory_free(argument);
	ticket.channel->under_way--;
	if (is_being_sent) {
		ticket.channel->sending = NULL;
		ticket.channel->error = errno; /* of connect(): c-ares leaves it standing */
		return;
	}
	if (ticket.channel->is_closing || attempt->serial != ticket.serial)
		return;
	if (status == ARES_SUCCESS && length >= MESSAGE_HEADER) {
		attempt_on_reply(attempt, message, (size_t)length);
		return;
	}
	describe_failure(ticket.channel, status, reason, sizeof(reason));
	attempt_on_error(attempt, reason);
}

/* False: it was answered while it was being sent. */
static bool send_query(struct tcp_channel *channel, struct ticket *ticket)
{
	size_t length;
	uint8_t *query = exchange_query(ticket->attempt->exchange, &length);
	bool is_under_way;

	writer_put_u16_at(query, ticket->attempt->id);
	channel->sending = ticket;
	ares_send(channel->ares, query, (int)length, on_answer, ticket);
	is_under_way = channel->sending;
	channel->sending = NULL;
	return is_under_way;
}

bool tcp_send(struct tcp_channel *channel, struct attempt *attempt, char *ret_reason, size_t size)
{
	struct ticket *ticket = memory_alloc(sizeof(*ticket));

	*ticket = (struct ticket){attempt, attempt->serial, channel};
	if (attempt->exchange->request)
		count_connection(channel->server, true, channel->sockets);
	if (!channel->sockets) {
		channel->is_connected = false;
		channel->error = 0;
	}
	attempt->id = random_u16(&channel->server->group->worker->random);
	channel->under_way++;
	if (!uv_is_active((uv_handle_t *)&channel->timer))
		uv_timer_start(&channel->timer, on_tick, TICK_MS, TICK_MS);
	if (send_query(channel, ticket))
		return true;
	describe_failure(channel, ARES_ECONNREFUSED, ret_reason, size);
	return false;
}

int tcp_descriptor(const struct tcp_channel *channel)
{
	return channel->sockets ? channel->sockets->fd : -1;
}
