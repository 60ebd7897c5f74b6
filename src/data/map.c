/* Shards are chosen by the topmost bits of a hash, and sorted by hash and value: the map as a whole is one
 * sorted sequence, cut at fixed hashes. Making a new version is therefore one merge with the sorted changes,
 * also when the number of shards changes. A look-up guesses the place in a shard from the next bits of the
 * hash, which are uniform as SipHash makes them, and walks the few steps from there.
 *
 * Invariant: 8 to 48 entries per shard on average, so that a look-up costs the same at any size.
 * A map owns its directory and one reference to each shard; a shard holds one reference to each of its shared
 * values. */
#include "map.h"

#include <stdlib.h>
#include <string.h>

#include "svcdns/memory.h"

#define SHARD_MIN    8
#define SHARD_WANTED 32
#define SHARD_MAX    48

struct map_shard {
	struct shared shared;
	uint32_t count;
	struct map_entry entries[];
};

static const struct map_place nowhere;

struct walk { /* over the entries of a map in their order */
	const struct map *map;
	size_t shard;
	uint32_t index;
};

struct merge {
	struct walk old;
	const struct map_change *change, *changes_end;
	struct map_entry *entries; /* of the shard in the making */
	uint32_t count, capacity;
};

static size_t shard_of(uint64_t hash, unsigned bits)
{
	return bits ? (size_t)(hash >> (64 - bits)) : 0;
}

static int compare(uint64_t a_hash, uint64_t a_value, uint64_t b_hash, uint64_t b_value)
{
	if (a_hash != b_hash)
		return a_hash < b_hash ? -1 : 1;
	if (a_value != b_value)
		return a_value < b_value ? -1 : 1;
	return 0;
}

static int compare_changes(const void *a, const void *b)
{
	const struct map_change *left = a, *right = b;

	return compare(left->hash, left->value, right->hash, right->value);
}

/* Sorts the changes and makes one of those of the same entry; what comes to nothing is dropped. Returns how
 * many are left. */
static size_t condense(struct map_change *changes, size_t count, int64_t *ret_delta)
{
	size_t kept = 0;

	*ret_delta = 0;
	if (count)
		qsort(changes, count, sizeof(*changes), compare_changes);
	for (size_t i = 0; i < count;) {
		struct map_change sum = changes[i];

		for (i++; i < count && compare_changes(&sum, &changes[i]) == 0; i++)
			sum.delta += changes[i].delta;
		*ret_delta += sum.delta;
		if (sum.delta)
			changes[kept++] = sum;
	}
	return kept;
}

static unsigned choose_bits(unsigned bits, size_t count)
{
	if (count <= (size_t)SHARD_MAX << bits && (bits == 0 || count >= (size_t)SHARD_MIN << bits))
		return bits;
	for (bits = 0; count > (size_t)SHARD_WANTED << bits;)
		bits++;
	return bits;
}

static void ref_value(uint64_t value)
{
	shared_ref((struct shared *)(uintptr_t)value);
}

static void unref_value(uint64_t value)
{
	struct shared *shared = (struct shared *)(uintptr_t)value;

	if (shared_drop(shared))
		memory_free(shared);
}

static void shard_unref(struct map_shard *shard, bool holds_shared)
{
	if (!shard || !shared_drop(&shard->shared))
		return;
	for (uint32_t i = 0; holds_shared && i < shard->count; i++)
		unref_value(shard->entries[i].value);
	memory_free(shard);
}

static struct map_shard *shard_create(const struct merge *merge, bool holds_shared)
{
	size_t size = merge->count * sizeof(merge->entries[0]);
	struct map_shard *shard;

	if (!merge->count)
		return NULL;
	shard = memory_alloc(sizeof(*shard) + size);
	shared_init(&shard->shared);
	shard->count = merge->count;
	memcpy(shard->entries, merge->entries, size);
	for (uint32_t i = 0; holds_shared && i < shard->count; i++)
		ref_value(shard->entries[i].value);
	return shard;
}

/* The entry the walk stands at; NULL at its end. */
static const struct map_entry *walk_at(struct walk *walk)
{
	size_t shards = walk->map->places ? (size_t)1 << walk->map->bits : 0;

	for (; walk->shard < shards; walk->shard++, walk->index = 0) {
		const struct map_place *place = &walk->map->places[walk->shard];

		if (walk->index < place->count)
			return &place->shard->entries[walk->index];
	}
	return NULL;
}

static void add_entry(struct merge *merge, uint64_t hash, uint64_t value)
{
	if (merge->count == merge->capacity) {
		merge->capacity = merge->capacity ? merge->capacity * 2 : 2 * SHARD_MAX;
		merge->entries = memory_resize(merge->entries, merge->capacity * sizeof(merge->entries[0]));
	}
	merge->entries[merge->count++] = (struct map_entry){hash, value};
}

/* All entries equal to the next change: old ones and the change together. */
static void merge_change(struct merge *merge)
{
	const struct map_change *change = merge->change++;
	const struct map_entry *old = walk_at(&merge->old);
	int64_t copies = change->delta;

	for (; old && compare(old->hash, old->value, change->hash, change->value) == 0;
		old = walk_at(&merge->old)) {
		merge->old.index++;
		copies++;
	}
	assert(copies >= 0);
	for (; copies > 0; copies--)
		add_entry(merge, change->hash, change->value);
}

/* Takes the entries of one new shard from the old map and the changes. */
static void merge_shard(struct merge *merge, size_t shard, unsigned bits)
{
	merge->count = 0;
	for (;;) {
		const struct map_entry *old = walk_at(&merge->old);
		const struct map_change *change = merge->change < merge->changes_end ? merge->change : NULL;

		if (old && shard_of(old->hash, bits) != shard)
			old = NULL;
		if (change && shard_of(change->hash, bits) != shard)
			change = NULL;
		if (change && (!old || compare(change->hash, change->value, old->hash, old->value) <= 0)) {
			merge_change(merge);
		} else if (old) {
			add_entry(merge, old->hash, old->value);
			merge->old.index++;
		} else {
			return;
		}
	}
}

static struct map_shard *next_shard(struct merge *merge, size_t i, const struct map *fresh)
{
	const struct map *old = merge->old.map;
	bool changes = merge->change < merge->changes_end && shard_of(merge->change->hash, fresh->bits) == i;
	struct map_shard *shard;

	if (changes || fresh->bits != old->bits || !old->places) {
		merge_shard(merge, i, fresh->bits);
		return shard_create(merge, fresh->holds_shared);
	}
	shard = old->places[i].shard;
	if (shard)
		shared_ref(&shard->shared);
	merge->old.shard = i + 1;
	merge->old.index = 0;
	return shard;
}

void map_apply(const struct map *old, struct map_change *changes, size_t count, struct map *ret)
{
	int64_t delta;
	size_t kept = condense(changes, count, &delta);
	struct map fresh = {.holds_shared = old->holds_shared, .count = old->count + (size_t)delta};
	struct merge merge = {
		.old.map = old, .change = changes, .changes_end = kept ? changes + kept : changes};

	fresh.bits = choose_bits(old->bits, fresh.count);
	fresh.places = memory_alloc(sizeof(struct map_place) << fresh.bits);
	for (size_t i = 0; i < (size_t)1 << fresh.bits; i++) {
		struct map_shard *shard = next_shard(&merge, i, &fresh);

		fresh.places[i] = (struct map_place){shard, shard ? shard->count : 0};
	}
	memory_free(merge.entries);
	*ret = fresh;
}

void map_finish(struct map *map)
{
	for (size_t i = 0; map->places && i < (size_t)1 << map->bits; i++)
		shard_unref(map->places[i].shard, map->holds_shared);
	memory_free(map->places);
	*map = (struct map){0};
}

static const struct map_place *place_of(const struct map *map, uint64_t hash)
{
	return map->places ? &map->places[shard_of(hash, map->bits)] : &nowhere;
}

static uint32_t guess(const struct map *map, const struct map_place *place, uint64_t hash)
{
	return (uint32_t)(((hash << map->bits) >> 32) * place->count >> 32);
}

void map_prefetch_directory(const struct map *map, uint64_t hash)
{
	__builtin_prefetch(place_of(map, hash));
}

void map_prefetch(const struct map *map, uint64_t hash)
{
	const struct map_place *place = place_of(map, hash);

	if (place->count)
		__builtin_prefetch(&place->shard->entries[guess(map, place, hash)]);
}

size_t map_find(const struct map *map, uint64_t hash, const struct map_entry **ret_first)
{
	const struct map_place *place = place_of(map, hash);
	const struct map_entry *entries;
	uint32_t first, last;

	if (!place->count)
		return 0;
	entries = place->shard->entries;
	first = guess(map, place, hash);
	while (first > 0 && entries[first - 1].hash >= hash)
		first--;
	while (first < place->count && entries[first].hash < hash)
		first++;
	for (last = first; last < place->count && entries[last].hash == hash;)
		last++;
	*ret_first = &entries[first];
	return last - first;
}

const struct map_entry *map_each(const struct map *map, uint64_t *cursor)
{
	struct walk walk = {map, (size_t)(*cursor >> 32), (uint32_t)*cursor};
	const struct map_entry *entry = walk_at(&walk);

	*cursor = (uint64_t)walk.shard << 32 | (walk.index + 1);
	return entry;
}
