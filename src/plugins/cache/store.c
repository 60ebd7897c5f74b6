/* A shard is a log and an index. The log is a ring of 64-bit words; positions in it only grow, and a value
 * lives from the position where it was written until the tail has passed it. The index has buckets of sixteen
 * slots, twice as many slots as there may be values, so that hardly ever a bucket is full before the shard
 * is; a slot holds sixteen bits of the hash and a position.
 *
 * The oldest value makes room. If it has been read since it was written it is written once more instead, as
 * long as that does not keep a writer for long: what is in use stays, though others come and go.
 *
 * Invariant that readers rely on: the tail moves before words behind it are overwritten. A reader copies a
 * value word by word and looks at the tail afterwards: if it has passed the value's position, the copy is
 * worth nothing and the value is gone. Loads of words acquire and stores release, so that whoever reads an
 * overwritten word sees the moved tail. However often writers lap a reader, the tail is past the value then,
 * since positions never come again: 48 bits of them are two petabytes that one shard has taken in. (Beyond
 * that, whatever is put there counts as outlived.)
 *
 * Compared with a table of allocated items this needs no reclamation, no counts that readers write to, and
 * its memory is what was asked for. */
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
#define WORDS_A_LINE   8
#define PREFETCHED     32 /* words of a value: most have fewer */
#define SMALLEST_WORDS 1024
#define FILLER	       UINT64_MAX /* in place of a header: the log goes on at the beginning of the ring */
#define SPARED_MAX     16	  /* values that a writer writes once more for one of its own */

struct shard {
	_Atomic uint64_t *words;  /* the ring; owned */
	_Atomic uint64_t *slots;  /* buckets * SLOTS; owned, as all that follow */
	_Atomic uint64_t *notes;  /* one for each slot */
	_Atomic uint8_t *is_read; /* for each slot: its value has been found since it was written */
	uint64_t size;		  /* words in the ring */
	uint64_t buckets;
	size_t entries;	       /* values that there may be */
	_Atomic uint64_t tail; /* position of the oldest word that is still whole */
	uint64_t head;	       /* position of the next word; guarded by mutex, as are the spare words */
	uint64_t *spare;       /* a value that is moved: as many words as the largest may have */
	_Atomic size_t count;
	size_t evictions;      /* guarded by mutex */
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

/* Of the largest value with its key and header. */
static uint64_t words_max(const struct shard *shard)
{
	return shard->size / 4;
}

static void shard_init(struct shard *shard, size_t entries, size_t bytes)
{
	shard->size = bytes / WORD > SMALLEST_WORDS ? bytes / WORD : SMALLEST_WORDS;
	shard->entries = entries;
	shard->buckets = (2 * entries + SLOTS - 1) / SLOTS;
	shard->words = memory_reserve(shard->size * WORD);
	shard->spare = memory_reserve(words_max(shard) * WORD);
	shard->slots = memory_zero(shard->buckets * SLOTS, WORD);
	shard->notes = memory_zero(shard->buckets * SLOTS, WORD);
	shard->is_read = memory_zero(shard->buckets * SLOTS, 1);
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
		memory_free((void *)shard->is_read);
		memory_unreserve(shard->spare, words_max(shard) * WORD);
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

void store_prefetch_index(const struct store *store, uint64_t hash)
{
	const struct shard *shard = &store->shard[shard_of(store, hash)];
	const _Atomic uint64_t *bucket = &shard->slots[bucket_of(shard, hash)];

	__builtin_prefetch((const void *)bucket);
	__builtin_prefetch((const void *)(bucket + SLOTS / 2));
}

void store_prefetch_value(const struct store *store, uint64_t hash)
{
	const struct shard *shard = &store->shard[shard_of(store, hash)];
	size_t bucket = bucket_of(shard, hash);

	for (size_t i = bucket; i < bucket + SLOTS; i++) {
		uint64_t slot = atomic_load_explicit(&shard->slots[i], memory_order_relaxed);

		if ((slot & ~POSITION_MASK) != tag_of(hash))
			continue;
		for (uint64_t word = 0; word < PREFETCHED; word += WORDS_A_LINE)
			__builtin_prefetch(
				(const void *)&shard->words[((slot & POSITION_MASK) + word) % shard->size]);
		return;
	}
}

/* Sets a mark that readers share: written only if it is not there yet, so that it costs nothing as a rule. */
static void mark_read(const struct shard *shard, size_t slot)
{
	if (!atomic_load_explicit(&shard->is_read[slot], memory_order_relaxed))
		atomic_store_explicit(&shard->is_read[slot], 1, memory_order_relaxed);
}

/* The slot in which the value was found; STORE_NOWHERE. *ret_has_moved: it was there, but not any more when
 * it was copied. */
static size_t find(const struct shard *shard, const struct store_key *key, void *out, size_t capacity,
	size_t *ret_length, bool *ret_has_moved)
{
	size_t bucket = bucket_of(shard, key->hash);

	*ret_has_moved = false;
	for (size_t i = bucket; i < bucket + SLOTS; i++) {
		uint64_t slot = atomic_load_explicit(&shard->slots[i], memory_order_acquire);
		uint64_t position = slot & POSITION_MASK;

		if ((slot & ~POSITION_MASK) != tag_of(key->hash) || !position || !is_alive(shard, position))
			continue;
		if (!read_value(shard, position, key, out, capacity, ret_length))
			continue;
		if (is_alive(shard, position))
			return i;
		*ret_has_moved = true;
	}
	return STORE_NOWHERE;
}

struct store_hit store_get(const struct store *store, const struct store_key *key, void *out, size_t capacity)
{
	size_t number = shard_of(store, key->hash);
	const struct shard *shard = &store->shard[number];
	struct store_hit hit = {0, STORE_NOWHERE};
	bool has_moved;
	size_t slot = find(shard, key, out, capacity, &hit.length, &has_moved);

	if (slot == STORE_NOWHERE && has_moved)
		slot = find(shard, key, out, capacity, &hit.length, &has_moved);
	if (slot == STORE_NOWHERE)
		return hit;
	mark_read(shard, slot);
	hit.slot = slot * SHARDS_MAX + number;
	return hit;
}

_Atomic uint64_t *store_note(const struct store *store, size_t slot)
{
	return &store->shard[slot % SHARDS_MAX].notes[slot / SHARDS_MAX];
}

static void store_word(struct shard *shard, uint64_t position, uint64_t word)
{
	atomic_store_explicit(&shard->words[position % shard->size], word, memory_order_release);
}

/* The slot that points to a value in the log; STORE_NOWHERE: none does any more. */
static size_t slot_of(const struct shard *shard, uint64_t position)
{
	uint64_t hash = load(shard, position + 1);
	size_t bucket = bucket_of(shard, hash);

	for (size_t i = bucket; i < bucket + SLOTS; i++)
		if (atomic_load_explicit(&shard->slots[i], memory_order_relaxed) == (tag_of(hash) | position))
			return i;
	return STORE_NOWHERE;
}

static bool holds(const struct shard *shard, size_t index, const struct store_key *key)
{
	uint64_t slot = atomic_load_explicit(&shard->slots[index], memory_order_relaxed);
	uint64_t position = slot & POSITION_MASK;

	return slot == (tag_of(key->hash) | position) && is_alive(shard, position) &&
	       has_key(shard, position, key);
}

/* How much a slot is worth keeping: less than all others if it is empty or outlived, else by age, and what is
 * read above what is not. */
static uint64_t worth(const struct shard *shard, size_t slot, uint64_t position)
{
	if (is_alive(shard, position) && atomic_load_explicit(&shard->is_read[slot], memory_order_relaxed))
		return position | (POSITION_MASK + 1);
	return position;
}

/* The slot for a key: the one that has it, else that of its bucket which is worth least. */
static size_t choose_slot(const struct shard *shard, const struct store_key *key)
{
	size_t bucket = bucket_of(shard, key->hash), chosen = bucket;
	uint64_t least = UINT64_MAX;

	for (size_t i = bucket; i < bucket + SLOTS; i++) {
		uint64_t position =
			atomic_load_explicit(&shard->slots[i], memory_order_relaxed) & POSITION_MASK;

		if (holds(shard, i, key))
			return i;
		if (worth(shard, i, position) < least) {
			least = worth(shard, i, position);
			chosen = i;
		}
	}
	return chosen;
}

/* Where a value that may not wrap round the end of the ring would begin. */
static uint64_t place_for(const struct shard *shard, uint64_t words)
{
	uint64_t left = shard->size - shard->head % shard->size;

	return left < words ? shard->head + left : shard->head;
}

static bool has_room(const struct shard *shard, uint64_t words)
{
	uint64_t tail = atomic_load_explicit(&shard->tail, memory_order_relaxed);

	return place_for(shard, words) + words - tail <= shard->size &&
	       atomic_load_explicit(&shard->count, memory_order_relaxed) < shard->entries;
}

static uint64_t words_at(const struct shard *shard, uint64_t position)
{
	uint64_t header = load(shard, position);

	if (header == FILLER)
		return shard->size - position % shard->size;
	return HEADER_WORDS + words_of(header & UINT32_MAX) + words_of(header >> 32);
}

static void move_tail(struct shard *shard, uint64_t position)
{
	atomic_store_explicit(&shard->tail, position + words_at(shard, position), memory_order_release);
}

static void count(struct shard *shard, int change)
{
	atomic_fetch_add_explicit(&shard->count, (size_t)change, memory_order_relaxed);
}

static void count_eviction(struct shard *shard)
{
	count(shard, -1);
	shard->evictions++;
}

/* Appends words that make a value, and lets the slot point there. There is room. */
static void append(struct shard *shard, const uint64_t *words, uint64_t length, size_t slot, uint64_t tag)
{
	uint64_t position = place_for(shard, length);

	if (position != shard->head)
		store_word(shard, shard->head, FILLER);
	for (uint64_t i = 0; i < length; i++)
		store_word(shard, position + i, words[i]);
	shard->head = position + length;
	atomic_store_explicit(&shard->is_read[slot], 0, memory_order_relaxed);
	atomic_store_explicit(&shard->slots[slot], tag | position, memory_order_release);
}

static void make_room(struct shard *shard, uint64_t words, unsigned *spared);

/* The oldest value moves to the head. */
static void spare(struct shard *shard, uint64_t position, size_t slot)
{
	uint64_t hash = load(shard, position + 1), words = words_at(shard, position);

	for (uint64_t i = 0; i < words; i++)
		shard->spare[i] = load(shard, position + i);
	move_tail(shard, position);
	count(shard, -1);
	make_room(shard, words, &(unsigned){SPARED_MAX}); /* more than it had, at the end of the ring */
	append(shard, shard->spare, words, slot, tag_of(hash));
	count(shard, 1);
}

/* The oldest value goes, or, if it is in use and *spared allows it, is spared. */
static void pass_oldest(struct shard *shard, unsigned *spared)
{
	uint64_t position = atomic_load_explicit(&shard->tail, memory_order_relaxed);
	size_t slot = load(shard, position) == FILLER ? STORE_NOWHERE : slot_of(shard, position);

	if (slot == STORE_NOWHERE) {
		move_tail(shard, position);
	} else if (*spared < SPARED_MAX &&
		   atomic_load_explicit(&shard->is_read[slot], memory_order_relaxed)) {
		(*spared)++;
		spare(shard, position, slot);
	} else {
		count_eviction(shard);
		move_tail(shard, position);
	}
}

static void make_room(struct shard *shard, uint64_t words, unsigned *spared)
{
	while (!has_room(shard, words))
		pass_oldest(shard, spared);
}

/* What the slot pointed to is not found any more: the key's own value, or one of a full bucket. */
static void free_slot(struct shard *shard, size_t slot, const struct store_key *key)
{
	uint64_t position = atomic_load_explicit(&shard->slots[slot], memory_order_relaxed) & POSITION_MASK;

	if (!position || !is_alive(shard, position))
		return;
	if (has_key(shard, position, key))
		count(shard, -1);
	else
		count_eviction(shard);
}

static void copy_words(uint64_t *to, const void *octets, size_t length)
{
	if (length % WORD)
		to[length / WORD] = 0;
	memcpy(to, octets, length);
}

bool store_put(struct store *store, const struct store_key *key, const void *value, size_t length,
	size_t *ret_evicted)
{
	struct shard *shard = &store->shard[shard_of(store, key->hash)];
	uint64_t words = HEADER_WORDS + words_of(key->length) + words_of(length);
	unsigned spared = 0;
	size_t slot, evictions;

	if (words > words_max(shard))
		return false;
	pthread_mutex_lock(&shard->mutex);
	evictions = shard->evictions;
	make_room(shard, words, &spared);
	slot = choose_slot(shard, key);
	free_slot(shard, slot, key);
	shard->spare[0] = (uint64_t)length << 32 | key->length;
	shard->spare[1] = key->hash;
	copy_words(shard->spare + HEADER_WORDS, key->octets, key->length);
	copy_words(shard->spare + HEADER_WORDS + words_of(key->length), value, length);
	atomic_store_explicit(&shard->notes[slot], 0, memory_order_relaxed);
	append(shard, shard->spare, words, slot, tag_of(key->hash));
	count(shard, 1);
	if (ret_evicted)
		*ret_evicted = shard->evictions - evictions;
	pthread_mutex_unlock(&shard->mutex);
	return true;
}

void store_forget(struct store *store, const struct store_key *key)
{
	struct shard *shard = &store->shard[shard_of(store, key->hash)];
	size_t bucket = bucket_of(shard, key->hash);

	pthread_mutex_lock(&shard->mutex);
	for (size_t i = bucket; i < bucket + SLOTS; i++) {
		if (!holds(shard, i, key))
			continue;
		atomic_store_explicit(&shard->slots[i], 0, memory_order_release);
		atomic_fetch_sub_explicit(&shard->count, 1, memory_order_relaxed);
	}
	pthread_mutex_unlock(&shard->mutex);
}

size_t store_count(const struct store *store)
{
	size_t sum = 0;

	for (size_t i = 0; i < store->shards; i++)
		sum += atomic_load_explicit(&store->shard[i].count, memory_order_relaxed);
	return sum;
}
