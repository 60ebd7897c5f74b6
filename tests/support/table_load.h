/* For tests of the service table: manifests -> snapshots, without a thread. */
#ifndef SVCDNS_TESTS_TABLE_LOAD_H
#define SVCDNS_TESTS_TABLE_LOAD_H

#include "../../src/cluster/manifest.h"
#include "../../src/cluster/publish.h"
#include "svcdns/clock.h"
#include "table_text.h"

struct loader {
	struct scratch scratch;
	char path[SCRATCH_PATH_MAX];
	struct feed_config config; /* all of the folder, to be changed before the first load */
	struct object_store *store;
	struct table *table;
	struct manifest_notes notes;
};

static inline void loader_init(struct loader *loader)
{
	*loader = (struct loader){.config = {.endpoints = true, .pods = true}};
	scratch_make(&loader->scratch);
	loader->config.table = loader->scratch.path;
	loader->store = object_store_create(clock_unix);
	loader->table = table_create();
}

static inline void loader_finish(struct loader *loader)
{
	object_store_destroy(loader->store);
	table_destroy(loader->table);
	scratch_remove(&loader->scratch);
}

/* Reads what stands in the folder now. NULL: refused, error set. */
static inline struct snapshot *loader_load(struct loader *loader, struct error *error)
{
	struct snapshot *snapshot = NULL;
	struct files files;

	if (files_list(loader->config.table, &files, error) &&
		manifest_read(&files, &loader->config, loader->store, &loader->notes, error) == MANIFEST_READ)
		snapshot = publish(loader->store, loader->table, SNAPSHOT_ALL, true);
	files_finish(&files);
	return snapshot;
}

/* Writes one file and reads the folder. */
static inline struct snapshot *loader_load_text(
	struct loader *loader, const char *name, const char *text, struct error *error)
{
	scratch_write(&loader->scratch, name, text);
	return loader_load(loader, error);
}

#endif
