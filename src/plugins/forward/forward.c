/* forward: asks other servers. A block may have several forward directives; a query goes to the first one, in
 * the order of the Corefile, whose zone holds its name. */
#include <string.h>

#include "pool.h"
#include "svcdns/memory.h"
#include "svcdns/worker.h"

struct forwards { /* lifetime: configuration */
	const struct setup *setup;
	const struct directive *directive;
	struct forward **forwards;
	size_t count;
};

struct forward_worker {
	const struct forwards *config;
	struct worker *worker;
	struct upstream_group **groups; /* one for each of config->forwards; owned */
	bool is_stopping;		/* nothing is asked any more */
};

static bool is_for(const struct forward *forward, const struct name *name)
{
	if (!name_is_under(name, &forward->from))
		return false;
	return name_equal(name, &forward->from) || !zones_match(&forward->except, name);
}

/* The first directive from `first` on that takes this name; config->count: none. */
static size_t find(const struct forwards *config, const struct name *name, size_t first)
{
	while (first < config->count && !is_for(config->forwards[first], name))
		first++;
	return first;
}

/* Whether the answer of one directive sends the query on to the next. CoreDNS asks the next one in the
 * Corefile, whatever its zone; it passes on itself where that does not fit. */
static bool wants_next(const struct forward *forward, const struct request *r)
{
	if (r->bare && r->error[0])
		return false;
	if (forward->next_on_nodata && r->rcode == RCODE_NOERROR && !r->reply.count[SECTION_ANSWER])
		return true;
	for (size_t i = 0; i < forward->next_count; i++)
		if (forward->next[i] == r->rcode)
			return true;
	return false;
}

static void on_done(void *context, struct request *r);

static enum verdict ask(struct forward_worker *w, struct request *r, size_t index)
{
	*(size_t *)request_state(r) = index;
	return upstream_ask(w->groups[index], r, on_done, w);
}

static void on_done(void *context, struct request *r)
{
	struct forward_worker *w = context;
	size_t index = *(size_t *)request_state(r), next;

	if (!w->is_stopping && wants_next(w->config->forwards[index], r)) {
		next = find(w->config, &r->question.name, index + 1);
		if (next < w->config->count && ask(w, r, next) == VERDICT_PENDING)
			return;
	}
	request_resume(r, VERDICT_ANSWERED);
}

static enum verdict serve(void *self, struct request *r)
{
	struct forward_worker *w = self;
	size_t index = find(w->config, &r->question.name, 0);

	if (index == w->config->count)
		return VERDICT_NEXT;
	if (!request_may_wait(r))
		return request_fail(r, RCODE_SERVFAIL, "too many queries are waiting");
	if (w->is_stopping)
		return request_fail(r, RCODE_SERVFAIL, "the server is going down");
	return ask(w, r, index);
}

static void add(struct forwards *config, struct arena *arena, struct forward *forward)
{
	struct forward **all = arena_alloc(arena, (config->count + 1) * sizeof(struct forward *));

	if (config->count)
		memcpy(all, config->forwards, config->count * sizeof(struct forward *));
	all[config->count++] = forward;
	config->forwards = all;
}

static void *setup(struct setup *setup, struct error *error)
{
	struct forwards *config = arena_alloc(setup->arena, sizeof(*config));
	struct dispenser d;

	config->setup = setup;
	config->directive = setup->directive;
	dispenser_init(&d, setup->directive, error);
	while (dispenser_next(&d)) {
		struct forward *forward = forward_read(setup, &d);

		if (!forward)
			return NULL;
		add(config, setup->arena, forward);
	}
	return config;
}

/* The one that was asked last, whether it has answered or not. */
static bool find_label(void *self, const struct request *r, const char *label, char ret[METADATA_MAX])
{
	(void)self;
	if (strcmp(label, "forward/upstream") != 0 || r->upstream.any.sa_family == AF_UNSPEC)
		return false;
	address_text(&r->upstream, ret);
	return true;
}

static bool take_pools(void *config, struct error *error)
{
	struct forwards *forwards = config;

	(void)error;
	for (size_t i = 0; i < forwards->count; i++)
		forwards->forwards[i]->pool =
			pool_take(forwards->setup, forwards->directive, i, &forwards->forwards[i]->upstream);
	return true;
}

static void release_pools(void *config)
{
	const struct forwards *forwards = config;

	for (size_t i = 0; i < forwards->count; i++)
		pool_release(forwards->setup, forwards->forwards[i]->pool);
}

static void *start(void *config, struct worker *worker)
{
	struct forward_worker *w = memory_zero(1, sizeof(*w));

	w->config = config;
	w->worker = worker;
	w->groups = memory_zero(w->config->count, sizeof(struct upstream_group *));
	for (size_t i = 0; i < w->config->count; i++)
		w->groups[i] = pool_start(w->config->forwards[i]->pool, worker);
	return w;
}

static void stop(void *self)
{
	struct forward_worker *w = self;

	w->is_stopping = true;
	for (size_t i = 0; i < w->config->count; i++)
		pool_stop(w->config->forwards[i]->pool, w->worker, w);
	memory_free(w->groups);
	memory_free(w);
}

extern const struct plugin plugin_forward;

const struct plugin plugin_forward = {
	.name = "forward",
	.state_size = sizeof(size_t),
	.takes_any_class = true,
	.families = upstream_families,
	.setup = setup,
	.open = take_pools,
	.start = start,
	.serve = serve,
	.find_label = find_label,
	.stop = stop,
	.close = release_pools,
};
