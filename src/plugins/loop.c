/* loop: finds out at the start whether what is forwarded comes back, and ends the process if it does.
 *
 * The first worker asks this server, over the network, for a name that nobody else knows. Every worker counts
 * how often that question comes by: once is how it was asked, twice may be chance, three times is a loop.
 * When the question is answered, there is none, and nothing is counted any more: otherwise whoever got to
 * know the name could end the process by asking for it. */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "svcdns/clock.h"
#include "svcdns/log.h"
#include "svcdns/memory.h"
#include "svcdns/setup.h"
#include "svcdns/upstream.h"
#include "svcdns/worker.h"

#define TOPIC	     "plugin/loop"
#define SEEN_MAX     2
#define TIMEOUT_NS   ((int64_t)(2 * CLOCK_S))
#define EXPIRE_NS    ((int64_t)(10 * CLOCK_S))
#define PAUSE_NS     CLOCK_S	    /* after a try that failed */
#define GIVE_UP_NS   (30 * CLOCK_S) /* if no try succeeds: who does not serve yet may be long in coming */
#define LABEL_BITS   62
#define LABEL_DIGITS 20

struct loop {			       /* lifetime: configuration */
	const char *zone, *query, *at; /* as the log shows them */
	struct name probe;
	union address address; /* where this server is asked */
	struct upstream_config upstream;
	atomic_uint seen;
	atomic_bool is_over;
};

struct loop_worker {
	struct loop *loop;
	struct worker *worker;
	struct upstream_group *group; /* of the worker that asks, until it is over; otherwise NULL */
	bool is_asking;
	uint64_t next_try, give_up; /* ns */
};

static bool is_over(const struct loop *loop)
{
	return atomic_load_explicit(&loop->is_over, memory_order_relaxed);
}

static void end(struct loop *loop)
{
	atomic_store_explicit(&loop->is_over, true, memory_order_relaxed);
}

/* Any answer will do: the question has gone its way. What was seen of one that failed does not count. */
static void on_done(void *context, struct request *request)
{
	struct loop_worker *w = context;
	bool has_failed = request->bare && request->error[0];

	request_release(request);
	w->is_asking = false;
	w->next_try = w->worker->now + PAUSE_NS;
	if (has_failed)
		atomic_store_explicit(&w->loop->seen, 0, memory_order_relaxed);
	else
		end(w->loop);
}

static void ask(struct loop_worker *w)
{
	struct request *request = request_own(w->worker, &w->loop->probe, TYPE_HINFO);

	w->is_asking = true;
	if (upstream_ask(w->group, request, on_done, w) == VERDICT_ANSWERED)
		on_done(w, request);
}

static void refresh(void *self)
{
	struct loop_worker *w = self;

	if (LIKELY(!w->group) || w->is_asking)
		return;
	if (w->worker->now >= w->give_up)
		end(w->loop);
	if (is_over(w->loop)) {
		upstream_stop(w->group);
		w->group = NULL;
	} else if (w->worker->now >= w->next_try) {
		ask(w);
	}
}

static ATTRIBUTE_NORETURN void end_process(const struct loop *loop, const struct request *r)
{
	char client[ADDRESS_TEXT_MAX];

	address_text(&r->client, client);
	log_fatal(TOPIC,
		"Loop (%s -> %s) detected for zone \"%s\", see "
		"https://coredns.io/plugins/loop#troubleshooting. Query: \"HINFO %s\"",
		client, loop->at, loop->zone, loop->query);
}

static enum verdict serve(void *self, struct request *r)
{
	struct loop *loop = ((struct loop_worker *)self)->loop;

	if (LIKELY(r->question.type != TYPE_HINFO) || is_over(loop) ||
		!name_equal(&r->question.name, &loop->probe))
		return VERDICT_NEXT;
	if (atomic_fetch_add_explicit(&loop->seen, 1, memory_order_relaxed) == SEEN_MAX)
		end_process(loop, r);
	return VERDICT_NEXT;
}

/* Two labels of digits before the zone; false: there is no room for them. */
static bool make_probe(const struct name *zone, struct name *ret)
{
	struct random random = {0};
	uint64_t numbers[2];
	char text[2 * LABEL_DIGITS + 2];
	struct name labels;

	random_fill(&random, numbers, sizeof(numbers));
	snprintf(text, sizeof(text), "%" PRIu64 ".%" PRIu64, numbers[0] >> (64 - LABEL_BITS),
		numbers[1] >> (64 - LABEL_BITS));
	return name_from_text(text, &labels) && name_join(&labels, zone, ret);
}

static const char *name_text(const struct name *name, struct arena *arena)
{
	char text[NAME_TEXT_MAX];

	name_to_text(name, text);
	return arena_text(arena, text);
}

/* The first address of the block; 127.0.0.1 where it is served at all of them. */
static bool find_address(struct loop *loop, const struct setup *setup, struct error *error)
{
	const char *host = setup->bind->count ? setup->bind->addresses[0] : "";

	if (*host && !address_parse(host, setup->port, &loop->address, error))
		return false;
	if (!*host || address_is_wildcard(&loop->address))
		address_parse("127.0.0.1", setup->port, &loop->address, error);
	loop->at = arena_format(
		setup->arena, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, (unsigned)setup->port);
	return true;
}

static void *setup(struct setup *setup, struct error *error)
{
	struct loop *loop = arena_alloc(setup->arena, sizeof(*loop));
	struct dispenser d;

	dispenser_init(&d, setup->directive, error);
	while (dispenser_next(&d))
		if (!setup_once(setup, &d) || !setup_bare(&d))
			return NULL;
	if (!find_address(loop, setup, error))
		return NULL;
	if (make_probe(&setup->zones.names[0], &loop->probe))
		loop->query = name_text(&loop->probe, setup->arena);
	else
		end(loop);
	loop->zone = name_text(&setup->zones.names[0], setup->arena);
	loop->upstream = (struct upstream_config){.servers = &loop->address,
		.server_count = 1,
		.policy = UPSTREAM_SEQUENTIAL,
		.expire = EXPIRE_NS,
		.read_timeout = TIMEOUT_NS,
		.max_connect_attempts = 1};
	return loop;
}

/* The listeners' sockets are bound before a worker starts: what is sent to them now waits there. */
static void *start(void *config, struct worker *worker)
{
	struct loop_worker *w = memory_zero(1, sizeof(*w));

	w->loop = config;
	w->worker = worker;
	if (worker->index != 0 || is_over(w->loop))
		return w;
	w->group = upstream_start(&w->loop->upstream, worker);
	w->give_up = worker->now + GIVE_UP_NS;
	ask(w);
	return w;
}

static void stop(void *self)
{
	struct loop_worker *w = self;

	if (w->group)
		upstream_stop(w->group);
	memory_free(w);
}

extern const struct plugin plugin_loop;

const struct plugin plugin_loop = {
	.name = "loop",
	.setup = setup,
	.start = start,
	.refresh = refresh,
	.serve = serve,
	.stop = stop,
};
