/* What changed in a store -> the next snapshot. One thread. */
#ifndef SVCDNS_CLUSTER_PUBLISH_H
#define SVCDNS_CLUSTER_PUBLISH_H

#include "object_store.h"
#include "svcdns/table.h"

/* The next snapshot, with a reference for the caller; NULL when nothing that a reader could see has changed
 * since the last. With `always` there is one in any case.
 * synced: of enum snapshot_part. */
struct snapshot *publish(struct object_store *store, struct table *table, unsigned synced, bool always);

#endif
