/* Manifest files. They are read once before the feed is there, and again after every change. Invariant:
 * `fingerprint` is that of the files that were read last, whether they were good or not: a table that cannot
 * be read is tried again only when it has changed. */
#include <malloc.h>
#include <stdatomic.h>

#include "manifest.h"
#include "source.h"
#include "svcdns/log.h"
#include "svcdns/memory.h"
#include "table_watch.h"

#define ATTEMPTS 50 /* to read a table that changes meanwhile */

struct source_files {
	struct feed *feed;
	struct feed_core core;
	struct manifest_notes notes;
	uint64_t fingerprint;
	struct table_watch watch;
	_Atomic uint64_t reads, failures;
};

static enum manifest_outcome read_files(
	struct source_files *self, const struct files *files, struct error *error)
{
	enum manifest_outcome outcome =
		manifest_read(files, self->core.config, self->core.store, &self->notes, error);

	if (outcome != MANIFEST_MOVED)
		atomic_fetch_add_explicit(&self->reads, 1, memory_order_relaxed);
	return outcome;
}

static void count_failure(struct source_files *self, const struct error *error)
{
	log_line(LOG_ERROR, FEED_TOPIC, "%s; the last good table stays", error->message);
	atomic_fetch_add_explicit(&self->failures, 1, memory_order_relaxed);
}

static void publish_changes(struct source_files *self)
{
	struct snapshot_counts counts;

	if (feed_publish(self->feed, SNAPSHOT_ALL, false, &counts))
		log_line(LOG_INFO, FEED_TOPIC,
			"%s: read again: %zu Services, %zu endpoints, %zu Pods, %zu namespaces",
			self->core.config->table, counts.services, counts.endpoints, counts.pods,
			counts.namespaces);
	malloc_trim(0);
}

static void read_again(struct source_files *self, const struct files *files)
{
	struct error error = {""};

	switch (read_files(self, files, &error)) {
	case MANIFEST_READ:
		self->fingerprint = files->fingerprint;
		publish_changes(self);
		break;
	case MANIFEST_BROKEN:
		self->fingerprint = files->fingerprint;
		count_failure(self, &error);
		malloc_trim(0);
		break;
	case MANIFEST_MOVED:
		break; /* the change that came between is told in its turn */
	}
}

static void on_change(void *context)
{
	struct source_files *self = context;
	struct error error = {""};
	struct files files;
	bool is_there = files_list(self->core.config->table, &files, &error);

	if (files.fingerprint != self->fingerprint) {
		table_watch_renew(&self->watch);
		if (is_there) {
			read_again(self, &files);
		} else {
			self->fingerprint = files.fingerprint;
			atomic_fetch_add_explicit(&self->reads, 1, memory_order_relaxed);
			count_failure(self, &error);
		}
	}
	files_finish(&files);
	feed_tidy(self->feed);
}

static bool read_first(struct source_files *self, struct error *error)
{
	enum manifest_outcome outcome = MANIFEST_MOVED;
	const char *table = self->core.config->table;
	struct files files;

	for (int i = 0; i < ATTEMPTS && outcome == MANIFEST_MOVED; i++) {
		bool is_there = files_list(table, &files, error);

		if (is_there)
			outcome = read_files(self, &files, error);
		if (is_there && files.is_folder && !files.count)
			log_line(LOG_WARNING, FEED_TOPIC, "%s: no manifests (*.yaml, *.yml, *.json) in there",
				table);
		self->fingerprint = files.fingerprint;
		files_finish(&files);
		if (!is_there)
			return false;
	}
	if (outcome == MANIFEST_MOVED)
		error_set(error, "%s: changes all the time", table);
	return outcome == MANIFEST_READ;
}

static void *create(
	struct feed *feed, const struct feed_core *core, unsigned *ret_synced, struct error *error)
{
	struct source_files *self = memory_zero(1, sizeof(*self));

	self->feed = feed;
	self->core = *core;
	*ret_synced = SNAPSHOT_ALL;
	if (read_first(self, error))
		return self;
	memory_free(self);
	return NULL;
}

static void start(void *context)
{
	struct source_files *self = context;

	table_watch_start(&self->watch, self->core.loop, self->core.config->table, on_change, self);
}

static void stop(void *context)
{
	struct source_files *self = context;

	table_watch_close(&self->watch);
}

static void destroy(void *context)
{
	struct source_files *self = context;

	table_watch_finish(&self->watch);
	memory_free(self);
}

static void count(void *context, struct feed_counts *ret)
{
	struct source_files *self = context;

	ret->reads = atomic_load_explicit(&self->reads, memory_order_relaxed);
	ret->failures = atomic_load_explicit(&self->failures, memory_order_relaxed);
}

const struct source source_files = {create, start, NULL, stop, destroy, count};
