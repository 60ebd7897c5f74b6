/* Connected UDP sockets. The kernel binds each to a random port and takes only what comes from the server's
 * address; what it hands over must also have the id and repeat the question, octet by octet, of a query that
 * waits on that very socket. All else is ignored: it may be a forgery, and the true reply may still come.
 *
 * A socket is used for at most SOCKET_USES queries or the configured time, then it takes no more and is
 * closed with its last reply; a guesser thus has 16 bits of id and the choice of port against him. */
#include "udp.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "svcdns/clock.h"
#include "svcdns/memory.h"

#define SOCKETS_MIN  4 /* open at a time, so that successive queries leave from different ports */
#define SOCKETS_MAX  256
#define SOCKET_USES  512
#define SOCKET_BUSY  128 /* under way on one socket before another is opened */
#define BUCKETS	     64
#define BATCH	     16
#define ROUNDS	     8
#define MESSAGE_ROOM 65536

struct udp_socket {
	uv_poll_t poll;
	struct udp_pool *pool;
	int fd;
	bool is_active; /* in the pool's list */
	unsigned uses, under_way;
	uint64_t born;
	struct attempt *by_id[BUCKETS];
};

struct udp_pool {
	struct server *server;
	struct udp_socket *active[SOCKETS_MAX];
	unsigned count;
	uint8_t *room; /* BATCH messages; touched as far as they reach */
	struct mmsghdr messages[BATCH];
	struct iovec parts[BATCH]; /* of the messages: the room */
};

struct udp_pool *udp_pool_create(struct server *server)
{
	struct udp_pool *pool = memory_zero(1, sizeof(*pool));

	pool->server = server;
	pool->room = memory_reserve((size_t)BATCH * MESSAGE_ROOM);
	for (unsigned i = 0; i < BATCH; i++) {
		pool->parts[i] = (struct iovec){pool->room + (size_t)i * MESSAGE_ROOM, MESSAGE_ROOM};
		pool->messages[i].msg_hdr = (struct msghdr){.msg_iov = &pool->parts[i], .msg_iovlen = 1};
	}
	return pool;
}

static void on_close(uv_handle_t *handle)
{
	struct udp_socket *socket = CONTAINER_OF((uv_poll_t *)handle, struct udp_socket, poll);
	struct upstream_group *group = socket->pool->server->group;

	close(socket->fd);
	memory_free(socket);
	group_release(group);
}

/* Takes no more queries; closed now, or with its last reply. */
static void retire(struct udp_socket *socket)
{
	struct udp_pool *pool = socket->pool;

	if (socket->is_active) {
		unsigned i = 0;

		while (pool->active[i] != socket)
			i++;
		pool->active[i] = pool->active[--pool->count];
		socket->is_active = false;
	}
	if (!socket->under_way && !uv_is_closing((uv_handle_t *)&socket->poll))
		uv_close((uv_handle_t *)&socket->poll, on_close);
}

void udp_pool_destroy(struct udp_pool *pool)
{
	while (pool->count)
		retire(pool->active[0]);
	memory_unreserve(pool->room, (size_t)BATCH * MESSAGE_ROOM);
	pool->room = NULL;
}

void udp_pool_free(struct udp_pool *pool)
{
	memory_free(pool);
}

static void on_event(uv_poll_t *poll, int status, int events);

static int open_connected(const struct server *server)
{
	const struct upstream_config *config = server->group->config;
	union address source;
	int fd = socket(server->address.any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if (config->has_source) {
		address_set(&source, &config->source, 0);
		if (bind(fd, &source.any, address_length(&source)) != 0)
			goto fail;
	}
	if (connect(fd, &server->address.any, address_length(&server->address)) == 0)
		return fd;
fail:
	close(fd);
	return -1;
}

static struct udp_socket *open_socket(struct udp_pool *pool)
{
	struct upstream_group *group = pool->server->group;
	int fd = open_connected(pool->server);
	struct udp_socket *socket;

	if (fd < 0)
		return NULL;
	socket = memory_zero(1, sizeof(*socket));
	socket->pool = pool;
	socket->fd = fd;
	socket->born = group->worker->now;
	uv_poll_init(group->worker->loop, &socket->poll, fd);
	uv_poll_start(&socket->poll, UV_READABLE, on_event);
	group_hold(group);
	socket->is_active = true;
	pool->active[pool->count++] = socket;
	return socket;
}

static bool is_worn(const struct udp_socket *socket)
{
	const struct upstream_config *config = socket->pool->server->group->config;
	uint64_t age = socket->pool->server->group->worker->now - socket->born;

	return socket->uses >= SOCKET_USES || age >= (uint64_t)config->expire ||
	       (config->max_age && age >= (uint64_t)config->max_age);
}

/* A random one of the open sockets, or a new one where there are few or that one is busy. */
static struct udp_socket *choose_socket(struct udp_pool *pool)
{
	struct random *random = &pool->server->group->worker->random;
	struct udp_socket *socket = NULL, *fresh = NULL;

	while (pool->count >= SOCKETS_MIN) {
		socket = pool->active[random_below(random, pool->count)];
		if (!is_worn(socket))
			break;
		retire(socket);
		socket = NULL;
	}
	if (!socket || (socket->under_way >= SOCKET_BUSY && pool->count < SOCKETS_MAX))
		fresh = open_socket(pool);
	if (fresh || socket)
		return fresh ? fresh : socket;
	return pool->count ? pool->active[random_below(random, pool->count)]
			   : NULL; /* no descriptor to be had */
}

static struct attempt **bucket_of(struct udp_socket *socket, uint16_t id)
{
	return &socket->by_id[id % BUCKETS];
}

static struct attempt *find_id(struct udp_socket *socket, uint16_t id)
{
	struct attempt *attempt = *bucket_of(socket, id);

	while (attempt && attempt->id != id)
		attempt = attempt->next_by_id;
	return attempt;
}

static void remember(struct udp_socket *socket, struct attempt *attempt)
{
	struct attempt **bucket = bucket_of(socket, attempt->id);

	attempt->next_by_id = *bucket;
	*bucket = attempt;
	attempt->socket = socket;
	socket->uses++;
	socket->under_way++;
}

void udp_forget(struct attempt *attempt)
{
	struct udp_socket *socket = attempt->socket;
	struct attempt **link;

	if (!socket)
		return;
	link = bucket_of(socket, attempt->id);
	while (*link != attempt)
		link = &(*link)->next_by_id;
	*link = attempt->next_by_id;
	attempt->socket = NULL;
	socket->under_way--;
	if (!socket->is_active)
		retire(socket);
}

/* ICMP told that nobody listens there: that concerns everything that waits on this socket. It may come to
 * light in the midst of another query's attempt, hence not at once. */
static void fail_all(struct udp_socket *socket, int code)
{
	retire(socket); /* what is asked again goes by another */
	for (unsigned i = 0; i < BUCKETS; i++)
		for (struct attempt *attempt = socket->by_id[i]; attempt; attempt = attempt->next_by_id)
			attempt_fail_soon(attempt, code);
}

/* What send() fails with is this datagram's own fault, or was told of an earlier one. */
static bool is_told(int code)
{
	return code != EMSGSIZE && code != ENOBUFS && code != ENOMEM;
}

bool udp_send(struct udp_pool *pool, struct attempt *attempt, char *ret_reason, size_t size)
{
	struct udp_socket *socket = choose_socket(pool);
	size_t length;
	uint8_t *query = exchange_query(attempt->exchange, &length);

	if (!socket) {
		snprintf(ret_reason, size, "dial udp %s: %s", pool->server->text, strerror(errno));
		return false;
	}
	if (attempt->exchange->request)
		count_connection(pool->server, false, socket->uses);
	do
		attempt->id = random_u16(&pool->server->group->worker->random);
	while (find_id(socket, attempt->id));
	writer_put_u16_at(query, attempt->id);
	if (send(socket->fd, query, length, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno != EAGAIN &&
		errno != EWOULDBLOCK) {
		int code = errno;

		snprintf(ret_reason, size, "write udp %s: %s", pool->server->text, strerror(code));
		if (is_told(code))
			fail_all(socket, code);
		return false;
	}
	remember(socket, attempt); /* what the kernel had no room for is as good as lost on the way */
	return true;
}

int udp_descriptor(const struct attempt *attempt)
{
	return attempt->socket ? attempt->socket->fd : -1;
}

/* The attempt that a message answers; NULL: none. Refusals may leave out the question (RFC 1035 section 4.1.1
 * does not say): they do no harm. */
static struct attempt *find_attempt(struct udp_socket *socket, const uint8_t *message, size_t length)
{
	struct attempt *attempt;
	size_t query_length, end;
	const uint8_t *query;

	if (length < MESSAGE_HEADER || !(message_flags(message) & FLAG_QR))
		return NULL;
	attempt = find_id(socket, message_id(message));
	if (!attempt)
		return NULL;
	if (message_count(message, 0) == 0 && length == MESSAGE_HEADER &&
		(message_flags(message) & FLAG_RCODE))
		return attempt;
	query = exchange_query(attempt->exchange, &query_length);
	end = attempt->exchange->request ? attempt->exchange->request->question.end : query_length;
	if (message_count(message, 0) != 1 || length < end ||
		memcmp(message + MESSAGE_HEADER, query + MESSAGE_HEADER, end - MESSAGE_HEADER) != 0)
		return NULL;
	return attempt;
}

static void take_message(struct udp_socket *socket, const uint8_t *message, size_t length)
{
	struct attempt *attempt = find_attempt(socket, message, length);

	if (!attempt)
		return;
	udp_forget(attempt);
	attempt_on_reply(attempt, message, length);
}

/* One batch; false: there is no more to read, or the socket is gone. */
static bool read_batch(struct udp_socket *socket)
{
	struct udp_pool *pool = socket->pool;
	int count = recvmmsg(socket->fd, pool->messages, BATCH, MSG_DONTWAIT, NULL);
	bool is_open;

	if (count < 0) {
		if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
			fail_all(socket, errno);
		return false;
	}
	socket->under_way++;
	for (int i = 0; i < count; i++)
		take_message(socket, pool->parts[i].iov_base, pool->messages[i].msg_len);
	socket->under_way--;
	is_open = socket->is_active || socket->under_way;
	if (!is_open)
		retire(socket);
	return is_open && count == BATCH;
}

static void on_event(uv_poll_t *poll, int status, int events)
{
	struct udp_socket *socket = CONTAINER_OF(poll, struct udp_socket, poll);

	(void)status;
	(void)events;
	socket->pool->server->group->worker->now = clock_monotonic();
	for (int round = 0; round < ROUNDS; round++)
		if (!read_batch(socket))
			return;
}
