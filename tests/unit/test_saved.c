/* A table on disk: it comes back as it was, or not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/cluster/access_fields.h"
#include "../../src/cluster/saved.h"
#include "../support/table_load.h"
#include "svcdns/hash.h"

#define NOW 1800000000

#define TABLE                                                                                                \
	"apiVersion: v1\nkind: List\nitems:\n"                                                               \
	"- {apiVersion: v1, kind: Namespace, metadata: {name: shop}}\n"                                      \
	"- {apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop}, spec: {clusterIPs: "      \
	"[10.96.0.1, 'fd00::1'], ports: [{name: http, port: 80}, {name: grpc, port: 81}]}}\n"                \
	"- {apiVersion: v1, kind: Service, metadata: {name: out, namespace: shop}, spec: {type: "            \
	"ExternalName, externalName: example.org}}\n"                                                        \
	"- {apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: IPv4, metadata: {name: "      \
	"web-x, namespace: shop, labels: {kubernetes.io/service-name: web}}, ports: [{port: 8080}], "        \
	"endpoints: [{addresses: [10.1.0.1], hostname: a, zone: z}, {addresses: [10.1.0.2]}]}\n"             \
	"- {apiVersion: v1, kind: Pod, metadata: {name: p, namespace: shop}, status: {podIPs: [{ip: "        \
	"10.1.0.1}, {ip: 'fd00::9'}]}}\n"

struct fixture {
	struct loader loader;
	struct access access;
	char path[SCRATCH_PATH_MAX];
	struct object_store *back; /* what is read */
	uint64_t passed;	   /* seconds since it was written */
};

static void fixture_init(struct fixture *f)
{
	struct error error = {""};
	struct snapshot *snapshot;

	memset(f, 0, sizeof(*f));
	loader_init(&f->loader);
	snapshot = loader_load_text(&f->loader, "table.yaml", TABLE, &error);
	assert_non_null(snapshot);
	snapshot_unref(snapshot);
	f->access.server = "https://10.96.0.1:443";
	f->loader.config.api.access = &f->access;
	f->loader.config.api.saved_max_age_ns = 3600 * (int64_t)CLOCK_S;
	scratch_path(&f->loader.scratch, "saved", f->path);
	f->back = object_store_create(clock_unix);
}

static void fixture_finish(struct fixture *f)
{
	object_store_destroy(f->back);
	loader_finish(&f->loader);
}

struct sum {
	uint64_t sum, objects;
};

static void add(void *context, const struct object *object)
{
	static const struct hash_key key = {1, 2};
	struct sum *sum = context;

	sum->sum += hash_bytes(&key, object, object->size);
	sum->objects++;
}

static struct sum sum_of(const struct object_store *store)
{
	struct sum sum = {0};

	object_store_each(store, add, &sum);
	return sum;
}

static void write_saved(struct fixture *f)
{
	struct error error = {""};

	if (!saved_write(f->path, f->loader.store, &f->loader.config, NOW, &error))
		fail_msg("%s", error.message);
}

static enum saved_outcome read_saved(struct fixture *f, const char *why)
{
	struct error error = {""};
	uint64_t age_s = 99;
	enum saved_outcome outcome =
		saved_read(f->path, f->back, &f->loader.config, NOW + f->passed, &age_s, &error);
	char wanted[512];

	snprintf(wanted, sizeof(wanted), "%s: %s", f->path, why);
	assert_string_equal(error.message, *why ? wanted : "");
	if (outcome == SAVED_READ)
		assert_int_equal(age_s, f->passed);
	else
		assert_int_equal(sum_of(f->back).objects, 0);
	return outcome;
}

static void test_there_and_back(void **state)
{
	struct fixture f;
	struct sum there, back;

	(void)state;
	fixture_init(&f);
	assert_int_equal(read_saved(&f, ""), SAVED_NONE);
	write_saved(&f);
	write_saved(&f); /* over the old one */
	assert_int_equal(read_saved(&f, ""), SAVED_READ);
	there = sum_of(f.loader.store);
	back = sum_of(f.back);
	assert_int_equal(there.objects, 5);
	assert_int_equal(back.objects, 5);
	assert_int_equal(there.sum, back.sum);
	fixture_finish(&f);
}

static size_t read_octets(const char *path, uint8_t out[8192])
{
	FILE *file = fopen(path, "re");
	size_t length = fread(out, 1, 8192, file);

	fclose(file);
	assert_in_range(length, 100, 8191);
	return length;
}

static void write_octets(const char *path, const uint8_t *octets, size_t length)
{
	FILE *file = fopen(path, "we");

	assert_int_equal(fwrite(octets, 1, length, file), length);
	assert_int_equal(fclose(file), 0);
}

/* Any octet may be another one; that it is refused matters, not with which words. */
static void test_damage(void **state)
{
	uint8_t octets[8192];
	struct fixture f;
	size_t length;

	(void)state;
	fixture_init(&f);
	write_saved(&f);
	length = read_octets(f.path, octets);
	for (size_t i = 0; i < length; i++) {
		struct error error;
		uint64_t age_s;

		octets[i] ^= (uint8_t)(1u << (i % 8));
		write_octets(f.path, octets, length);
		assert_int_equal(
			saved_read(f.path, f.back, &f.loader.config, NOW, &age_s, &error), SAVED_REFUSED);
		assert_int_equal(sum_of(f.back).objects, 0);
		octets[i] ^= (uint8_t)(1u << (i % 8));
	}
	for (size_t shorter = 0; shorter < length; shorter += 7) {
		write_octets(f.path, octets, shorter);
		assert_int_equal(read_saved(&f, shorter < 48 ? "it is no table of svcdns" : "it is damaged"),
			SAVED_REFUSED);
	}
	octets[length] = 0;
	write_octets(f.path, octets, length + 1);
	assert_int_equal(read_saved(&f, "it is damaged"), SAVED_REFUSED);
	fixture_finish(&f);
}

static void test_foreign_files(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	scratch_write(&f.loader.scratch, "saved", TABLE);
	assert_int_equal(read_saved(&f, "it is no table of svcdns"), SAVED_REFUSED);
	write_saved(&f);
	f.access.server = "https://10.96.0.2:443";
	assert_int_equal(
		read_saved(&f, "it was written with another configuration or for another API server"),
		SAVED_REFUSED);
	f.access.server = "https://10.96.0.1:443";
	f.loader.config.pods = false;
	assert_int_equal(
		read_saved(&f, "it was written with another configuration or for another API server"),
		SAVED_REFUSED);
	f.loader.config.pods = true;
	assert_int_equal(read_saved(&f, ""), SAVED_READ);
	fixture_finish(&f);
}

static void test_age(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	write_saved(&f);
	f.passed = 3601;
	assert_int_equal(read_saved(&f, "it is too old"), SAVED_REFUSED);
	f.passed = 3600;
	assert_int_equal(read_saved(&f, ""), SAVED_READ);
	fixture_finish(&f);
}

static void test_no_place_to_write(void **state)
{
	struct error error = {""};
	struct fixture f;

	(void)state;
	fixture_init(&f);
	assert_false(saved_write("/nonexistent/saved", f.loader.store, &f.loader.config, NOW, &error));
	assert_string_equal(
		error.message, "/nonexistent/saved: cannot be written: No such file or directory");
	fixture_finish(&f);
}

/* What the check sum does not protect from: blocks that point out of themselves. */
static void test_unsound_objects(void **state)
{
	struct draft draft = {0};
	struct ip ip;
	struct object *object;
	uint32_t size;

	(void)state;
	draft.head.kind = OBJECT_ENDPOINT_SLICE;
	draft.head.name = draft_text(&draft, "web-x", 5);
	draft.head.namespace = draft_text(&draft, "shop", 4);
	draft.head.service_name = draft_text(&draft, "web", 3);
	draft_port(&draft.slice_ports)->number = 80;
	assert_true(ip_parse("10.0.0.1", &ip));
	draft_endpoint(&draft, &ip)->host = draft_text(&draft, "a", 1);
	object = (struct object *)(uintptr_t)draft_pack(&draft);
	size = object->size;
	assert_true(object_is_sound(object, size));
	assert_false(object_is_sound(object, size - 1));
	for (size_t i = 0; i < size; i++) {
		uint8_t *octet = (uint8_t *)object + i, good = *octet;

		for (int value = 0; value < 256;
			value++) { /* that it says so matters less than that it can be asked */
			*octet = (uint8_t)value;
			if (object_is_sound(object, size))
				assert_int_equal(object->size, size);
		}
		*octet = good;
	}
	object->endpoints = 2;
	assert_false(object_is_sound(object, size));
	object->endpoints = UINT32_MAX;
	assert_false(object_is_sound(object, size));
	object->endpoints = 1;
	object->name.offset = size;
	assert_false(object_is_sound(object, size));
	object->name.offset = UINT32_MAX;
	assert_false(object_is_sound(object, size));
	assert_true(size < OBJECT_NAME_MAX);
	object->name = (struct text){object->text_at, OBJECT_NAME_MAX}; /* longer than the whole block */
	assert_false(object_is_sound(object, size));
	draft_finish(&draft);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_foreign_files),
		cmocka_unit_test(test_age),
		cmocka_unit_test(test_no_place_to_write),
		cmocka_unit_test(test_unsound_objects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
