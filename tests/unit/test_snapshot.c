/* The persistent map against a plain list that does the same slowly, and snapshots built by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/data/map.h"
#include "svcdns/memory.h"
#include "svcdns/table.h"

#define ENTRIES_MAX 30000
#define VERSIONS    8

/* The model: entries in no order, with repetitions. */
struct model {
	struct map_entry *entries;
	size_t count;
};

static struct model model_copy(const struct model *model)
{
	struct model copy = {memory_alloc(ENTRIES_MAX * sizeof(copy.entries[0])), model->count};

	if (model->count)
		memcpy(copy.entries, model->entries, model->count * sizeof(copy.entries[0]));
	return copy;
}

static int compare_entries(const void *a, const void *b)
{
	const struct map_entry *left = a, *right = b;

	if (left->hash != right->hash)
		return left->hash < right->hash ? -1 : 1;
	return left->value < right->value ? -1 : left->value > right->value;
}

/* A small, fixed generator: a failure can be repeated. */
static uint64_t next_random(uint64_t *state)
{
	*state += UINT64_C(0x9e3779b97f4a7c15);
	uint64_t z = *state;

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static void assert_same(const struct map *map, struct model *model)
{
	const struct map_entry *entry, *first;
	uint64_t cursor = 0;
	size_t i = 0;

	if (model->count)
		qsort(model->entries, model->count, sizeof(model->entries[0]), compare_entries);
	assert_int_equal(map->count, model->count);
	for (; (entry = map_each(map, &cursor)); i++)
		assert_int_equal(compare_entries(entry, &model->entries[i]), 0);
	assert_int_equal(i, model->count);
	for (i = 0; i < model->count;) {
		size_t same = 1;

		while (i + same < model->count && model->entries[i + same].hash == model->entries[i].hash)
			same++;
		assert_int_equal(map_find(map, model->entries[i].hash, &first), same);
		assert_memory_equal(first, &model->entries[i], same * sizeof(*first));
		assert_int_equal(map_find(map, model->entries[i].hash + 1, &first),
			i + same < model->count &&
				model->entries[i + same].hash == model->entries[i].hash + 1);
		i += same;
	}
}

/* Makes `count` random changes to the model, and notes them. Some hashes come more than once. */
static void change(struct model *model, struct map_change *changes, size_t count, unsigned percent_removed,
	uint64_t *random)
{
	for (size_t i = 0; i < count; i++) {
		if (model->count && next_random(random) % 100 < percent_removed) {
			size_t at = next_random(random) % model->count;

			changes[i] =
				(struct map_change){model->entries[at].hash, model->entries[at].value, -1};
			model->entries[at] = model->entries[--model->count];
			continue;
		}
		uint64_t hash = next_random(random);

		if (hash % 8 == 0 && model->count)
			hash = model->entries[hash / 8 % model->count].hash;
		changes[i] = (struct map_change){hash, next_random(random) % 4, 1};
		model->entries[model->count++] = (struct map_entry){hash, changes[i].value};
	}
}

static void test_map_is_like_the_model(void **state)
{
	static const struct {
		size_t rounds, changes;
		unsigned percent_removed;
	} phases[] = {{20, 3, 30}, {20, 1000, 10}, {20, 1, 50}, {20, 500, 60}, {15, 1500, 95}, {40, 50, 90}};
	struct map_change *changes = memory_alloc(2000 * sizeof(*changes));
	struct map maps[VERSIONS] = {{0}};
	struct model models[VERSIONS] = {{0}};
	uint64_t random = 1, version = 0;

	(void)state;
	models[0] = model_copy(&models[0]);
	for (size_t phase = 0; phase < ARRAY_LENGTH(phases); phase++)
		for (size_t round = 0; round < phases[phase].rounds; round++) {
			size_t old = version % VERSIONS, fresh = ++version % VERSIONS;

			/* The oldest version makes room; all others are still what they were. */
			map_finish(&maps[fresh]);
			memory_free(models[fresh].entries);
			models[fresh] = model_copy(&models[old]);
			change(&models[fresh], changes, phases[phase].changes, phases[phase].percent_removed,
				&random);
			map_apply(&maps[old], changes, phases[phase].changes, &maps[fresh]);
			assert_same(&maps[fresh], &models[fresh]);
			assert_same(&maps[version % 3], &models[version % 3]);
		}
	for (size_t i = 0; i < VERSIONS; i++) {
		map_finish(&maps[i]);
		memory_free(models[i].entries);
	}
	memory_free(changes);
}

static void test_shards_stay_small_at_any_size(void **state)
{
	struct map map = {0}, next;
	struct map_change *changes = memory_alloc(50000 * sizeof(*changes));
	uint64_t random = 2;

	(void)state;
	for (int round = 0; round < 4; round++) {
		for (size_t i = 0; i < 50000; i++)
			changes[i] = (struct map_change){next_random(&random), i, 1};
		map_apply(&map, changes, 50000, &next);
		map_finish(&map);
		map = next;
		assert_in_range(map.count >> map.bits, 8, 48);
	}
	map_finish(&map);
	memory_free(changes);
}

/* Only the shards with changes are copies; a value is held once by each shard that it is in. */
static void test_versions_share_shards(void **state)
{
	struct map map = {.holds_shared = true}, next;
	struct map_change changes[500];
	struct shared *values[501];
	uint64_t random = 3;
	size_t copied = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(values); i++) {
		values[i] = memory_alloc(sizeof(*values[i]));
		shared_init(values[i]);
	}
	for (size_t i = 0; i < ARRAY_LENGTH(changes); i++)
		changes[i] = (struct map_change){next_random(&random), (uintptr_t)values[i], 1};
	map_apply(&map, changes, ARRAY_LENGTH(changes), &next);
	map_finish(&map);
	map = next;
	changes[0] = (struct map_change){next_random(&random), (uintptr_t)values[500], 1};
	map_apply(&map, changes, 1, &next);
	assert_int_equal(map.bits, next.bits);
	assert_true(map.bits > 2);
	for (size_t i = 0; i < (size_t)1 << map.bits; i++)
		copied += map.places[i].shard != next.places[i].shard;
	assert_int_equal(copied, 1);
	map_finish(&map);
	for (size_t i = 0; i < ARRAY_LENGTH(values); i++)
		assert_int_equal(values[i]->references, 2);
	map_finish(&next);
	for (size_t i = 0; i < ARRAY_LENGTH(values); i++) {
		assert_int_equal(values[i]->references, 1);
		memory_free(values[i]);
	}
}

static void test_a_change_and_its_opposite_are_none(void **state)
{
	struct map map = {0}, next;
	struct map_change changes[] = {{7, 1, 1}, {7, 2, -1}, {7, 2, 1}, {7, 1, 1}, {7, 1, -1}};
	const struct map_entry *first;

	(void)state;
	map_apply(&map, changes, ARRAY_LENGTH(changes), &next);
	assert_int_equal(next.count, 1);
	assert_int_equal(map_find(&next, 7, &first), 1);
	assert_int_equal(first->value, 1);
	assert_int_equal(map_find(&next, 8, &first), 0);
	assert_int_equal(map_find(&map, 7, &first), 0);
	map_finish(&next);
}

/* A Service with some addresses, by hand: what cluster/schema builds of objects. */
struct sample {
	const char *namespace, *name;
	enum service_kind kind;
	const char *cluster_ip; /* or NULL */
	const char *endpoints[3];
};

static void put_text(struct service *service, struct text *text, const char *value, uint32_t *at)
{
	text->offset = *at;
	text->length = (uint8_t)strlen(value);
	memcpy((uint8_t *)service + *at, value, text->length);
	*at += text->length;
}

static void put_endpoint(struct endpoint *endpoint, const char *address)
{
	struct ip ip;

	assert_true(ip_parse(address, &ip));
	memcpy(endpoint->address, ip.bytes, sizeof(ip.bytes));
	endpoint->family = ip.family;
}

static struct service *make_service(const struct table *table, const struct sample *sample)
{
	uint32_t at = sizeof(struct service);
	struct service *service =
		memory_zero(1, at + sizeof(struct cluster_ip) + 3 * sizeof(struct endpoint) + 128);
	struct ip ip;

	shared_init(&service->shared);
	service->kind = sample->kind;
	service->endpoint_at = at;
	for (; service->endpoints < 3 && sample->endpoints[service->endpoints]; service->endpoints++)
		put_endpoint((struct endpoint *)(void *)((uint8_t *)service + at) + service->endpoints,
			sample->endpoints[service->endpoints]);
	at += 3 * (uint32_t)sizeof(struct endpoint);
	service->cluster_ip_at = at;
	if (sample->cluster_ip && ip_parse(sample->cluster_ip, &ip)) {
		struct cluster_ip *cluster_ip = (struct cluster_ip *)(void *)((uint8_t *)service + at);

		memcpy(cluster_ip->address, ip.bytes, sizeof(ip.bytes));
		cluster_ip->family = ip.family;
		service->cluster_ips = 1;
	}
	at += (uint32_t)sizeof(struct cluster_ip);
	put_text(service, &service->namespace, sample->namespace, &at);
	put_text(service, &service->name, sample->name, &at);
	service->hash = table_hash(table, text_of(service, service->namespace), service->namespace.length,
		text_of(service, service->name), service->name.length);
	return service;
}

static const struct service *find(const struct snapshot *snapshot, const char *namespace, const char *name)
{
	return snapshot_service(
		snapshot, (const uint8_t *)namespace, strlen(namespace), (const uint8_t *)name, strlen(name));
}

/* The names of the Services with an address, one after the other, in alphabetical order. */
static void names_of(const struct snapshot *snapshot, const char *address, char out[128])
{
	char names[8][32];
	const struct service *service;
	uint64_t cursor = 0;
	size_t count = 0;
	struct ip ip;

	assert_true(ip_parse(address, &ip));
	while ((service = snapshot_by_address(snapshot, &ip, &cursor))) {
		assert_true(count < ARRAY_LENGTH(names));
		memcpy(names[count], text_of(service, service->name), service->name.length);
		names[count++][service->name.length] = '\0';
	}
	qsort(names, count, sizeof(names[0]), (int (*)(const void *, const void *))strcmp);
	out[0] = '\0';
	for (size_t i = 0; i < count; i++)
		strcat(strcat(out, names[i]), " ");
}

static void drop_service(struct service *service)
{
	if (shared_drop(&service->shared))
		memory_free(service);
}

static const struct sample samples[] = {
	{"shop", "web", SERVICE_CLUSTER_IP, "10.96.0.1", {"10.1.0.1", "10.1.0.2"}},
	{"shop", "db", SERVICE_HEADLESS, NULL, {"10.1.0.2", "fd00::1", "10.1.0.2"}},
	{"sho", "pweb", SERVICE_CLUSTER_IP, "10.96.0.2", {NULL}},
	{"shop", "gone", SERVICE_ABSENT, NULL, {"10.1.0.9"}},
};

static void test_look_ups(void **state)
{
	static const struct {
		const char *address, *names;
	} addresses[] = {
		{"10.96.0.1", "web "},
		{"10.96.0.2", "pweb "},
		{"10.1.0.1", "web "},
		{"10.1.0.2", "db web "},
		{"10.1.0.9", "gone "},
		{"10.1.0.3", ""},
		{"fd00::1", "db "},
		{"fd00::2", ""},
		{"a01:2::", ""},
	};
	struct table *table = table_create();
	struct service *services[ARRAY_LENGTH(samples)];
	struct snapshot *snapshot;
	const struct service *service;
	uint64_t cursor = 0;
	size_t count = 0;
	char names[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(samples); i++)
		table_change_service(table, NULL, services[i] = make_service(table, &samples[i]));
	snapshot = table_publish(table, 77, SNAPSHOT_ALL);
	for (size_t i = 0; i < ARRAY_LENGTH(samples); i++)
		drop_service(services[i]);
	table_destroy(table);

	assert_ptr_equal(find(snapshot, "shop", "web"), services[0]);
	assert_ptr_equal(find(snapshot, "sho", "pweb"), services[2]);
	assert_null(find(snapshot, "shop", "gone"));
	assert_null(find(snapshot, "shop", "we"));
	assert_null(find(snapshot, "shopw", "eb"));
	assert_null(find(snapshot, "", ""));
	for (size_t i = 0; i < ARRAY_LENGTH(addresses); i++) {
		names_of(snapshot, addresses[i].address, names);
		assert_string_equal(names, addresses[i].names);
	}
	while ((service = snapshot_each_service(snapshot, &cursor))) {
		assert_int_not_equal(service->kind, SERVICE_ABSENT);
		count++;
	}
	assert_int_equal(count, 3);
	assert_int_equal(snapshot_counts(snapshot).services, 3);
	assert_int_equal(snapshot_counts(snapshot).endpoints, 6);
	assert_int_equal(snapshot_serial(snapshot), 77);
	assert_true(snapshot_is_synced(snapshot));
	snapshot_unref(snapshot);
}

/* An old snapshot keeps answering as it did, and shares what did not change. */
static void test_a_new_version_leaves_the_old_one_alone(void **state)
{
	static const struct sample moved = {"shop", "web", SERVICE_CLUSTER_IP, "10.96.0.7", {"10.1.0.2"}};
	struct table *table = table_create();
	struct service *web = make_service(table, &samples[0]), *db = make_service(table, &samples[1]);
	struct service *fresh = make_service(table, &moved);
	struct snapshot *old, *next, *last;
	char names[128];

	(void)state;
	table_change_service(table, NULL, web);
	table_change_service(table, NULL, db);
	old = table_publish(table, 1, SNAPSHOT_ALL);
	table_change_service(table, web, fresh);
	next = table_publish(table, 2, SNAPSHOT_ALL);
	drop_service(web);
	table_change_service(table, fresh, NULL);
	last = table_publish(table, 3, SNAPSHOT_ALL);
	drop_service(fresh);
	drop_service(db);
	table_destroy(table);

	assert_ptr_equal(find(old, "shop", "web"), web);
	assert_ptr_equal(find(next, "shop", "web"), fresh);
	assert_null(find(last, "shop", "web"));
	assert_ptr_equal(find(old, "shop", "db"), find(last, "shop", "db"));
	names_of(old, "10.1.0.1", names);
	assert_string_equal(names, "web ");
	names_of(next, "10.1.0.1", names);
	assert_string_equal(names, "");
	names_of(next, "10.1.0.2", names);
	assert_string_equal(names, "db web ");
	names_of(last, "10.1.0.2", names);
	assert_string_equal(names, "db ");
	assert_false(snapshot_is_mine(snapshot_ref(old)));
	snapshot_unref(old);
	assert_true(snapshot_is_mine(old));
	snapshot_unref(old);
	snapshot_unref(next);
	snapshot_unref(last);
}

static struct pod *make_pod(const char *name, const char *address)
{
	struct pod *pod = memory_zero(1, sizeof(*pod) + strlen(name));
	struct ip ip;

	assert_true(ip_parse(address, &ip));
	shared_init(&pod->shared);
	pod->addresses = 1;
	memcpy(pod->address[0].address, ip.bytes, sizeof(ip.bytes));
	pod->address[0].family = ip.family;
	pod->name.offset = sizeof(*pod);
	pod->name.length = (uint8_t)strlen(name);
	memcpy(pod + 1, name, strlen(name));
	return pod;
}

static void test_pods_and_namespaces(void **state)
{
	struct table *table = table_create();
	struct pod *pods[] = {make_pod("a", "10.0.0.1"), make_pod("b", "10.0.0.1"), make_pod("c", "fd00::1")};
	struct namespace *namespace = memory_zero(1, sizeof(*namespace));
	struct snapshot *snapshot;
	const struct pod *pod;
	uint64_t cursor = 0;
	unsigned found = 0;
	struct ip ip;

	(void)state;
	shared_init(&namespace->shared);
	namespace->length = 4;
	memcpy(namespace->name, "shop", 4);
	table_change_namespace(table, NULL, namespace);
	for (size_t i = 0; i < ARRAY_LENGTH(pods); i++)
		table_change_pod(table, NULL, pods[i]);
	snapshot = table_publish(table, 0, SNAPSHOT_SERVICES | SNAPSHOT_PODS);

	assert_true(snapshot_has_namespace(snapshot, (const uint8_t *)"shop", 4));
	assert_false(snapshot_has_namespace(snapshot, (const uint8_t *)"shop", 3));
	assert_false(snapshot_has_namespace(snapshot, (const uint8_t *)"sho", 3));
	assert_false(snapshot_is_synced(snapshot));
	assert_true(snapshot_knows(snapshot, SNAPSHOT_SERVICES));
	assert_false(snapshot_knows(snapshot, SNAPSHOT_SERVICES | SNAPSHOT_ENDPOINTS));
	assert_true(ip_parse("10.0.0.1", &ip));
	while ((pod = snapshot_pod(snapshot, &ip, &cursor)))
		found |= 1u << (*text_of(pod, pod->name) - 'a');
	assert_int_equal(found, 3);
	assert_true(ip_parse("fd00::1", &ip));
	cursor = 0;
	assert_ptr_equal(snapshot_pod(snapshot, &ip, &cursor), pods[2]);
	assert_null(snapshot_pod(snapshot, &ip, &cursor));
	assert_int_equal(snapshot_counts(snapshot).pods, 3);
	assert_int_equal(snapshot_counts(snapshot).namespaces, 1);
	snapshot_unref(snapshot);
	table_destroy(table);
	for (size_t i = 0; i < ARRAY_LENGTH(pods); i++) {
		assert_int_equal(pods[i]->shared.references, 1);
		memory_free(pods[i]);
	}
	assert_int_equal(namespace->shared.references, 1);
	memory_free(namespace);
}

static bool hides_after_publishing(struct table *table)
{
	struct snapshot *snapshot = table_publish(table, 0, SNAPSHOT_ALL);
	bool hides = snapshot_hides_services(snapshot);

	snapshot_unref(snapshot);
	return hides;
}

static void test_hidden_services(void **state)
{
	struct table *table = table_create();
	struct service *web = make_service(table, &samples[0]), *db = make_service(table, &samples[1]),
		       *other = make_service(table, &samples[2]);
	struct namespace *shop = memory_zero(1, sizeof(*shop));

	(void)state;
	shared_init(&shop->shared);
	shop->length = 4;
	memcpy(shop->name, "shop", 4);
	table_change_service(table, NULL, web);
	assert_true(hides_after_publishing(table));
	table_change_namespace(table, NULL, shop);
	assert_false(hides_after_publishing(table));
	table_change_service(table, NULL, db);
	assert_false(hides_after_publishing(table));
	table_change_service(table, NULL, other); /* of namespace "sho" */
	assert_true(hides_after_publishing(table));
	table_change_service(table, other, NULL);
	assert_false(hides_after_publishing(table));
	table_change_service(table, db, NULL);
	table_change_namespace(table, shop, NULL);
	assert_true(hides_after_publishing(table));
	table_change_service(table, web, NULL);
	assert_false(hides_after_publishing(table));
	table_destroy(table);
	drop_service(web);
	drop_service(db);
	drop_service(other);
	memory_free(shop);
}

static void test_endpoint_host(void **state)
{
	static const struct {
		const char *address, *host;
	} cases[] = {
		{"10.244.1.10", "10-244-1-10"},
		{"fd00::1", "fd00--1"},
		{"fd00:244:5::", "fd00-244-5--0"},
		{"::", "--0"},
		{"1:2:3:4:5:6:7:8", "1-2-3-4-5-6-7-8"},
		{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff-ffff-ffff-ffff-ffff-ffff-ffff-ffff"},
	};
	uint8_t host[ENDPOINT_HOST_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		struct service service = {0};
		struct endpoint endpoint = {0};

		put_endpoint(&endpoint, cases[i].address);
		assert_int_equal(endpoint_host(&service, &endpoint, host), strlen(cases[i].host));
		assert_memory_equal(host, cases[i].host, strlen(cases[i].host));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_map_is_like_the_model),
		cmocka_unit_test(test_shards_stay_small_at_any_size),
		cmocka_unit_test(test_versions_share_shards),
		cmocka_unit_test(test_a_change_and_its_opposite_are_none),
		cmocka_unit_test(test_look_ups),
		cmocka_unit_test(test_a_new_version_leaves_the_old_one_alone),
		cmocka_unit_test(test_pods_and_namespaces),
		cmocka_unit_test(test_hidden_services),
		cmocka_unit_test(test_endpoint_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
