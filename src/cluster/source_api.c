/* The Kubernetes API: a follower for each resource that is needed, and the moment at which what they have
 * brought is published: at once if nothing has been for a while, otherwise all that comes within a few
 * milliseconds together.
 *
 * Everything happens on the feed's thread, but wait() and count(): what those look at is guarded by the
 * mutex. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "follower.h"
#include "saved.h"
#include "source.h"
#include "svcdns/interrupt.h"
#include "svcdns/memory.h"
#include "tally.h"

#define COALESCE_NS	(5 * CLOCK_MS)
#define PARTIAL_NS	(250 * CLOCK_MS) /* between two snapshots, while not everything has been listed */
#define BUSY_SHARE	4		 /* publishing takes a fourth of the time at most */
#define COALESCE_MAX_NS (1 * CLOCK_S)
#define TICK_MS		1000
#define SAVE_FIRST_NS	(10 * CLOCK_S) /* after everything has been listed */
#define SAVE_NS		(300 * CLOCK_S)
#define SLICES_MAX	256 /* whose way into a snapshot is measured; of more at once, the rest is not */
#define WAIT_LINE_MS	500 /* a start that takes longer says so */

struct source_api {
	struct feed *feed;
	struct feed_core core;
	struct follower_host host;
	struct follower *followers[OBJECT_KINDS]; /* NULL: not needed */
	uv_timer_t publish, tick;
	uint64_t published_at, publish_cost;
	unsigned synced; /* of the newest snapshot: enum snapshot_part */
	bool is_synced;	 /* all has been listed, and published */
	uint64_t lists;	 /* that had been complete when memory was last given back */
	uint64_t snapshots;
	struct {
		bool is_used; /* the answers come from a saved table, as long as not all has been listed */
		bool has_failed;
		uint64_t age_s, read_at;
		uint64_t next,
			snapshots; /* when it is written again, and if there have been more than these */
	} saved;
	struct feed_counts tally; /* codes and histograms */
	struct {
		double triggered_at;
		bool is_headless;
	} slices[SLICES_MAX]; /* that wait to be published */
	size_t slice_count;
	uv_mutex_t mutex;
	uv_cond_t changed;
	bool is_usable;		   /* all has been listed, or there is a saved table */
	struct feed_counts counts; /* silent_ns: when the last octet came */
};

static bool is_followed(const struct feed_config *config, enum object_kind kind)
{
	if (kind == OBJECT_ENDPOINT_SLICE)
		return config->endpoints;
	return kind != OBJECT_POD || config->pods;
}

static unsigned listed_parts(const struct source_api *self)
{
	static const unsigned parts[OBJECT_KINDS] = {[OBJECT_NAMESPACE] = SNAPSHOT_NAMESPACES,
		[OBJECT_SERVICE] = SNAPSHOT_SERVICES,
		[OBJECT_ENDPOINT_SLICE] = SNAPSHOT_ENDPOINTS,
		[OBJECT_POD] = SNAPSHOT_PODS};
	unsigned listed = 0;

	for (int kind = 0; kind < OBJECT_KINDS; kind++)
		if (!self->followers[kind] || self->followers[kind]->reflector.is_synced)
			listed |= parts[kind];
	return listed;
}

static bool is_all_listed(const struct source_api *self)
{
	return listed_parts(self) == SNAPSHOT_ALL;
}

static unsigned synced_parts(const struct source_api *self)
{
	return self->saved.is_used ? SNAPSHOT_ALL : listed_parts(self);
}

static void count_resource(const struct follower *follower, struct feed_resource *ret)
{
	const struct reflector *reflector = &follower->reflector;

	*ret = (struct feed_resource){
		.name = reflector->resource->name,
		.is_synced = reflector->is_synced,
		.objects = reflector->ledger.count,
		.events = reflector->counts.events,
		.lists = reflector->counts.lists,
		.failures = reflector->counts.failures,
		.broken = reflector->counts.broken,
		.audits = follower->auditor.done,
		.losses = follower->auditor.hits,
		.octets = follower->fetch.octets + follower->auditor.fetch.octets,
		.silent_ns = reflector->heard_at,
	};
	snprintf(ret->failure, sizeof(ret->failure), "%s", reflector->failure);
}

static void export_counts(struct source_api *self)
{
	uv_mutex_lock(&self->mutex);
	for (int kind = 0; kind < OBJECT_KINDS; kind++)
		if (self->followers[kind])
			count_resource(self->followers[kind], &self->counts.resources[kind]);
	for (size_t i = 0; i < FEED_CODES; i++)
		self->counts.codes[i] = self->tally.codes[i];
	self->counts.requests = self->tally.requests;
	self->counts.limiter_waits = self->tally.limiter_waits;
	self->counts.cluster_ip = self->tally.cluster_ip;
	self->counts.headless = self->tally.headless;
	self->counts.snapshots = self->snapshots;
	self->counts.saved_age_s = 0;
	if (self->saved.is_used)
		self->counts.saved_age_s =
			self->saved.age_s + (clock_monotonic() - self->saved.read_at) / CLOCK_S + 1;
	self->is_usable = self->synced == SNAPSHOT_ALL;
	uv_cond_broadcast(&self->changed);
	uv_mutex_unlock(&self->mutex);
}

/* A list leaves memory behind that it needed only while it was read. */
static void trim_after_lists(struct source_api *self)
{
	uint64_t lists = 0;

	for (int kind = 0; kind < OBJECT_KINDS; kind++)
		if (self->followers[kind])
			lists += self->followers[kind]->reflector.counts.lists;
	if (lists != self->lists)
		malloc_trim(0);
	self->lists = lists;
}

static double unix_time(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / (double)CLOCK_S;
}

static void tally_slices(struct source_api *self)
{
	double now = self->slice_count ? unix_time() : 0;

	for (size_t i = 0; i < self->slice_count; i++)
		tally_programming(
			self->slices[i].is_headless ? &self->tally.headless : &self->tally.cluster_ip,
			now - self->slices[i].triggered_at);
	self->slice_count = 0;
}

static void on_slice(void *context, const struct object *slice, double triggered_at)
{
	struct source_api *self = context;
	const struct object *service = object_store_service_of(self->core.store, slice);

	if (!service || self->slice_count == SLICES_MAX)
		return;
	self->slices[self->slice_count].triggered_at = triggered_at;
	self->slices[self->slice_count].is_headless = service->service_kind == SERVICE_HEADLESS;
	self->slice_count++;
}

static void publish_changes(struct source_api *self)
{
	uint64_t begun = clock_monotonic();
	bool is_first = is_all_listed(self) && !self->is_synced;
	struct snapshot_counts counts;
	unsigned synced;

	if (is_first)
		self->saved.is_used = false;
	synced = synced_parts(self);
	if (feed_publish(self->feed, synced, is_first || synced != self->synced, &counts))
		self->snapshots++;
	tally_slices(self);
	if (is_first)
		log_line(LOG_INFO, FEED_TOPIC,
			"synced with %s: %zu Services, %zu endpoints, %zu Pods, %zu namespaces",
			self->core.config->api.access->server, counts.services, counts.endpoints, counts.pods,
			counts.namespaces);
	if (is_first)
		self->saved.next = begun + SAVE_FIRST_NS;
	self->is_synced = self->is_synced || is_first;
	self->synced = synced;
	self->published_at = clock_monotonic();
	self->publish_cost = self->published_at - begun;
	trim_after_lists(self);
	export_counts(self);
}

static void on_publish(uv_timer_t *timer)
{
	publish_changes(timer->data);
}

static uint64_t interval(const struct source_api *self)
{
	uint64_t least = self->is_synced ? COALESCE_NS : PARTIAL_NS;
	uint64_t busy = self->publish_cost * BUSY_SHARE;

	if (busy > COALESCE_MAX_NS)
		busy = COALESCE_MAX_NS;
	return busy > least ? busy : least;
}

static void on_change(void *context)
{
	struct source_api *self = context;
	uint64_t now = clock_monotonic(), next = self->published_at + interval(self), wait = 0;

	if (is_all_listed(self) && !self->is_synced)
		next = now;
	else if (uv_is_active((uv_handle_t *)&self->publish))
		return;
	if (next > now)
		wait = (next - now + CLOCK_MS - 1) / CLOCK_MS;
	uv_timer_start(&self->publish, on_publish, wait, 0);
}

static void on_reached(void *context)
{
	struct source_api *self = context;

	for (int kind = 0; kind < OBJECT_KINDS; kind++)
		if (self->followers[kind])
			follower_hurry(self->followers[kind]);
}

/* What is in the store before everything has been listed is not worth to be kept. */
static void save(struct source_api *self)
{
	const char *path = self->core.config->api.saved;
	struct error error;

	if (!path || !self->is_synced || self->saved.snapshots == self->snapshots)
		return;
	self->saved.next = clock_monotonic() + SAVE_NS;
	if (saved_write(path, self->core.store, self->core.config, clock_unix(), &error)) {
		self->saved.snapshots = self->snapshots;
		self->saved.has_failed = false;
		return;
	}
	if (!self->saved.has_failed)
		log_line(LOG_ERROR, FEED_TOPIC, "snapshot %s", error.message);
	self->saved.has_failed = true;
}

static void on_tick(uv_timer_t *timer)
{
	struct source_api *self = timer->data;

	feed_tidy(self->feed);
	if (clock_monotonic() >= self->saved.next)
		save(self);
	export_counts(self);
}

static void read_saved(struct source_api *self)
{
	const char *path = self->core.config->api.saved;
	struct error error;

	switch (saved_read(
		path, self->core.store, self->core.config, clock_unix(), &self->saved.age_s, &error)) {
	case SAVED_READ:
		self->saved.is_used = true;
		self->saved.read_at = clock_monotonic();
		log_line(LOG_WARNING, FEED_TOPIC,
			"snapshot %s: answering from what was saved %llu s ago, until the API server is "
			"followed",
			path, (unsigned long long)self->saved.age_s);
		break;
	case SAVED_REFUSED:
		log_line(LOG_WARNING, FEED_TOPIC, "snapshot %s, and is ignored", error.message);
		break;
	default:
		break;
	}
}

static void *create(
	struct feed *feed, const struct feed_core *core, unsigned *ret_synced, struct error *error)
{
	struct source_api *self = memory_zero(1, sizeof(*self));
	const struct feed_api *config = &core->config->api;

	(void)error;
	self->feed = feed;
	self->core = *core;
	self->host = (struct follower_host){.loop = core->loop,
		.config = core->config,
		.store = core->store,
		.on_change = on_change,
		.on_reached = on_reached,
		.on_slice = on_slice,
		.counts = &self->tally,
		.context = self};
	limiter_init(&self->host.limiter, config->qps, config->burst, config->max_inflight);
	if (uv_mutex_init(&self->mutex) || uv_cond_init(&self->changed))
		abort();
	if (config->saved)
		read_saved(self);
	*ret_synced = self->synced = self->saved.is_used ? SNAPSHOT_ALL : 0;
	self->is_usable = self->saved.is_used;
	return self;
}

static void start(void *context)
{
	struct source_api *self = context;

	self->host.api = api_create(self->core.loop, self->core.config->api.access);
	uv_timer_init(self->core.loop, &self->publish);
	uv_timer_init(self->core.loop, &self->tick);
	self->publish.data = self->tick.data = self;
	uv_timer_start(&self->tick, on_tick, TICK_MS, TICK_MS);
	for (int kind = 0; kind < OBJECT_KINDS; kind++) {
		if (!is_followed(self->core.config, (enum object_kind)kind))
			continue;
		self->followers[kind] = memory_alloc(sizeof(*self->followers[kind]));
		follower_init(self->followers[kind], &self->host, &resources[kind]);
		follower_start(self->followers[kind]);
	}
}

/* CoreDNS' lines: a server that starts without the API is worth them. */
static void wait_until_synced(void *context)
{
	struct source_api *self = context;
	uint64_t begun = clock_monotonic(), limit = (uint64_t)self->core.config->api.startup_timeout_ns;
	bool has_said = false;

	uv_mutex_lock(&self->mutex);
	while (!self->is_usable && !interrupt_is_requested()) {
		uint64_t passed = clock_monotonic() - begun;

		if (passed >= limit)
			break;
		if (!has_said && passed >= WAIT_LINE_MS * CLOCK_MS) {
			log_line(LOG_INFO, FEED_TOPIC, "waiting for Kubernetes API before starting server");
			has_said = true;
		}
		uv_cond_timedwait(&self->changed, &self->mutex,
			limit - passed < INTERRUPT_STEP_NS ? limit - passed : INTERRUPT_STEP_NS);
	}
	if (!self->is_usable && !interrupt_is_requested())
		log_line(LOG_WARNING, FEED_TOPIC, "starting server with unsynced Kubernetes API");
	uv_mutex_unlock(&self->mutex);
}

static void stop(void *context)
{
	struct source_api *self = context;

	save(self);
	for (int kind = 0; kind < OBJECT_KINDS; kind++)
		if (self->followers[kind])
			follower_close(self->followers[kind]);
	api_close(self->host.api);
	uv_close((uv_handle_t *)&self->publish, NULL);
	uv_close((uv_handle_t *)&self->tick, NULL);
}

static void destroy(void *context)
{
	struct source_api *self = context;

	for (int kind = 0; kind < OBJECT_KINDS; kind++) {
		if (!self->followers[kind])
			continue;
		follower_finish(self->followers[kind]);
		memory_free(self->followers[kind]);
	}
	api_destroy(self->host.api);
	uv_cond_destroy(&self->changed);
	uv_mutex_destroy(&self->mutex);
	memory_free(self);
}

static void count(void *context, struct feed_counts *ret)
{
	struct source_api *self = context;
	uint64_t now = clock_monotonic();

	uv_mutex_lock(&self->mutex);
	*ret = self->counts;
	uv_mutex_unlock(&self->mutex);
	for (size_t i = 0; i < FEED_RESOURCES; i++)
		if (ret->resources[i].name)
			ret->resources[i].silent_ns =
				now > ret->resources[i].silent_ns ? now - ret->resources[i].silent_ns : 0;
}

const struct source source_api = {create, start, wait_until_synced, stop, destroy, count};
