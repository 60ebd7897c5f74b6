/* What stands in a snapshot: shared by those who read it and by the table that makes it. */
#ifndef SVCDNS_DATA_VIEW_H
#define SVCDNS_DATA_VIEW_H

#include "map.h"

#include "svcdns/hash.h"
#include "svcdns/snapshot.h"

struct snapshot {
	struct shared shared;
	uint32_t serial;
	unsigned synced;       /* enum snapshot_part */
	struct hash_key key;   /* the same in all snapshots of a table */
	struct map services;   /* hash of namespace and name -> struct service */
	struct map addresses;  /* hash of an address -> hash of a service that has it, once for each time */
	struct map pods;       /* hash of an address -> struct pod */
	struct map namespaces; /* hash of a name -> struct namespace */
	struct snapshot_counts counts;
	size_t hidden; /* Services, SERVICE_ABSENT among them, without a namespace in `namespaces` */
};

uint64_t view_hash_name(const struct hash_key *key, const uint8_t *namespace, size_t namespace_length,
	const uint8_t *name, size_t name_length);
uint64_t view_hash_address(const struct hash_key *key, const uint8_t address[16], uint8_t family);

#endif
