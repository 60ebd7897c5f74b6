/* Trying the servers of a group, one after the other, with CoreDNS' rules: two seconds for a try, five for
 * all of them, the next server after an error, servers that fail their health probes left out while others
 * are up.
 *
 * Invariant: an exchange is either in the pool, or in the list of tries under way, or being moved from one
 * try to the next. Its request is resumed exactly once. */
#include "group.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "svcdns/clock.h"
#include "svcdns/memory.h"
#include "tcp.h"
#include "udp.h"

#define GIVE_UP_NS    (5 * CLOCK_S)
#define PROBE_TIMEOUT CLOCK_S
#define ATTEMPTS_EACH 2 /* tries for each server, where max_connect_attempts is not set */

void group_hold(struct upstream_group *group)
{
	group->handles++;
}

void group_release(struct upstream_group *group)
{
	if (--group->handles)
		return;
	for (size_t i = 0; i < group->config->server_count; i++) {
		udp_pool_free(group->servers[i].pool);
		tcp_channel_free(group->servers[i].tcp);
	}
	while (group->free) {
		struct exchange *exchange = group->free;

		group->free = exchange->newer;
		memory_free(exchange);
	}
	memory_free(group);
}

uint8_t *exchange_query(const struct exchange *exchange, size_t *ret_length)
{
	*ret_length = exchange->request ? exchange->request->query_length : exchange->group->probe_length;
	return exchange->request ? exchange->request->wire : exchange->group->probe_query;
}

static struct exchange *take_exchange(struct upstream_group *group)
{
	struct exchange *exchange = group->free;
	unsigned serial;

	if (!exchange)
		exchange = memory_zero(1, sizeof(*exchange));
	else
		group->free = exchange->newer;
	serial = exchange->serial;
	*exchange = (struct exchange){.group = group, .serial = serial + 1};
	return exchange;
}

static void on_deadline(uv_timer_t *timer);

/* The timer runs for the oldest try; in whole milliseconds, one more than is left. */
static void set_timer(struct upstream_group *group)
{
	uint64_t now = group->worker->now, deadline;

	if (!group->oldest) {
		uv_timer_stop(&group->timer);
		return;
	}
	deadline = group->oldest->deadline;
	uv_update_time(group->worker->loop);
	uv_timer_start(&group->timer, on_deadline, (deadline > now ? deadline - now : 0) / CLOCK_MS + 1, 0);
}

/* Tries of one kind have one time-out and come in order; a probe, with a shorter one, finds its place from
 * the end, and one that has failed already from the front. */
static void enqueue(struct exchange *exchange)
{
	struct upstream_group *group = exchange->group;
	struct exchange *before = exchange->deadline ? group->newest : NULL;

	while (before && before->deadline > exchange->deadline)
		before = before->older;
	exchange->older = before;
	exchange->newer = before ? before->newer : group->oldest;
	*(exchange->newer ? &exchange->newer->older : &group->newest) = exchange;
	*(before ? &before->newer : &group->oldest) = exchange;
	if (group->oldest == exchange)
		set_timer(group);
}

static void dequeue(struct exchange *exchange)
{
	struct upstream_group *group = exchange->group;

	*(exchange->newer ? &exchange->newer->older : &group->newest) = exchange->older;
	*(exchange->older ? &exchange->older->newer : &group->oldest) = exchange->newer;
	exchange->older = exchange->newer = NULL;
}

static void release_exchange(struct exchange *exchange)
{
	exchange->serial++;
	exchange->newer = exchange->group->free;
	exchange->group->free = exchange;
}

static bool is_down(const struct server *server)
{
	int64_t max = server->group->config->max_fails;

	return max && server->fails > (uint64_t)max;
}

/* The exchange is over: its request goes on, with what stands in it. */
static void finish(struct exchange *exchange)
{
	struct upstream_group *group = exchange->group;
	struct request *request = exchange->request;
	void (*done)(void *, struct request *) = exchange->done;
	void *context = exchange->context;

	exchange->is_over = true;
	if (exchange->is_starting)
		return;
	if (group->config->under_way)
		atomic_fetch_sub_explicit(group->config->under_way, 1, memory_order_relaxed);
	release_exchange(exchange);
	done(context, request);
}

static void fail(struct exchange *exchange, const char *reason)
{
	request_fail(exchange->request, RCODE_SERVFAIL, "%s", reason);
	finish(exchange);
}

static unsigned attempts_max(const struct upstream_config *config)
{
	return config->max_connect_attempts ? (unsigned)config->max_connect_attempts
					    : ATTEMPTS_EACH * (unsigned)config->server_count;
}

/* The next server in this query's order that is up; any one when all are down; NULL when that is not wanted.
 */
static struct server *choose_server(struct exchange *exchange)
{
	struct upstream_group *group = exchange->group;
	size_t count = group->config->server_count;

	for (;;) {
		struct server *server;

		if (exchange->step >= count)
			exchange->step = exchange->fails = 0;
		server = &group->servers[(exchange->first + exchange->step++) % count];
		if (!is_down(server))
			return server;
		if (++exchange->fails < count)
			continue;
		if (group->config->failfast)
			return NULL;
		return &group->servers[random_below(&group->worker->random, (uint32_t)count)];
	}
}

static void try_server(struct exchange *exchange, struct server *server);

/* Goes to the next server, or gives up. `reason`: what was wrong with the last one; NULL: nothing. */
static void try_next(struct exchange *exchange, const char *reason)
{
	struct server *server;

	if (exchange->group->is_stopping || exchange->group->worker->now >= exchange->give_up ||
		exchange->attempts >= attempts_max(exchange->group->config)) {
		fail(exchange, reason ? reason : "no healthy proxies");
		return;
	}
	server = choose_server(exchange);
	if (server)
		try_server(exchange, server);
	else
		fail(exchange, reason ? reason : "no healthy proxies");
}

static void start_probing(struct server *server);

static void try_failed(struct exchange *exchange, const char *reason)
{
	if (exchange->group->config->max_fails)
		start_probing(exchange->server);
	exchange->attempts++;
	if (exchange->fails >= exchange->group->config->server_count)
		fail(exchange, reason); /* all are down, and so is the one that was tried in spite of it */
	else
		try_next(exchange, reason);
}

static void try_server(struct exchange *exchange, struct server *server)
{
	struct upstream_group *group = exchange->group;
	char reason[256];

	exchange->server = server;
	exchange->serial++;
	exchange->code = 0;
	exchange->deadline = group->worker->now + (uint64_t)group->config->read_timeout;
	if (exchange->deadline > exchange->give_up)
		exchange->deadline = exchange->give_up;
	if (exchange->is_tcp) {
		enqueue(exchange);
		tcp_send(server->tcp, exchange);
	} else if (udp_send(server->pool, exchange, reason, sizeof(reason))) {
		enqueue(exchange);
	} else {
		try_failed(exchange, reason);
	}
}

/* A probe has come to its end: the next one follows after the interval until one is answered. */
static void on_probe_end(struct exchange *exchange, bool is_answered)
{
	struct server *server = exchange->server;

	server->probe = NULL;
	release_exchange(exchange);
	if (is_answered) {
		server->fails = 0;
		server->is_probing = false;
		uv_timer_stop(&server->probe_timer);
	} else {
		server->fails++;
	}
}

static void send_probe(struct server *server)
{
	struct upstream_group *group = server->group;
	struct exchange *probe = take_exchange(group);
	char reason[256];

	probe->server = server;
	probe->deadline = group->worker->now + PROBE_TIMEOUT;
	server->probe = probe;
	if (group->config->force_tcp) {
		enqueue(probe);
		tcp_send(server->tcp, probe);
	} else if (udp_send(server->pool, probe, reason, sizeof(reason))) {
		enqueue(probe);
	} else {
		on_probe_end(probe, false);
	}
}

static void on_probe_timer(uv_timer_t *timer)
{
	struct server *server = CONTAINER_OF(timer, struct server, probe_timer);

	server->group->worker->now = clock_monotonic();
	if (!server->probe)
		send_probe(server);
}

/* Nothing is probed as long as it answers queries (CoreDNS plugin/pkg/up). */
static void start_probing(struct server *server)
{
	uint64_t interval = (uint64_t)server->group->config->health_interval / CLOCK_MS;

	if (server->is_probing || server->group->is_stopping)
		return;
	server->is_probing = true;
	uv_timer_start(&server->probe_timer, on_probe_timer, 0, interval ? interval : 1);
}

void exchange_on_error(struct exchange *exchange, const char *reason)
{
	dequeue(exchange);
	if (!exchange->request)
		on_probe_end(exchange, false);
	else
		try_failed(exchange, reason);
}

void exchange_fail_soon(struct exchange *exchange, int code)
{
	exchange->code = code;
	exchange->deadline = 0;
	dequeue(exchange);
	enqueue(exchange);
}

static bool wants_failover(const struct exchange *exchange, uint16_t rcode)
{
	const struct upstream_config *config = exchange->group->config;

	for (size_t i = 0; i < config->failover_count; i++)
		if (config->failover[i] == rcode)
			return exchange->failovers + 1 < config->server_count;
	return false;
}

/* A refusal without its question, or the reply itself, as the request's; false: it is malformed. */
static bool take_reply(struct request *request, const uint8_t *message, size_t length)
{
	if (message_count(message, 0) == 0) {
		request_fail(request, message_flags(message) & FLAG_RCODE, "%s", "");
		return true;
	}
	return request_reply_message(request, message, length);
}

void exchange_on_reply(struct exchange *exchange, const uint8_t *message, size_t length)
{
	const struct upstream_config *config = exchange->group->config;
	uint16_t flags = message_flags(message);

	dequeue(exchange);
	if (!exchange->request) {
		on_probe_end(exchange, true);
		return;
	}
	if (flags & FLAG_TC && config->prefer_udp && !exchange->is_tcp) {
		exchange->is_tcp = true;
		try_server(exchange, exchange->server);
		return;
	}
	if (wants_failover(exchange, flags & FLAG_RCODE)) {
		exchange->failovers++;
		try_next(exchange, "failover");
		return;
	}
	if (take_reply(exchange->request, message, length))
		finish(exchange);
	else
		try_failed(exchange, "malformed reply");
}

/* In Go's words. */
static void describe_failure(const struct exchange *exchange, char *out, size_t size)
{
	char ends[160];

	udp_describe(exchange, ends, sizeof(ends));
	if (exchange->code)
		snprintf(out, size, "read %s: read: %s", ends,
			exchange->code == ECONNREFUSED ? "connection refused" : strerror(exchange->code));
	else
		snprintf(out, size, "read %s: i/o timeout", ends);
}

static void on_deadline(uv_timer_t *timer)
{
	struct upstream_group *group = CONTAINER_OF(timer, struct upstream_group, timer);
	char reason[256];

	group->worker->now = clock_monotonic();
	while (group->oldest && group->oldest->deadline <= group->worker->now) {
		struct exchange *exchange = group->oldest;

		describe_failure(exchange, reason, sizeof(reason));
		udp_forget(exchange);
		exchange_on_error(exchange, reason);
	}
	set_timer(group);
}

static unsigned first_server(struct upstream_group *group)
{
	uint32_t count = (uint32_t)group->config->server_count;

	switch (group->config->policy) {
	case UPSTREAM_RANDOM:
		return random_below(&group->worker->random, count);
	case UPSTREAM_ROUND_ROBIN:
		return group->next++ % count;
	default:
		return 0;
	}
}

enum verdict upstream_ask(struct upstream_group *group, struct request *request,
	void (*done)(void *context, struct request *request), void *context)
{
	const struct upstream_config *config = group->config;
	struct exchange *exchange;
	int64_t under_way = 0;

	if (config->under_way)
		under_way = atomic_fetch_add_explicit(config->under_way, 1, memory_order_relaxed) + 1;
	if (config->max_concurrent && under_way > config->max_concurrent) {
		atomic_fetch_sub_explicit(config->under_way, 1, memory_order_relaxed);
		return request_fail(request, RCODE_REFUSED, "concurrent queries exceeded maximum %lld",
			(long long)config->max_concurrent);
	}
	exchange = take_exchange(group);
	exchange->request = request;
	exchange->done = done;
	exchange->context = context;
	exchange->first = first_server(group);
	exchange->give_up = group->worker->now + GIVE_UP_NS;
	exchange->is_tcp = config->force_tcp || (request->transport == TRANSPORT_TCP && !config->prefer_udp);
	exchange->is_starting = true;
	try_next(exchange, NULL);
	exchange->is_starting = false;
	if (!exchange->is_over)
		return VERDICT_PENDING;
	if (config->under_way)
		atomic_fetch_sub_explicit(config->under_way, 1, memory_order_relaxed);
	release_exchange(exchange);
	return VERDICT_ANSWERED;
}

/* Header and question of a probe: DOMAIN NS. */
static void make_probe(struct upstream_group *group)
{
	const struct upstream_config *config = group->config;
	struct writer w;

	writer_init(&w, group->probe_query, 0, sizeof(group->probe_query));
	writer_u16(&w, 0);
	writer_u16(&w, config->health_recursion ? FLAG_RD : 0);
	writer_u16(&w, 1);
	writer_u32(&w, 0);
	writer_u16(&w, 0);
	writer_bytes(&w, config->health_domain.wire, config->health_domain.length);
	writer_u16(&w, TYPE_NS);
	writer_u16(&w, CLASS_IN);
	group->probe_length = w.length;
}

struct upstream_group *upstream_start(const struct upstream_config *config, struct worker *worker)
{
	struct upstream_group *group = memory_zero(1, sizeof(*group));

	assert(config->server_count && config->server_count <= SERVERS_MAX);
	group->config = config;
	group->worker = worker;
	make_probe(group);
	uv_timer_init(worker->loop, &group->timer);
	group_hold(group);
	for (size_t i = 0; i < config->server_count; i++) {
		struct server *server = &group->servers[i];

		server->group = group;
		server->address = config->servers[i];
		address_text(&server->address, server->text);
		server->pool = udp_pool_create(server);
		server->tcp = tcp_channel_create(server);
		uv_timer_init(worker->loop, &server->probe_timer);
		group_hold(group);
	}
	return group;
}

static void on_timer_closed(uv_handle_t *handle)
{
	group_release(CONTAINER_OF((uv_timer_t *)handle, struct upstream_group, timer));
}

static void on_probe_timer_closed(uv_handle_t *handle)
{
	group_release(CONTAINER_OF((uv_timer_t *)handle, struct server, probe_timer)->group);
}

void upstream_stop(struct upstream_group *group)
{
	size_t count = group->config->server_count;

	group->is_stopping = true;
	while (group->oldest) {
		struct exchange *exchange = group->oldest;

		udp_forget(exchange);
		exchange_on_error(exchange, "the server is going down");
	}
	uv_close((uv_handle_t *)&group->timer, on_timer_closed);
	for (size_t i = 0; i < count; i++) {
		uv_close((uv_handle_t *)&group->servers[i].probe_timer, on_probe_timer_closed);
		udp_pool_destroy(group->servers[i].pool);
		tcp_channel_destroy(group->servers[i].tcp);
	}
}
