/* One thread with a libuv loop owns store and table. It hands each new snapshot to every subscriber through
 * an atomic slot; a snapshot that a subscriber has not taken is replaced there by the next.
 *
 * Snapshots that were replaced are kept until nobody else holds them any more, so that it is this thread, not
 * a worker between two packets, that frees what was in them. */
#include "svcdns/feed.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <uv.h>

#include "manifest.h"
#include "publish.h"
#include "svcdns/clock.h"
#include "svcdns/log.h"
#include "svcdns/memory.h"
#include "table_watch.h"

#define TOPIC	 "plugin/kubernetes"
#define ATTEMPTS 50 /* to read a table that changes meanwhile */

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
	const struct feed_config *config;
	struct object_store *store;
	struct table *table;
	struct manifest_notes notes;
	uint64_t fingerprint; /* of the files that were read last */
	struct retired *retired;
	uv_loop_t loop;
	uv_thread_t thread;
	uv_async_t stop;
	struct table_watch watch;
	_Atomic uint64_t reads, failures;
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

static enum manifest_outcome read_files(struct feed *feed, const struct files *files, struct error *error)
{
	enum manifest_outcome outcome = manifest_read(files, feed->config, feed->store, &feed->notes, error);

	if (outcome != MANIFEST_MOVED)
		atomic_fetch_add_explicit(&feed->reads, 1, memory_order_relaxed);
	return outcome;
}

/* A table that cannot be read is tried again only when it has changed. */
static void count_failure(struct feed *feed, const struct error *error)
{
	log_line(LOG_ERROR, TOPIC, "%s; the last good table stays", error->message);
	atomic_fetch_add_explicit(&feed->failures, 1, memory_order_relaxed);
}

static void publish_changes(struct feed *feed)
{
	struct snapshot *snapshot = publish(feed->store, feed->table, true, false);
	struct snapshot_counts counts;

	if (snapshot) {
		counts = snapshot_counts(snapshot);
		log_line(LOG_INFO, TOPIC,
			"%s: read again: %zu Services, %zu endpoints, %zu Pods, %zu namespaces",
			feed->config->table, counts.services, counts.endpoints, counts.pods,
			counts.namespaces);
		announce(feed, snapshot);
	}
	free_retired(feed, false);
	malloc_trim(0);
}

static void read_again(struct feed *feed, const struct files *files)
{
	struct error error = {""};

	switch (read_files(feed, files, &error)) {
	case MANIFEST_READ:
		feed->fingerprint = files->fingerprint;
		publish_changes(feed);
		break;
	case MANIFEST_BROKEN:
		feed->fingerprint = files->fingerprint;
		count_failure(feed, &error);
		malloc_trim(0);
		break;
	case MANIFEST_MOVED:
		break; /* the change that came between is told in its turn */
	}
}

static void on_change(void *context)
{
	struct feed *feed = context;
	struct error error = {""};
	struct files files;
	bool is_there = files_list(feed->config->table, &files, &error);

	if (files.fingerprint != feed->fingerprint) {
		table_watch_renew(&feed->watch);
		if (is_there) {
			read_again(feed, &files);
		} else {
			feed->fingerprint = files.fingerprint;
			atomic_fetch_add_explicit(&feed->reads, 1, memory_order_relaxed);
			count_failure(feed, &error);
		}
	}
	files_finish(&files);
	free_retired(feed, false);
}

static void on_stop(uv_async_t *stop)
{
	struct feed *feed = stop->data;

	table_watch_close(&feed->watch);
	uv_close((uv_handle_t *)stop, NULL);
}

static void run(void *argument)
{
	struct feed *feed = argument;

	uv_run(&feed->loop, UV_RUN_DEFAULT);
}

/* The first reading, on the caller's thread. */
static bool read_first(struct feed *feed, struct error *error)
{
	enum manifest_outcome outcome = MANIFEST_MOVED;
	struct files files;

	for (int i = 0; i < ATTEMPTS && outcome == MANIFEST_MOVED; i++) {
		bool is_there = files_list(feed->config->table, &files, error);

		if (is_there)
			outcome = read_files(feed, &files, error);
		if (is_there && files.is_folder && !files.count)
			log_line(LOG_WARNING, TOPIC, "%s: no manifests (*.yaml, *.yml, *.json) in there",
				feed->config->table);
		feed->fingerprint = files.fingerprint;
		files_finish(&files);
		if (!is_there)
			return false;
	}
	if (outcome == MANIFEST_MOVED)
		error_set(error, "%s: changes all the time", feed->config->table);
	return outcome == MANIFEST_READ;
}

static void start_thread(struct feed *feed)
{
	if (uv_loop_init(&feed->loop) || uv_async_init(&feed->loop, &feed->stop, on_stop))
		abort(); /* no descriptors or no memory */
	feed->stop.data = feed;
	table_watch_start(&feed->watch, &feed->loop, feed->config->table, on_change, feed);
	if (uv_thread_create(&feed->thread, run, feed))
		abort();
}

static void destroy(struct feed *feed)
{
	snapshot_unref(feed->newest);
	free_retired(feed, true);
	object_store_destroy(feed->store);
	table_destroy(feed->table);
	uv_mutex_destroy(&feed->mutex);
	memory_free(feed);
}

struct feed *feed_open(const struct feed_config *config, struct error *error)
{
	struct feed *feed = memory_zero(1, sizeof(*feed));

	feed->config = config;
	feed->store = object_store_create(clock_unix);
	feed->table = table_create();
	if (uv_mutex_init(&feed->mutex))
		abort();
	if (!read_first(feed, error)) {
		destroy(feed);
		return NULL;
	}
	feed->newest = publish(feed->store, feed->table, true, true);
	malloc_trim(0);
	start_thread(feed);
	return feed;
}

void feed_close(struct feed *feed)
{
	if (!feed)
		return;
	uv_async_send(&feed->stop);
	uv_thread_join(&feed->thread);
	uv_loop_close(&feed->loop);
	table_watch_finish(&feed->watch);
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
	return (struct feed_counts){
		.reads = atomic_load_explicit(&feed->reads, memory_order_relaxed),
		.failures = atomic_load_explicit(&feed->failures, memory_order_relaxed),
	};
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
