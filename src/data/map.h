/* An immutable hash multimap: 64-bit hash -> 64-bit value, in shards that versions of the map share. A new
 * version is made of an old one and a list of changes, and copies only the shards that change. */
#ifndef SVCDNS_DATA_MAP_H
#define SVCDNS_DATA_MAP_H

#include "svcdns/shared.h"

struct map_entry {
	uint64_t hash, value;
};

struct map_shard;

struct map_place { /* in the directory; count stands here, so that a look-up need not touch the shard's header
		    */
	struct map_shard *shard; /* NULL: an empty one */
	uint32_t count;
};

struct map {			  /* a zeroed one is an empty map */
	struct map_place *places; /* 1 << bits of them */
	size_t count;		  /* entries */
	unsigned bits;
	bool holds_shared; /* values are pointers to memory that begins with a struct shared */
};

struct map_change {
	uint64_t hash, value;
	int32_t delta; /* 1: one such entry more; -1: one less */
};

/* Puts the next version into *ret; `old` stays as it is. The changes are sorted in place; a removal must name
 * an entry that is there, or one that the same changes add. */
void map_apply(const struct map *old, struct map_change *changes, size_t count, struct map *ret);
void map_finish(struct map *map);

/* The entries with this hash, side by side and ordered by value: returns how many. */
size_t map_find(const struct map *map, uint64_t hash, const struct map_entry **ret_first);
/* Ask for the memory that map_find() will read, one after the other. */
void map_prefetch_directory(const struct map *map, uint64_t hash);
void map_prefetch(const struct map *map, uint64_t hash);
/* All entries: *cursor begins at 0; NULL: no more. */
const struct map_entry *map_each(const struct map *map, uint64_t *cursor);

#endif
