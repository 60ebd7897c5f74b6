/* One thread with a libuv loop owns store and table; a source fills the store. Each new snapshot is handed to
 * every subscriber through an atomic slot; a snapshot that a subscriber has not taken is replaced there by
 * the next.
 *
 * Snapshots that were replaced are kept until nobody else holds them any more, so that it is this thread, not
 * a worker between two packets, that frees what was in them. */
#include "svcdns/feed.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "publish.h"
#include "source.h"
#include "svcdns/clock.h"
#include "svcdns/memory.h"

struct feed_subscriber {
	struct feed *feed;
	struct feed_subscriber *next;
	_Atomic(struct snapshot *) offer; /* holds a reference */
};

struct retired {
	struct retired *next;
	struct snapshot *snapshot;
};

struct feed {
	struct feed_core core;
	const struct source *source;
	void *source_self;
	struct table *table;
	struct retired *retired;
	uv_loop_t loop;
	uv_thread_t thread;
	uv_async_t stop;
	uv_mutex_t mutex; /* guards what is below */
	struct snapshot *newest;
	struct feed_subscriber *subscribers;
};

static void offer(struct feed_subscriber *subscriber, struct snapshot *snapshot)
{
	if (snapshot)
		snapshot_ref(snapshot);
	snapshot_unref(atomic_exchange_explicit(&subscriber->offer, snapshot, memory_order_acq_rel));
}

static void free_retired(struct feed *feed, bool all)
{
	struct retired **at = &feed->retired;

	while (*at) {
		struct retired *retired = *at;

		if (!all && !snapshot_is_mine(retired->snapshot)) {
			at = &retired->next;
			continue;
		}
		*at = retired->next;
		snapshot_unref(retired->snapshot);
		memory_free(retired);
	}
}

static void retire(struct feed *feed, struct snapshot *snapshot)
{
	struct retired *retired;

	if (!snapshot)
		return;
	retired = memory_alloc(sizeof(*retired));
	retired->snapshot = snapshot;
	retired->next = feed->retired;
	feed->retired = retired;
}

static void announce(struct feed *feed, struct snapshot *snapshot)
{
	struct snapshot *old;

	uv_mutex_lock(&feed->mutex);
	old = feed->newest;
	feed->newest = snapshot;
	for (struct feed_subscriber *s = feed->subscribers; s; s = s->next)
		offer(s, snapshot);
	uv_mutex_unlock(&feed->mutex);
	retire(feed, old);
}

bool feed_publish(struct feed *feed, unsigned synced, bool always, struct snapshot_counts *ret_counts)
{
	struct snapshot *snapshot = publish(feed->core.store, feed->table, synced, always);

	if (snapshot) {
		*ret_counts = snapshot_counts(snapshot);
		announce(feed, snapshot);
	}
	free_retired(feed, false);
	return snapshot;
}

bool feed_tidy(struct feed *feed)
{
	free_retired(feed, false);
	return feed->retired;
}

static void on_stop(uv_async_t *stop)
{
	struct feed *feed = stop->data;

	feed->source->stop(feed->source_self);
	uv_close((uv_handle_t *)stop, NULL);
}

static void run(void *argument)
{
	struct feed *feed = argument;

	uv_run(&feed->loop, UV_RUN_DEFAULT);
}

static void start_thread(struct feed *feed)
{
	if (uv_async_init(&feed->loop, &feed->stop, on_stop))
		abort(); /* no descriptors or no memory */
	feed->stop.data = feed;
	feed->source->start(feed->source_self);
	if (uv_thread_create(&feed->thread, run, feed))
		abort();
}

static struct feed *create(const struct feed_config *config)
{
	struct feed *feed = memory_zero(1, sizeof(*feed));

	if (uv_loop_init(&feed->loop) || uv_mutex_init(&feed->mutex))
		abort(); /* no descriptors or no memory */
	feed->core.config = config;
	feed->core.store = object_store_create(clock_unix);
	feed->core.loop = &feed->loop;
	feed->source = config->table ? &source_files : &source_api;
	feed->table = table_create();
	return feed;
}

static void destroy(struct feed *feed)
{
	uv_loop_close(&feed->loop);
	if (feed->source_self)
		feed->source->destroy(feed->source_self);
	snapshot_unref(feed->newest);
	free_retired(feed, true);
	object_store_destroy(feed->core.store);
	table_destroy(feed->table);
	uv_mutex_destroy(&feed->mutex);
	memory_free(feed);
}

struct feed *feed_open(const struct feed_config *config, struct error *error)
{
	struct feed *feed = create(config);
	unsigned synced = 0;

	feed->source_self = feed->source->create(feed, &feed->core, &synced, error);
	if (!feed->source_self) {
		destroy(feed);
		return NULL;
	}
	feed->newest = publish(feed->core.store, feed->table, synced, true);
	malloc_trim(0);
	start_thread(feed);
	if (feed->source->wait)
		feed->source->wait(feed->source_self);
	return feed;
}

void feed_close(struct feed *feed)
{
	if (!feed)
		return;
	uv_async_send(&feed->stop);
	uv_thread_join(&feed->thread);
	destroy(feed);
}

bool feed_is_synced(struct feed *feed)
{
	bool is_synced;

	uv_mutex_lock(&feed->mutex);
	is_synced = snapshot_is_synced(feed->newest);
	uv_mutex_unlock(&feed->mutex);
	return is_synced;
}

struct feed_counts feed_counts(const struct feed *feed)
{
	struct feed_counts counts = {0};

	feed->source->count(feed->source_self, &counts);
	return counts;
}

struct feed_subscriber *feed_subscribe(struct feed *feed)
{
	struct feed_subscriber *subscriber = memory_zero(1, sizeof(*subscriber));

	subscriber->feed = feed;
	uv_mutex_lock(&feed->mutex);
	subscriber->next = feed->subscribers;
	feed->subscribers = subscriber;
	offer(subscriber, feed->newest);
	uv_mutex_unlock(&feed->mutex);
	return subscriber;
}

void feed_unsubscribe(struct feed_subscriber *subscriber)
{
	struct feed_subscriber **at;

	if (!subscriber)
		return;
	at = &subscriber->feed->subscribers;
	uv_mutex_lock(&subscriber->feed->mutex);
	while (*at != subscriber)
		at = &(*at)->next;
	*at = subscriber->next;
	uv_mutex_unlock(&subscriber->feed->mutex);
	offer(subscriber, NULL);
	memory_free(subscriber);
}

struct snapshot *feed_take(struct feed_subscriber *subscriber)
{
	if (!atomic_load_explicit(&subscriber->offer, memory_order_relaxed))
		return NULL;
	return atomic_exchange_explicit(&subscriber->offer, NULL, memory_order_acquire);
}
