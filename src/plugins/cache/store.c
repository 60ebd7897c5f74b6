/* A shard is a log and an index. The log is a ring of 64-bit words; positions in it only grow, and a value
 * lives from the position where it was written until the tail has passed it. The index has buckets of sixteen
 * slots; a slot holds sixteen bits of the hash and a position.
 *
 * Invariant that readers rely on: the tail moves before words behind it are overwritten. A reader copies a
 * value word by word and looks at the tail afterwards: if it has passed the value's position, the copy is
 * worth nothing and the value is gone. Loads of words acquire and stores release, so that whoever reads an
 * overwritten word sees the moved tail.
 *
 * Compared with a table of allocated items this needs no reclamation, no counts that readers write to, and
 * its memory is what was asked for. The price is that the oldest value goes first, however often it was read.
 */
#include "store.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "svcdns/memory.h"

#define SLOTS	       16 /* in a bucket: two cache lines */
#define SHARDS_MAX     16
#define SHARD_ENTRIES  512 /* fewer than two of these are not worth another shard */
#define HEADER_WORDS   2
#define WORD	       sizeof(uint64_t)
#define POSITION_BITS  48
#define POSITION_MASK  ((UINT64_C(1) << POSITION_BITS) - 1)
#define SMALLEST_WORDS 1024

struct shard {
	_Atomic uint64_t *words; /* the ring; owned */
	_Atomic uint64_t *slots; /* buckets * SLOTS; owned */
	_Atomic uint64_t *notes; /* one for each slot; owned */
	uint64_t size;		 /* words in the ring */
	uint64_t buckets;
	_Atomic uint64_t tail; /* position of the oldest word that is still whole */
	uint64_t head;	       /* position of the next word; guarded by mutex */
	_Atomic size_t count;
	pthread_mutex_t mutex; /* writers */
};

struct store {
	size_t shards;
	struct shard shard[SHARDS_MAX];
};

static size_t words_of(size_t octets)
{
	return (octets + WORD - 1) / WORD;
}

static void shard_init(struct shard *shard, size_t entries, size_t bytes)
{
	shard->size = bytes / WORD > SMALLEST_WORDS ? bytes / WORD : SMALLEST_WORDS;
	shard->buckets = (entries + SLOTS - 1) / SLOTS;
	shard->words = memory_reserve(shard->size * WORD);
	shard->slots = memory_zero(shard->buckets * SLOTS, WORD);
	shard->notes = memory_zero(shard->buckets * SLOTS, WORD);
	shard->head = shard->size; /* no value stands at position 0: an empty slot is 0 */
	shard->tail = shard->size;
	pthread_mutex_init(&shard->mutex, NULL);
}

struct store *store_create(size_t entries, size_t bytes)
{
	struct store *store = memory_zero(1, sizeof(*store));

	entries = entries ? entries : 1;
	store->shards = 1;
	while (store->shards < SHARDS_MAX && entries / store->shards >= 2 * SHARD_ENTRIES)
		store->shards *= 2;
	for (size_t i = 0; i < store->shards; i++)
		shard_init(&store->shard[i], entries / store->shards, bytes / store->shards);
	return store;
}

void store_destroy(struct store *store)
{
	if (!store)
		return;
	for (size_t i = 0; i < store->shards; i++) {
		struct shard *shard = &store->shard[i];

		memory_unreserve((void *)shard->words, shard->size * WORD);
		memory_free((void *)shard->slots);
		memory_free((void *)shard->notes);
		pthread_mutex_destroy(&shard->mutex);
	}
	memory_free(store);
}

/* Where a hash belongs: low bits choose the shard, high ones the bucket, those between are the slot's tag. */
static size_t shard_of(const struct store *store, uint64_t hash)
{
	return (size_t)(hash & (store->shards - 1));
}

static size_t bucket_of(const struct shard *shard, uint64_t hash)
{
	return (size_t)((hash >> 32) * shard->buckets >> 32) * SLOTS;
}

static uint64_t tag_of(uint64_t hash)
{
	return hash >> 8 << POSITION_BITS;
}

static uint64_t load(const struct shard *shard, uint64_t position)
{
	return atomic_load_explicit(&shard->words[position % shard->size], memory_order_acquire);
}

static bool is_alive(const struct shard *shard, uint64_t position)
{
	return position >= atomic_load_explicit(&shard->tail, memory_order_acquire);
}

static void copy_out(const struct shard *shard, uint64_t position, void *out, size_t length)
{
	unsigned char *to = out;

	for (; length >= WORD; length -= WORD, to += WORD, position++) {
		uint64_t word = load(shard, position);

		memcpy(to, &word, WORD);
	}
	if (length) {
		uint64_t word = load(shard, position);

		memcpy(to, &word, length);
	}
}

/* Whether the value at a position is the one under this key. */
static bool has_key(const struct shard *shard, uint64_t position, const struct store_key *key)
{
	const unsigned char *octets = key->octets;
	bool same =
		(load(shard, position) & UINT32_MAX) == key->length && load(shard, position + 1) == key->hash;

	position += HEADER_WORDS;
	for (size_t i = 0; same && i < key->length; i += WORD) {
		uint64_t wanted = 0;

		memcpy(&wanted, octets + i, key->length - i < WORD ? key->length - i : WORD);
		same = load(shard, position + i / WORD) == wanted;
	}
	return same;
}

static bool read_value(const struct shard *shard, uint64_t position, const struct store_key *key, void *out,
	size_t capacity, size_t *ret_length)
{
	size_t length = (size_t)(load(shard, position) >> 32);

	if (length > capacity || !has_key(shard, position, key))
		return false;
	copy_out(shard, position + HEADER_WORDS + words_of(key->length), out, length);
	*ret_length = length;
	return true;
}

struct store_hit store_get(const struct store *store, const struct store_key *key, void *out, size_t capacity)
{
	size_t number = shard_of(store, key->hash);
	const struct shard *shard = &store->shard[number];
	size_t bucket = bucket_of(shard, key->hash);
	struct store_hit hit = {0, STORE_NOWHERE};

	for (size_t i = bucket; i < bucket + SLOTS; i++) {
		uint64_t slot = atomic_load_explicit(&shard->slots[i], memory_order_acquire);
		uint64_t position = slot & POSITION_MASK;

		if ((slot & ~POSITION_MASK) != tag_of(key->hash) || !position || !is_alive(shard, position))
			continue;
		if (!read_value(shard, position, key, out, capacity, &hit.length) ||
			!is_alive(shard, position))
			continue;
		hit.slot = i * SHARDS_MAX + number;
		return hit;
	}
	return hit;
}

_Atomic uint64_t *store_note(const struct store *store, size_t slot)
{
	return &store->shard[slot % SHARDS_MAX].notes[slot / SHARDS_MAX];
}

/* Room for a value that may not wrap round the end of the ring; the tail moves first. */
static uint64_t make_room(struct shard *shard, uint64_t words)
{
	uint64_t left = shard->size - shard->head % shard->size;
	uint64_t position = left < words ? shard->head + left : shard->head;

	shard->head = position + words;
	if (shard->head - atomic_load_explicit(&shard->tail, memory_order_relaxed) > shard->size)
		atomic_store_explicit(&shard->tail, shard->head - shard->size, memory_order_release);
	return position;
}

static void store_word(struct shard *shard, uint64_t position, uint64_t word)
{
	atomic_store_explicit(&shard->words[position % shard->size], word, memory_order_release);
}

static void copy_in(struct shard *shard, uint64_t position, const void *bytes, size_t length)
{
	const unsigned char *from = bytes;

	for (size_t i = 0; i < length; i += WORD) {
		uint64_t word = 0;

		memcpy(&word, from + i, length - i < WORD ? length - i : WORD);
		store_word(shard, position + i / WORD, word);
	}
}

/* The slot for a key: the one that has it, else an empty or outlived one, else the oldest of its bucket. */
static size_t choose_slot(struct shard *shard, const struct store_key *key, enum store_outcome *ret_outcome)
{
	size_t bucket = bucket_of(shard, key->hash), chosen = bucket;
	uint64_t oldest = UINT64_MAX;

	for (size_t i = bucket; i < bucket + SLOTS; i++) {
		uint64_t slot = atomic_load_explicit(&shard->slots[i], memory_order_relaxed);
		uint64_t position = slot & POSITION_MASK;

		if (slot == (tag_of(key->hash) | position) && is_alive(shard, position) &&
			has_key(shard, position, key))
			return i;
		if (position < oldest) {
			oldest = position;
			chosen = i;
		}
	}
	if (!oldest)
		atomic_fetch_add_explicit(&shard->count, 1, memory_order_relaxed);
	else
		*ret_outcome = STORE_EVICTED;
	return chosen;
}

enum store_outcome store_put(
	struct store *store, const struct store_key *key, const void *value, size_t length)
{
	struct shard *shard = &store->shard[shard_of(store, key->hash)];
	uint64_t words = HEADER_WORDS + words_of(key->length) + words_of(length), position;
	enum store_outcome outcome = STORE_PUT;
	size_t slot;

	if (words > shard->size / 4)
		return STORE_TOO_LARGE;
	pthread_mutex_lock(&shard->mutex);
	slot = choose_slot(shard, key, &outcome);
	position = make_room(shard, words);
	store_word(shard, position, (uint64_t)length << 32 | key->length);
	store_word(shard, position + 1, key->hash);
	copy_in(shard, position + HEADER_WORDS, key->octets, key->length);
	copy_in(shard, position + HEADER_WORDS + words_of(key->length), value, length);
	atomic_store_explicit(&shard->notes[slot], 0, memory_order_relaxed);
	atomic_store_explicit(&shard->slots[slot], tag_of(key->hash) | position, memory_order_release);
	pthread_mutex_unlock(&shard->mutex);
	return outcome;
}

size_t store_count(const struct store *store)
{
	size_t sum = 0;

	for (size_t i = 0; i < store->shards; i++)
		sum += atomic_load_explicit(&store->shard[i].count, memory_order_relaxed);
	return sum;
}
