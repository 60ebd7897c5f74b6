/* A feed on its own thread: every way in which a table's files can change under it, and readers that go on
 * meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "../support/table_text.h"
#include "svcdns/clock.h"
#include "svcdns/feed.h"
#include "svcdns/memory.h"

#define PATIENCE                                                                                             \
	(30 * CLOCK_S) /* for things that take milliseconds, or two seconds where only polling finds them */

/* A table with one Service, whose port tells the versions apart. */
static const char *table_text(int port, char out[256])
{
	snprintf(out, 256,
		"apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: %d}]}\n", port);
	return out;
}

static void write_table(const struct scratch *scratch, const char *name, int port)
{
	char text[256];

	scratch_write(scratch, name, table_text(port, text));
}

/* In one step: nobody sees half of it. */
static void replace(const struct scratch *scratch, const char *name, const char *text)
{
	char from[SCRATCH_PATH_MAX], to[SCRATCH_PATH_MAX];

	scratch_write(scratch, ".new", text);
	assert_int_equal(rename(scratch_path(scratch, ".new", from), scratch_path(scratch, name, to)), 0);
}

struct fixture {
	struct scratch scratch;
	char path[SCRATCH_PATH_MAX];
	struct feed_config config;
	struct feed *feed;
	struct feed_subscriber *subscriber;
	struct snapshot *snapshot; /* the newest that was taken */
};

static int port_of(const struct snapshot *snapshot)
{
	const struct service *service = find_service(snapshot, "default", "web");

	return service ? service_ports(service)->number : 0;
}

static void pause_shortly(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

/* Waits until the feed has published a table with this port (0: without the Service). */
static void await_port(struct fixture *f, int port)
{
	uint64_t end = clock_monotonic() + PATIENCE;

	while (!f->snapshot || port_of(f->snapshot) != port) {
		struct snapshot *fresh = feed_take(f->subscriber);

		if (fresh) {
			snapshot_unref(f->snapshot);
			f->snapshot = fresh;
		} else if (clock_monotonic() > end) {
			fail_msg("no table with port %d", port);
		} else {
			pause_shortly();
		}
	}
}

static void await_failures(const struct fixture *f, uint64_t failures)
{
	uint64_t end = clock_monotonic() + PATIENCE;

	while (feed_counts(f->feed).failures < failures) {
		assert_true(clock_monotonic() < end);
		pause_shortly();
	}
}

static void await_reads(const struct fixture *f, uint64_t reads)
{
	uint64_t end = clock_monotonic() + PATIENCE;

	while (feed_counts(f->feed).reads < reads) {
		assert_true(clock_monotonic() < end);
		pause_shortly();
	}
}

/* Opens a feed of what stands at `name` in the scratch folder; "" is the folder itself. */
static void open_feed(struct fixture *f, const char *name)
{
	struct error error = {""};

	snprintf(f->path, sizeof(f->path), "%s%s%s", f->scratch.path, *name ? "/" : "", name);
	f->config = (struct feed_config){.table = f->path, .endpoints = true};
	f->feed = feed_open(&f->config, &error);
	if (!f->feed)
		fail_msg("%s", error.message);
	f->subscriber = feed_subscribe(f->feed);
}

static void close_feed(struct fixture *f)
{
	feed_unsubscribe(f->subscriber);
	feed_close(f->feed);
	snapshot_unref(f->snapshot);
	scratch_remove(&f->scratch);
}

static void rename_in(const struct scratch *scratch, const char *from, const char *to)
{
	char from_path[SCRATCH_PATH_MAX], to_path[SCRATCH_PATH_MAX];

	assert_int_equal(
		rename(scratch_path(scratch, from, from_path), scratch_path(scratch, to, to_path)), 0);
}

static void link_in(const struct scratch *scratch, const char *target, const char *name)
{
	char path[SCRATCH_PATH_MAX];

	assert_int_equal(symlink(target, scratch_path(scratch, name, path)), 0);
}

static void make_folder_in(const struct scratch *scratch, const char *name)
{
	char path[SCRATCH_PATH_MAX];

	assert_int_equal(mkdir(scratch_path(scratch, name, path), 0700), 0);
}

static void remove_in(const struct scratch *scratch, const char *name)
{
	char path[SCRATCH_PATH_MAX];

	assert_int_equal(unlink(scratch_path(scratch, name, path)), 0);
}

static void test_a_table_that_cannot_be_read(void **state)
{
	struct feed_config config = {0};
	struct error error = {""};
	char path[SCRATCH_PATH_MAX], wanted[2 * SCRATCH_PATH_MAX];
	struct scratch scratch;

	(void)state;
	scratch_make(&scratch);
	config.table = scratch_path(&scratch, "shop.yaml", path);
	assert_null(feed_open(&config, &error));
	snprintf(wanted, sizeof(wanted), "open %s: No such file or directory", path);
	assert_string_equal(error.message, wanted);
	scratch_write(&scratch, "shop.yaml",
		"apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: http}]}\n");
	assert_null(feed_open(&config, &error));
	snprintf(wanted, sizeof(wanted), "%s:4: spec.ports[0].port: not a number: \"http\"", path);
	assert_string_equal(error.message, wanted);
	feed_close(NULL);
	feed_unsubscribe(NULL);
	scratch_remove(&scratch);
}

static void test_subscribers(void **state)
{
	struct fixture f = {0};
	struct feed_subscriber *other;
	struct snapshot *first, *second;

	(void)state;
	scratch_make(&f.scratch);
	write_table(&f.scratch, "web.yaml", 1);
	open_feed(&f, "web.yaml");
	other = feed_subscribe(f.feed);
	/* Each gets the newest once. */
	first = feed_take(f.subscriber);
	second = feed_take(other);
	assert_non_null(first);
	assert_ptr_equal(first, second);
	assert_true(snapshot_is_synced(first));
	assert_true(snapshot_serial(first) > 0);
	assert_null(feed_take(f.subscriber));
	assert_null(feed_take(other));
	snapshot_unref(second);
	/* One that takes nothing holds nobody up; it finds the newest, and leaves with a snapshot not taken.
	 */
	for (int port = 2; port < 5; port++) {
		write_table(&f.scratch, "web.yaml", port);
		await_port(&f, port);
	}
	second = feed_take(other);
	assert_int_equal(port_of(second), 4);
	assert_null(feed_take(other));
	assert_int_equal(port_of(first), 1);
	write_table(&f.scratch, "web.yaml", 5);
	await_port(&f, 5);
	feed_unsubscribe(other);
	snapshot_unref(first);
	snapshot_unref(second);
	close_feed(&f);
}

static void test_a_file_is_written_over(void **state)
{
	struct fixture f = {0};

	(void)state;
	scratch_make(&f.scratch);
	write_table(&f.scratch, "web.yaml", 1);
	open_feed(&f, "web.yaml");
	await_port(&f, 1);
	write_table(&f.scratch, "web.yaml", 22);
	await_port(&f, 22);
	write_table(&f.scratch, "web.yaml", 23); /* of the same size */
	await_port(&f, 23);
	close_feed(&f);
}

static void test_a_file_is_replaced_by_a_rename(void **state)
{
	struct fixture f = {0};

	(void)state;
	scratch_make(&f.scratch);
	write_table(&f.scratch, "web.yaml", 1);
	open_feed(&f, "web.yaml");
	await_port(&f, 1);
	for (int port = 2; port < 5; port++) {
		write_table(&f.scratch, ".web.yaml.tmp", port);
		rename_in(&f.scratch, ".web.yaml.tmp", "web.yaml");
		await_port(&f, port);
	}
	close_feed(&f);
}

static void test_a_file_goes_and_comes_back(void **state)
{
	struct fixture f = {0};

	(void)state;
	scratch_make(&f.scratch);
	write_table(&f.scratch, "web.yaml", 1);
	open_feed(&f, "web.yaml");
	await_port(&f, 1);
	remove_in(&f.scratch, "web.yaml");
	await_failures(&f, 1);
	assert_null(feed_take(f.subscriber)); /* the last good table stays */
	write_table(&f.scratch, "web.yaml", 2);
	await_port(&f, 2);
	assert_int_equal(feed_counts(f.feed).failures, 1);
	close_feed(&f);
}

/* As the kubelet mounts a ConfigMap: FILE -> ..data/FILE, ..data -> ..TIME, and a new ..data renamed over the
 * old. */
static void swap_config_map(const struct scratch *scratch, const char *version, int port)
{
	char name[64];

	make_folder_in(scratch, version);
	snprintf(name, sizeof(name), "%s/web.yaml", version);
	write_table(scratch, name, port);
	link_in(scratch, version, "..data_tmp");
	rename_in(scratch, "..data_tmp", "..data");
}

static void check_config_map(const char *table)
{
	char path[SCRATCH_PATH_MAX];
	struct fixture f = {0};

	scratch_make(&f.scratch);
	swap_config_map(&f.scratch, "..1", 1);
	link_in(&f.scratch, "..data/web.yaml", "web.yaml");
	open_feed(&f, table);
	await_port(&f, 1);
	swap_config_map(&f.scratch, "..2", 2);
	scratch_remove_folder(scratch_path(&f.scratch, "..1", path));
	await_port(&f, 2);
	swap_config_map(&f.scratch, "..3", 3);
	await_port(&f, 3);
	assert_int_equal(snapshot_counts(f.snapshot).services, 1);
	close_feed(&f);
}

static void test_a_config_map_is_swapped(void **state)
{
	(void)state;
	check_config_map("web.yaml");
	check_config_map("");
}

/* A link's target changes in a folder that nobody watches: polling finds it. */
static void test_a_link_to_elsewhere(void **state)
{
	struct fixture f = {0};

	(void)state;
	scratch_make(&f.scratch);
	make_folder_in(&f.scratch, "tables");
	make_folder_in(&f.scratch, "elsewhere");
	write_table(&f.scratch, "elsewhere/web.yaml", 1);
	link_in(&f.scratch, "../elsewhere/web.yaml", "tables/web.yaml");
	open_feed(&f, "tables");
	await_port(&f, 1);
	write_table(&f.scratch, "elsewhere/web.yaml", 2);
	await_port(&f, 2);
	close_feed(&f);
}

static void test_a_folder(void **state)
{
	struct fixture f = {0};

	(void)state;
	scratch_make(&f.scratch);
	make_folder_in(&f.scratch, "tables");
	open_feed(&f, "tables"); /* empty: that is a table, too */
	await_port(&f, 0);
	write_table(&f.scratch, "tables/a.yaml", 1);
	await_port(&f, 1);
	scratch_write(&f.scratch, "tables/b.json",
		"{\"kind\": \"Service\", \"apiVersion\": \"v1\", \"metadata\": {\"name\": \"db\"}}");
	write_table(&f.scratch, "tables/a.yaml", 2);
	await_port(&f, 2);
	remove_in(&f.scratch, "tables/a.yaml");
	await_port(&f, 0);
	/* The folder itself is exchanged. */
	make_folder_in(&f.scratch, "other");
	write_table(&f.scratch, "other/c.yml", 3);
	rename_in(&f.scratch, "tables", "old");
	rename_in(&f.scratch, "other", "tables");
	await_port(&f, 3);
	assert_null(find_service(f.snapshot, "default", "db"));
	write_table(&f.scratch, "tables/c.yml", 4); /* and watched as the first was */
	await_port(&f, 4);
	close_feed(&f);
}

static void test_a_broken_file_keeps_the_last_good_table(void **state)
{
	struct fixture f = {0};
	const struct service *before;

	(void)state;
	scratch_make(&f.scratch);
	write_table(&f.scratch, "web.yaml", 1);
	scratch_write(&f.scratch, "db.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: db}\n");
	open_feed(&f, "");
	await_port(&f, 1);
	before = find_service(f.snapshot, "default", "db");
	replace(&f.scratch, "web.yaml", "apiVersion: v1\nkind: Service\nmetadata: [\n");
	await_failures(&f, 1);
	assert_null(feed_take(f.subscriber));
	write_table(&f.scratch, "web.yaml", 2);
	await_port(&f, 2);
	/* What did not change is shared by the versions. */
	assert_ptr_equal(find_service(f.snapshot, "default", "db"), before);
	assert_int_equal(feed_counts(f.feed).failures, 1);
	close_feed(&f);
}

/* A file that is another one, but says the same, makes no new snapshot. */
static void test_the_same_table_again(void **state)
{
	struct fixture f = {0};
	uint64_t reads;

	(void)state;
	scratch_make(&f.scratch);
	write_table(&f.scratch, "web.yaml", 1);
	open_feed(&f, "web.yaml");
	await_port(&f, 1);
	reads = feed_counts(f.feed).reads;
	assert_int_equal(reads, 1);
	write_table(&f.scratch, "web.yaml.tmp", 1);
	rename_in(&f.scratch, "web.yaml.tmp", "web.yaml");
	await_reads(&f, reads + 1);
	write_table(&f.scratch, "web.yaml", 2);
	await_port(&f, 2);
	close_feed(&f);
}

#define READERS	 3
#define SERVICES 200
#define VERSIONS 30

struct reader {
	struct feed *feed;
	atomic_int *stop;
	pthread_t thread;
	int seen; /* versions */
};

/* In each version all Services have the same port: a mixture would show. */
static void check_version(const struct snapshot *snapshot)
{
	const struct service *service;
	uint64_t cursor = 0;
	int32_t port = 0;
	size_t count = 0;

	for (; (service = snapshot_each_service(snapshot, &cursor)); count++) {
		char name[16];
		int length = snprintf(name, sizeof(name), "%.*s", service->name.length,
			(const char *)text_of(service, service->name));

		if (!port)
			port = service_ports(service)->number;
		if (service_ports(service)->number != port ||
			snapshot_service(snapshot, (const uint8_t *)"default", 7, (const uint8_t *)name,
				(size_t)length) != service)
			abort();
	}
	if (count != SERVICES)
		abort();
}

static void *read_on(void *argument)
{
	struct reader *reader = argument;
	struct feed_subscriber *subscriber = feed_subscribe(reader->feed);
	struct snapshot *snapshot = NULL;

	while (!atomic_load(reader->stop)) {
		struct snapshot *fresh = feed_take(subscriber);

		if (fresh) {
			snapshot_unref(snapshot);
			snapshot = fresh;
			reader->seen++;
		}
		if (snapshot)
			check_version(snapshot);
	}
	feed_unsubscribe(subscriber);
	snapshot_unref(snapshot);
	return NULL;
}

static void write_version(const struct scratch *scratch, int port)
{
	struct buffer text = {0};
	char web[256];

	buffer_text(&text, table_text(port, web));
	for (int i = 1; i < SERVICES; i++)
		buffer_format(&text,
			"---\napiVersion: v1\nkind: Service\nmetadata: {name: svc-%d}\nspec: {ports: [{port: "
			"%d}]}\n",
			i, port);
	replace(scratch, "web.yaml", text.bytes);
	buffer_finish(&text);
}

static void test_readers_go_on(void **state)
{
	struct reader readers[READERS] = {{0}};
	struct fixture f = {0};
	atomic_int stop = 0;

	(void)state;
	scratch_make(&f.scratch);
	write_version(&f.scratch, 1);
	open_feed(&f, "web.yaml");
	for (int i = 0; i < READERS; i++) {
		readers[i].feed = f.feed;
		readers[i].stop = &stop;
		assert_int_equal(pthread_create(&readers[i].thread, NULL, read_on, &readers[i]), 0);
	}
	for (int version = 1; version <= VERSIONS; version++) {
		write_version(&f.scratch, version);
		await_port(&f, version);
	}
	atomic_store(&stop, 1);
	for (int i = 0; i < READERS; i++) {
		pthread_join(readers[i].thread, NULL);
		assert_true(readers[i].seen > 0);
	}
	close_feed(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_table_that_cannot_be_read),
		cmocka_unit_test(test_subscribers),
		cmocka_unit_test(test_a_file_is_written_over),
		cmocka_unit_test(test_a_file_is_replaced_by_a_rename),
		cmocka_unit_test(test_a_file_goes_and_comes_back),
		cmocka_unit_test(test_a_config_map_is_swapped),
		cmocka_unit_test(test_a_link_to_elsewhere),
		cmocka_unit_test(test_a_folder),
		cmocka_unit_test(test_a_broken_file_keeps_the_last_good_table),
		cmocka_unit_test(test_the_same_table_again),
		cmocka_unit_test(test_readers_go_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
