/* The cache's store: what is put is found until it is replaced or has made room, also while others write. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>

#include "../../src/plugins/cache/store.h"

static const struct hash_key hash_key = {1, 2};

static struct store_key key_of(const void *octets, size_t length)
{
	return (struct store_key){octets, length, hash_bytes(&hash_key, octets, length)};
}

static _Atomic size_t evictions; /* that put_octets() was told of */

static bool put_octets(
	struct store *store, const void *key_octets, size_t key_length, const void *value, size_t length)
{
	struct store_key key = key_of(key_octets, key_length);
	size_t evicted = 0;
	bool is_kept = store_put(store, &key, value, length, &evicted);

	evictions += evicted;
	return is_kept;
}

static struct store_hit get_octets(
	struct store *store, const void *key_octets, size_t key_length, void *out, size_t capacity)
{
	struct store_key key = key_of(key_octets, key_length);

	return store_get(store, &key, out, capacity);
}

static bool put(struct store *store, const char *key, const char *value)
{
	return put_octets(store, key, strlen(key), value, strlen(value) + 1);
}

static const char *get(struct store *store, const char *key)
{
	static _Thread_local char value[4096];
	struct store_hit hit = get_octets(store, key, strlen(key), value, sizeof(value));

	return hit.slot == STORE_NOWHERE ? NULL : value;
}

static void test_put_and_get(void **state)
{
	struct store *store = store_create(1000, 1 << 20);
	char key[32], value[64];

	(void)state;
	assert_null(get(store, "a"));
	for (int i = 0; i < 200; i++) {
		snprintf(key, sizeof(key), "key %d", i);
		snprintf(value, sizeof(value), "value of %.*s", i % 20, "xxxxxxxxxxxxxxxxxxxx");
		assert_true(put(store, key, value));
	}
	for (int i = 0; i < 200; i++) {
		snprintf(key, sizeof(key), "key %d", i);
		snprintf(value, sizeof(value), "value of %.*s", i % 20, "xxxxxxxxxxxxxxxxxxxx");
		assert_string_equal(get(store, key), value);
	}
	assert_int_equal(store_count(store), 200);
	assert_int_equal(evictions, 0);
	store_destroy(store);
}

static void test_replace(void **state)
{
	struct store *store = store_create(100, 1 << 16);

	(void)state;
	put(store, "a", "one");
	put(store, "b", "two");
	put(store, "a", "a longer three");
	assert_string_equal(get(store, "a"), "a longer three");
	assert_string_equal(get(store, "b"), "two");
	assert_int_equal(store_count(store), 2);
	store_destroy(store);
}

static void forget(struct store *store, const char *name)
{
	struct store_key key = key_of(name, strlen(name));

	store_forget(store, &key);
}

static void test_forget(void **state)
{
	struct store *store = store_create(100, 1 << 16);

	(void)state;
	put(store, "a", "one");
	put(store, "b", "two");
	forget(store, "a");
	forget(store, "c");
	assert_null(get(store, "a"));
	assert_string_equal(get(store, "b"), "two");
	assert_int_equal(store_count(store), 1);
	forget(store, "a");
	assert_int_equal(store_count(store), 1);
	put(store, "a", "three");
	assert_string_equal(get(store, "a"), "three");
	assert_int_equal(store_count(store), 2);
	store_destroy(store);
}

static void test_empty_value_and_small_buffer(void **state)
{
	struct store *store = store_create(100, 1 << 16);
	char out[4];

	(void)state;
	assert_true(put_octets(store, "k", 1, "", 0));
	assert_int_equal(get_octets(store, "k", 1, out, 0).length, 0);
	assert_true(get_octets(store, "k", 1, out, 0).slot != STORE_NOWHERE);
	put(store, "k", "12345");
	assert_true(get_octets(store, "k", 1, out, sizeof(out)).slot == STORE_NOWHERE);
	store_destroy(store);
}

static void test_entries_are_bounded(void **state)
{
	struct store *store = store_create(2048, 16 << 20);
	char key[32];
	unsigned found = 0;

	(void)state;
	evictions = 0;
	for (int i = 0; i < 100000; i++) {
		snprintf(key, sizeof(key), "%d", i);
		put(store, key, key);
	}
	for (int i = 0; i < 100000; i++) {
		snprintf(key, sizeof(key), "%d", i);
		found += get(store, key) != NULL;
	}
	assert_true(store_count(store) <= 2048);
	assert_int_equal(found, store_count(store));
	assert_int_equal(evictions, 100000 - store_count(store));
	assert_non_null(get(store, "99999"));
	store_destroy(store);
}

/* However the keys are spread: nearly as many as there may be are found. */
static void test_nearly_full(void **state)
{
	enum { ENTRIES = 9984, KEYS_PUT = 9000 };
	struct store *store = store_create(ENTRIES, ENTRIES * 512);
	unsigned found = 0;
	char key[32];

	(void)state;
	for (int i = 0; i < KEYS_PUT; i++) {
		snprintf(key, sizeof(key), "host-%d.example", i);
		put(store, key, key);
	}
	for (int i = 0; i < KEYS_PUT; i++) {
		snprintf(key, sizeof(key), "host-%d.example", i);
		found += get(store, key) != NULL;
	}
	assert_in_range(found, KEYS_PUT * 98 / 100, KEYS_PUT);
	store_destroy(store);
}

/* What is asked for again and again outlives any number of others. */
static void test_what_is_read_stays(void **state)
{
	struct store *store = store_create(256, 64 << 10);
	char key[32];

	(void)state;
	for (int i = 0; i < 16; i++) {
		snprintf(key, sizeof(key), "wanted %d", i);
		put(store, key, key);
	}
	for (int i = 0; i < 20000; i++) {
		snprintf(key, sizeof(key), "%d", i);
		put(store, key, key);
		snprintf(key, sizeof(key), "wanted %d", i % 16);
		if (!get(store, key))
			fail_msg("%s is gone after %d others", key, i);
	}
	assert_true(store_count(store) <= 256);
	store_destroy(store);
}

static void test_octets_are_bounded(void **state)
{
	struct store *store = store_create(10000, 256 << 10);
	char key[32], value[1000];
	unsigned found = 0;

	(void)state;
	memset(value, 'v', sizeof(value));
	for (int i = 0; i < 10000; i++) {
		snprintf(key, sizeof(key), "%d", i);
		assert_true(put_octets(store, key, strlen(key), value, sizeof(value)));
	}
	for (int i = 0; i < 10000; i++) {
		snprintf(key, sizeof(key), "%d", i);
		found += get(store, key) != NULL;
	}
	assert_in_range(found, 100, (256 << 10) / sizeof(value));
	assert_false(put_octets(store, "k", 1, value, 256 << 10));
	store_destroy(store);
}

static void test_note(void **state)
{
	struct store *store = store_create(5000, 1 << 20);
	char out[16];
	size_t slot;

	(void)state;
	put(store, "a", "x");
	slot = get_octets(store, "a", 1, out, sizeof(out)).slot;
	assert_int_equal(atomic_fetch_add(store_note(store, slot), 7), 0);
	assert_int_equal(atomic_load(store_note(store, slot)), 7);
	put(store, "a", "y");
	slot = get_octets(store, "a", 1, out, sizeof(out)).slot;
	assert_int_equal(atomic_load(store_note(store, slot)), 0);
	store_destroy(store);
}

/* Values are their key over and over: a torn copy would show. */
#define KEYS   500
#define ROUNDS 20000

static void *hammer(void *argument)
{
	struct store *store = argument;
	char out[1200];

	for (unsigned round = 0; round < ROUNDS; round++) {
		uint32_t key = (round * 7919u) % KEYS;

		if (round % 3 == 0) {
			uint32_t value[300];
			size_t count = 1 + (round * 31u) % 300;

			for (size_t i = 0; i < count; i++)
				value[i] = key;
			put_octets(store, &key, sizeof(key), value, count * sizeof(*value));
		} else {
			struct store_hit hit = get_octets(store, &key, sizeof(key), out, sizeof(out));

			for (size_t i = 0; hit.slot != STORE_NOWHERE && i < hit.length; i += sizeof(key))
				if (memcmp(out + i, &key, sizeof(key)) != 0)
					return argument;
		}
	}
	return NULL;
}

static void test_readers_never_see_torn_values(void **state)
{
	struct store *store =
		store_create(400, 64 << 10); /* always full: everything is overwritten all the time */
	pthread_t threads[4];
	void *torn;

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, hammer, store), 0);
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], &torn);
		assert_null(torn);
	}
	store_destroy(store);
}

/* Two writers lap two readers all the time: the ring holds no more than a few values. Values are noise of any
 * length behind its own hash, so that whatever is not one value, and whole, shows. */
#define NAMES	     64
#define NOISE_MAX    1800
#define WRITES	     20000
#define READS	     30000
#define WRITER_COUNT 2

struct proof {
	uint64_t hash;
	uint32_t name, length;
	uint8_t noise[NOISE_MAX];
};

struct party {
	struct store *store;
	uint64_t random;
	unsigned seen, wrong;
};

static uint32_t next(struct party *party, uint32_t limit) /* xorshift */
{
	party->random ^= party->random << 13;
	party->random ^= party->random >> 7;
	party->random ^= party->random << 17;
	return (uint32_t)(party->random >> 32) % limit;
}

static size_t proof_length(const struct proof *proof)
{
	return offsetof(struct proof, noise) + proof->length;
}

static uint64_t proof_hash(const struct proof *proof)
{
	return hash_bytes(&hash_key, &proof->name, proof_length(proof) - offsetof(struct proof, name));
}

static void write_proofs(struct party *party, unsigned count)
{
	struct proof proof = {0};

	for (unsigned i = 1; i <= count; i++) {
		proof.name = next(party, NAMES);
		proof.length = next(party, NOISE_MAX);
		for (uint32_t j = 0; j < proof.length; j += 64)
			proof.noise[j] = (uint8_t)next(party, 256);
		memset(proof.noise + proof.length / 2, (int)next(party, 256), proof.length / 4);
		proof.hash = proof_hash(&proof);
		if (i % 16 == 0) {
			struct store_key key = key_of(&proof.name, sizeof(proof.name));

			store_forget(party->store, &key);
		} else {
			party->wrong += !put_octets(
				party->store, &proof.name, sizeof(proof.name), &proof, proof_length(&proof));
		}
	}
}

static void *write_all(void *argument)
{
	write_proofs(argument, WRITES);
	return NULL;
}

static void *read_proofs(void *argument)
{
	struct party *party = argument;
	struct proof proof = {0};

	for (unsigned i = 0; i < READS; i++) {
		uint32_t name = next(party, NAMES);
		struct store_hit hit = get_octets(party->store, &name, sizeof(name), &proof, sizeof(proof));

		if (hit.slot == STORE_NOWHERE)
			continue;
		party->seen++;
		party->wrong += hit.length < offsetof(struct proof, noise) || proof.name != name ||
				proof.length >= NOISE_MAX || hit.length != proof_length(&proof) ||
				proof.hash != proof_hash(&proof);
	}
	return NULL;
}

static void test_writers_lap_readers(void **state)
{
	struct store *store = store_create(100, 0);
	struct party parties[4] = {0};
	pthread_t threads[4];

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		parties[i] = (struct party){.store = store, .random = 88172645463325252u + i};
	write_proofs(&parties[0], NAMES); /* whoever comes first finds some */
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(pthread_create(&threads[i], NULL, i < WRITER_COUNT ? write_all : read_proofs,
					 &parties[i]),
			0);
	}
	for (unsigned i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(parties[i].wrong, 0);
		assert_true(i < WRITER_COUNT || parties[i].seen > 0);
	}
	store_destroy(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_put_and_get),
		cmocka_unit_test(test_replace),
		cmocka_unit_test(test_forget),
		cmocka_unit_test(test_empty_value_and_small_buffer),
		cmocka_unit_test(test_entries_are_bounded),
		cmocka_unit_test(test_nearly_full),
		cmocka_unit_test(test_what_is_read_stays),
		cmocka_unit_test(test_octets_are_bounded),
		cmocka_unit_test(test_note),
		cmocka_unit_test(test_readers_never_see_torn_values),
		cmocka_unit_test(test_writers_lap_readers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
