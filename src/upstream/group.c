/* Asking the servers of a group, one after the other, with CoreDNS' rules: two seconds for an attempt, five
 * for all of them, the next server after an error, servers that fail their health probes left out while
 * others are up.
 *
 * Invariant: an exchange is either in the pool, or it has an attempt under way and waits in a queue of
 * deadlines, or it is being moved from one attempt to the next. Its request is resumed exactly once. */
#include "group.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "svcdns/clock.h"
#include "svcdns/memory.h"
#include "tcp.h"
#include "udp.h"

#define GIVE_UP_NS     (5 * CLOCK_S)
#define EXPLORE	       32 /* one query in so many goes to any server: the fastest may be another by now */
#define ROUND_TRIP_MAX (10 * CLOCK_S)

void group_hold(struct upstream_group *group)
{
	group->handles++;
}

void group_release(struct upstream_group *group)
{
	if (--group->handles)
		return;
	for (size_t i = 0; i < group->server_count; i++) {
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

struct exchange *exchange_take(struct upstream_group *group)
{
	struct exchange *exchange = group->free;
	unsigned serials[ATTEMPTS];

	if (!exchange)
		exchange = memory_zero(1, sizeof(*exchange));
	else
		group->free = exchange->newer;
	for (size_t i = 0; i < ATTEMPTS; i++)
		serials[i] = exchange->attempts[i].serial;
	*exchange = (struct exchange){.group = group};
	for (size_t i = 0; i < ATTEMPTS; i++)
		exchange->attempts[i] = (struct attempt){.exchange = exchange, .serial = serials[i]};
	return exchange;
}

void exchange_release(struct exchange *exchange)
{
	exchange->newer = exchange->group->free;
	exchange->group->free = exchange;
}

static void on_deadline(uv_timer_t *timer);

/* In whole milliseconds, one more than is left; 0 for what is over already. */
void deadlines_set_timer(struct upstream_group *group)
{
	const struct exchange *time_out = group->time_outs.oldest, *hedge = group->hedges.oldest;
	uint64_t now = group->worker->now, deadline = UINT64_MAX, left;

	if (time_out)
		deadline = time_out->deadline;
	if (hedge && hedge->deadline < deadline)
		deadline = hedge->deadline;
	if (deadline == UINT64_MAX) {
		uv_timer_stop(&group->timer);
		return;
	}
	left = deadline > now ? (deadline - now) / CLOCK_MS + 1 : 0;
	uv_update_time(group->worker->loop);
	uv_timer_start(&group->timer, on_deadline, left, 0);
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
	exchange_release(exchange);
	done(context, request);
}

/* Nothing is asked any more; the query is as it came. */
static void call_off(struct exchange *exchange)
{
	deadlines_remove(exchange);
	for (size_t i = 0; i < ATTEMPTS; i++)
		attempt_forget(&exchange->attempts[i]);
	if (exchange->request)
		letter_case_restore(&exchange->letter_case, exchange->request->wire + MESSAGE_HEADER);
}

static void fail(struct exchange *exchange, const char *reason)
{
	call_off(exchange);
	request_fail(exchange->request, RCODE_SERVFAIL, "%s", reason);
	finish(exchange);
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
		count_broken(group);
		if (group->config->failfast)
			return NULL;
		return &group->servers[random_below(&group->worker->random, (uint32_t)count)];
	}
}

bool attempt_send(struct attempt *attempt, struct server *server, char *ret_reason, size_t size)
{
	attempt->server = server;
	attempt->serial++;
	attempt->sent = server->group->worker->now;
	if (attempt->exchange->request)
		attempt->exchange->request->upstream = server->address;
	attempt->is_under_way = attempt->exchange->is_tcp ? tcp_send(server->tcp, attempt, ret_reason, size)
							  : udp_send(server->pool, attempt, ret_reason, size);
	return attempt->is_under_way;
}

void attempt_forget(struct attempt *attempt)
{
	if (!attempt->is_under_way)
		return;
	udp_forget(attempt);
	attempt->serial++;
	attempt->code = 0;
	attempt->is_under_way = false;
}

static void on_attempt_failed(struct attempt *attempt, const char *reason);

static uint64_t time_out_of(const struct exchange *exchange)
{
	uint64_t time_out = exchange->attempts[0].sent + (uint64_t)exchange->group->config->read_timeout;

	return time_out < exchange->give_up ? time_out : exchange->give_up;
}

static void ask(struct exchange *exchange, struct server *server)
{
	struct upstream_group *group = exchange->group;
	const struct upstream_config *config = group->config;
	char reason[256];

	if (config->random_case && !exchange->is_tcp)
		letter_case_mix(&exchange->letter_case, exchange->request->wire + MESSAGE_HEADER,
			&group->worker->random);
	if (!attempt_send(&exchange->attempts[0], server, reason, sizeof(reason)))
		on_attempt_failed(&exchange->attempts[0], reason);
	else if (config->hedge && config->server_count > 1 && !exchange->is_tcp)
		deadlines_add(&group->hedges, exchange, group->worker->now + (uint64_t)config->hedge);
	else
		deadlines_add(&group->time_outs, exchange, time_out_of(exchange));
}

/* Goes to the next server, or gives up. `reason`: what was wrong with the last one; NULL: nothing. */
static void ask_next(struct exchange *exchange, const char *reason)
{
	const struct upstream_group *group = exchange->group;
	struct server *server = NULL;

	if (!group->is_stopping && group->worker->now < exchange->give_up &&
		exchange->tries < group->config->max_connect_attempts)
		server = choose_server(exchange);
	if (server)
		ask(exchange, server);
	else
		fail(exchange, reason ? reason : "no healthy proxies");
}

/* The server has been slow: a second one is asked, and whichever answers first is heard. */
static void hedge(struct exchange *exchange)
{
	struct upstream_group *group = exchange->group;
	struct server *server = choose_server(exchange);
	char reason[256];

	deadlines_remove(exchange);
	if (server == exchange->attempts[0].server)
		server = choose_server(exchange);
	if (server && server != exchange->attempts[0].server && !is_down(server))
		attempt_send(&exchange->attempts[1], server, reason, sizeof(reason));
	deadlines_add(&group->time_outs, exchange, time_out_of(exchange));
}

/* No attempt is under way any more. */
static void on_exchange_failed(struct exchange *exchange, const char *reason)
{
	call_off(exchange);
	exchange->tries++;
	if (exchange->fails >= exchange->group->config->server_count)
		fail(exchange, reason); /* all are down, and so is the one that was asked in spite of it */
	else
		ask_next(exchange, reason);
}

static bool has_attempt(const struct exchange *exchange)
{
	return exchange->attempts[0].is_under_way || exchange->attempts[1].is_under_way;
}

/* The round trip is not known, but it is longer than this. */
static void punish(struct server *server, uint64_t waited)
{
	uint64_t doubled = 2 * server->round_trip;

	server->round_trip = doubled > waited ? doubled : waited;
	if (server->round_trip > ROUND_TRIP_MAX)
		server->round_trip = ROUND_TRIP_MAX;
}

static void on_attempt_failed(struct attempt *attempt, const char *reason)
{
	struct server *server = attempt->server;

	attempt_forget(attempt);
	punish(server, server->group->worker->now - attempt->sent);
	if (server->group->config->max_fails)
		probe_start(server);
	if (!has_attempt(attempt->exchange))
		on_exchange_failed(attempt->exchange, reason);
}

void attempt_on_error(struct attempt *attempt, const char *reason)
{
	if (attempt->exchange->request) {
		on_attempt_failed(attempt, reason);
		return;
	}
	call_off(attempt->exchange);
	probe_on_end(attempt->exchange, false);
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

/* Smoothed as TCP does (RFC 6298 section 2). */
static void note_round_trip(const struct attempt *attempt, uint16_t rcode)
{
	struct server *server = attempt->server;
	uint64_t sample = server->group->worker->now - attempt->sent;

	if (attempt->exchange->request)
		count_reply(server, rcode, sample);
	sample = sample ? sample : 1;
	server->round_trip =
		server->round_trip ? server->round_trip - server->round_trip / 8 + sample / 8 : sample;
}

void attempt_on_reply(struct attempt *attempt, const uint8_t *message, size_t length)
{
	struct exchange *exchange = attempt->exchange;
	const struct upstream_config *config = exchange->group->config;
	struct server *server = attempt->server;
	uint16_t flags = message_flags(message);

	note_round_trip(attempt, flags & FLAG_RCODE);
	call_off(exchange);
	if (!exchange->request) {
		probe_on_end(exchange, true);
	} else if (flags & FLAG_TC && config->prefer_udp && !exchange->is_tcp) {
		exchange->is_tcp = true;
		ask(exchange, server);
	} else if (wants_failover(exchange, flags & FLAG_RCODE)) {
		exchange->failovers++;
		ask_next(exchange, "failover");
	} else if (take_reply(exchange->request, message, length)) {
		exchange->request->upstream = server->address; /* a hedge may have been sent behind it */
		finish(exchange);
	} else {
		on_attempt_failed(attempt, "malformed reply");
	}
}

void attempt_fail_soon(struct attempt *attempt, int code)
{
	struct exchange *exchange = attempt->exchange;

	attempt->code = code;
	deadlines_remove(exchange);
	deadlines_add(&exchange->group->time_outs, exchange, 0);
}

/* What was being done when an attempt failed, in Go's words: "read udp 10.0.0.9:40000->10.0.0.1:53", or, of a
 * server that has not taken the connection yet, "dial tcp 10.0.0.1:53". */
static void describe(const struct attempt *attempt, char *out, size_t size)
{
	bool is_tcp = attempt->exchange->is_tcp;
	int fd = is_tcp ? tcp_descriptor(attempt->server->tcp) : udp_descriptor(attempt);
	const char *protocol = is_tcp ? "tcp" : "udp";
	char local[ADDRESS_TEXT_MAX] = "";
	union address address, peer;
	socklen_t length = sizeof(address), peer_length = sizeof(peer);

	if (fd < 0 || getpeername(fd, &peer.any, &peer_length) != 0) {
		snprintf(out, size, "dial %s %s", protocol, attempt->server->text);
		return;
	}
	if (getsockname(fd, &address.any, &length) == 0)
		address_text(&address, local);
	snprintf(out, size, "read %s %s->%s", protocol, local, attempt->server->text);
}

static void on_attempt_over(struct attempt *attempt)
{
	char reason[256], what[160];

	describe(attempt, what, sizeof(what));
	if (attempt->code)
		snprintf(reason, sizeof(reason), "%s: read: %s", what,
			attempt->code == ECONNREFUSED ? "connection refused" : strerror(attempt->code));
	else
		snprintf(reason, sizeof(reason), "%s: i/o timeout", what);
	attempt_on_error(attempt, reason);
}

/* Its time is over, or attempts have failed; where only one of two has, the other goes on. */
static void on_time_out(struct exchange *exchange)
{
	struct attempt *first = &exchange->attempts[0], *second = &exchange->attempts[1];
	struct attempt *failed = first->code ? first : second;
	struct attempt *other = failed == first ? second : first;

	deadlines_remove(exchange);
	if (failed->code && other->is_under_way && !other->code) {
		on_attempt_over(failed);
		deadlines_add(&exchange->group->time_outs, exchange, time_out_of(exchange));
		return;
	}
	if (first->is_under_way && second->is_under_way)
		on_attempt_over(first);
	on_attempt_over(second->is_under_way ? second : first);
}

static void on_deadline(uv_timer_t *timer)
{
	struct upstream_group *group = CONTAINER_OF(timer, struct upstream_group, timer);

	group->worker->now = clock_monotonic();
	while (group->hedges.oldest && group->hedges.oldest->deadline <= group->worker->now)
		hedge(group->hedges.oldest);
	while (group->time_outs.oldest && group->time_outs.oldest->deadline <= group->worker->now)
		on_time_out(group->time_outs.oldest);
	deadlines_set_timer(group);
}

static uint32_t fastest(struct upstream_group *group)
{
	uint32_t count = (uint32_t)group->config->server_count, best = 0;

	if (!random_below(&group->worker->random, EXPLORE))
		return random_below(&group->worker->random, count);
	for (uint32_t i = 1; i < count; i++)
		if (!is_down(&group->servers[i]) &&
			(is_down(&group->servers[best]) ||
				group->servers[i].round_trip < group->servers[best].round_trip))
			best = i;
	return best;
}

static unsigned first_server(struct upstream_group *group)
{
	uint32_t count = (uint32_t)group->config->server_count;

	switch (group->config->policy) {
	case UPSTREAM_RANDOM:
		return random_below(&group->worker->random, count);
	case UPSTREAM_ROUND_ROBIN:
		return group->next++ % count;
	case UPSTREAM_FASTEST:
		return fastest(group);
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
		count_reject(group);
		return request_fail(request, RCODE_REFUSED, "concurrent queries exceeded maximum %lld",
			(long long)config->max_concurrent);
	}
	exchange = exchange_take(group);
	exchange->request = request;
	exchange->done = done;
	exchange->context = context;
	exchange->first = first_server(group);
	exchange->give_up = group->worker->now + GIVE_UP_NS;
	if (exchange->give_up > request->deadline)
		exchange->give_up = request->deadline;
	exchange->is_tcp = config->force_tcp || (request->transport == TRANSPORT_TCP && !config->prefer_udp);
	exchange->is_starting = true;
	ask_next(exchange, NULL);
	exchange->is_starting = false;
	if (!exchange->is_over)
		return VERDICT_PENDING;
	if (config->under_way)
		atomic_fetch_sub_explicit(config->under_way, 1, memory_order_relaxed);
	exchange_release(exchange);
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
	group->server_count = config->server_count;
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
		probe_init(group, server);
	}
	counters_start(group);
	return group;
}

static void on_timer_closed(uv_handle_t *handle)
{
	group_release(CONTAINER_OF((uv_timer_t *)handle, struct upstream_group, timer));
}

static void end_all(struct deadlines *queue)
{
	while (queue->oldest) {
		struct exchange *exchange = queue->oldest;

		if (exchange->request) {
			fail(exchange, "the server is going down");
		} else {
			call_off(exchange);
			probe_on_end(exchange, false);
		}
	}
}

static struct exchange *find_asked(const struct deadlines *queue, const void *context)
{
	struct exchange *exchange = queue->oldest;

	while (exchange && (!exchange->request || exchange->context != context))
		exchange = exchange->newer;
	return exchange;
}

void upstream_call_off(struct upstream_group *group, const void *context)
{
	struct exchange *exchange;

	while ((exchange = find_asked(&group->hedges, context)) ||
		(exchange = find_asked(&group->time_outs, context)))
		fail(exchange, "the server's configuration has changed");
}

void upstream_stop(struct upstream_group *group)
{
	size_t count = group->config->server_count;

	group->is_stopping = true;
	end_all(&group->hedges);
	end_all(&group->time_outs);
	uv_close((uv_handle_t *)&group->timer, on_timer_closed);
	for (size_t i = 0; i < count; i++) {
		probe_close(&group->servers[i]);
		udp_pool_destroy(group->servers[i].pool);
		tcp_channel_destroy(group->servers[i].tcp);
	}
}
