/* The writing side of the service table: collects changes and makes the next snapshot of the last one. One thread. */
#ifndef SVCDNS_TABLE_H
#define SVCDNS_TABLE_H

#include "svcdns/snapshot.h"

struct namespace {
	struct shared shared;
	uint8_t       length;
	uint8_t       name[63];
};

struct table;

struct table *table_create(void);
void          table_destroy(struct table *table);       /* accepts NULL; snapshots live on */

/* What service->hash has to be; the labels have 63 octets at most. */
uint64_t table_hash(const struct table *table, const uint8_t *namespace, size_t namespace_length, const uint8_t *name,
	size_t name_length);

/* From the next snapshot on `fresh` stands in place of `old`; either may be NULL. The table does not take the caller's
 * references, which have to last until table_publish(). */
void table_change_service(struct table *table, struct service *old, struct service *fresh);
void table_change_pod(struct table *table, struct pod *old, struct pod *fresh);
void table_change_namespace(struct table *table, struct namespace *old, struct namespace *fresh);

/* The next snapshot: a reference for the caller. synced: of enum snapshot_part. */
struct snapshot *table_publish(struct table *table, uint32_t serial, unsigned synced);

/* True if the caller's is the only reference to it. */
bool snapshot_is_mine(const struct snapshot *snapshot);

#endif
