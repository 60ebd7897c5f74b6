/* What the size of a table costs, inside the process: cost FILE SERVICES NAMESPACES. FILE is what
 * make_table.py wrote with these numbers. Prints one line of NAME=VALUE:
 *
 * read_ms      reading FILE into an empty store
 * publish_ms   the first snapshot of it
 * relist_ms    reading the same again, in place: every object is compared, and none has changed
 * change_us    from one changed Service in the store to the next snapshot (median)
 * query_ns     of processor time, a query for the A record of a Service chosen at random, in batches as the
 * worker has them; without the kernel's part (median of the rounds) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>
#include <uv.h>

#include "../support/table_load.h"
#include "../support/whole_chain.h"
#include "svcdns/message.h"
#include "svcdns/query.h"

#define BATCH	     64
#define QUERIES	     (1u << 17)
#define ROUNDS	     9
#define CHANGES	     200
#define WIRE_MAX     72
#define HEADLESS     10 /* every tenth Service, the last of ten */
#define MILLISECONDS 1e6
#define MICROSECONDS 1e3

struct query {
	uint16_t length;
	uint8_t wire[WIRE_MAX];
};

struct changes {
	struct object *objects[CHANGES];
	size_t count, every, seen;
};

static int compare(const void *a, const void *b)
{
	const double *left = a, *right = b;

	return (*left > *right) - (*left < *right);
}

static double median(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), compare);
	return values[count / 2];
}

static void read_table(struct loader *loader)
{
	struct error error = {""};
	struct files files;

	if (!files_list(loader->config.table, &files, &error) ||
		manifest_read(&files, &loader->config, loader->store, &loader->notes, &error) !=
			MANIFEST_READ) {
		fprintf(stderr, "%s\n", error.message);
		exit(1);
	}
	files_finish(&files);
}

/* Keeps copies of Services all over the table. */
static void visit(void *context, const struct object *object)
{
	struct changes *changes = context;

	if (object->kind != OBJECT_SERVICE || !object->addresses || changes->seen++ % changes->every ||
		changes->count == CHANGES)
		return;
	changes->objects[changes->count] = memory_zero(1, object->size);
	memcpy(changes->objects[changes->count++], object, object->size);
}

static double time_changes(struct loader *loader, size_t services)
{
	struct changes changes = {.every = services / CHANGES > 0 ? services / CHANGES : 1};
	double times[CHANGES];

	object_store_each(loader->store, visit, &changes);
	for (size_t i = 0; i < changes.count; i++) {
		struct object *object = changes.objects[i];
		uint64_t begun;

		((uint8_t *)object)[object->address_at] ^= 1; /* the first octet of its ClusterIP */
		begun = clock_monotonic();
		object_store_put(loader->store, object);
		snapshot_unref(publish(loader->store, loader->table, SNAPSHOT_ALL, false));
		times[i] = (double)(clock_monotonic() - begun) / MICROSECONDS;
		memory_free(object);
	}
	return median(times, changes.count);
}

static void time_table(const char *path, size_t services)
{
	struct loader loader;
	struct snapshot *snapshot;
	uint64_t begun, read, published, listed;

	loader_init(&loader);
	loader.config.table = path;
	begun = clock_monotonic();
	read_table(&loader);
	read = clock_monotonic();
	snapshot = publish(loader.store, loader.table, SNAPSHOT_ALL, true);
	published = clock_monotonic();
	read_table(&loader);
	listed = clock_monotonic();
	printf("read_ms=%.1f publish_ms=%.1f relist_ms=%.1f ", (double)(read - begun) / MILLISECONDS,
		(double)(published - read) / MILLISECONDS, (double)(listed - published) / MILLISECONDS);
	printf("change_us=%.1f ", time_changes(&loader, services));
	snapshot_unref(snapshot);
	loader_finish(&loader);
}

static struct query make_query(uint32_t service, uint32_t namespaces)
{
	struct query query;
	struct name name;
	struct writer w;
	char text[NAME_TEXT_MAX];

	snprintf(text, sizeof(text), "svc-%u.ns-%u.svc.cluster.local", service, service % namespaces);
	assert_true(name_from_text(text, &name));
	writer_init(&w, query.wire, 0, sizeof(query.wire));
	writer_u32(&w, FLAG_RD);
	writer_u32(&w, 1 << 16);
	writer_u32(&w, 0);
	writer_bytes(&w, name.wire, name.length);
	writer_u16(&w, TYPE_A);
	writer_u16(&w, CLASS_IN);
	query.length = (uint16_t)w.length;
	return query;
}

static struct query *make_queries(uint32_t services, uint32_t namespaces)
{
	struct query *queries = memory_zero(QUERIES, sizeof(*queries));
	uint64_t draw = 1;

	for (size_t i = 0; i < QUERIES; i++) {
		uint32_t service;

		do {
			draw = draw * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
			service = (uint32_t)((draw >> 33) % services);
		} while (service % HEADLESS == HEADLESS - 1);
		queries[i] = make_query(service, namespaces);
	}
	return queries;
}

static void prepare(struct whole_chain *whole, struct request *r)
{
	r->router = &whole->router;
	r->transport = TRANSPORT_UDP;
	r->client.in = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a010001)};
	r->local = r->client;
	r->received = whole->worker.now;
}

/* As net/udp.c does it. */
static void answer_batch(struct whole_chain *whole, const struct query *queries)
{
	struct request *requests[BATCH];

	for (size_t i = 0; i < BATCH; i++) {
		requests[i] = request_take(&whole->worker);
		prepare(whole, requests[i]);
		memcpy(requests[i]->wire, queries[i].wire, queries[i].length);
	}
	for (size_t i = 0; i < BATCH; i++)
		query_read(requests[i], queries[i].length);
	for (unsigned step = 1; step < QUERY_STEPS; step++)
		for (size_t i = 0; i < BATCH; i++)
			query_look_ahead(requests[i], step);
	for (size_t i = 0; i < BATCH; i++) {
		if (query_serve(requests[i]) != VERDICT_ANSWERED || message_count(requests[i]->wire, 1) != 1)
			abort();
	}
	for (size_t i = 0; i < BATCH; i++)
		request_release(requests[i]);
}

static uint64_t processor_time(void)
{
	struct timespec time;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return (uint64_t)time.tv_sec * CLOCK_S + (uint64_t)time.tv_nsec;
}

static double round_of(struct whole_chain *whole, const struct query *queries)
{
	uint64_t begun = processor_time();

	for (size_t i = 0; i < QUERIES; i += BATCH)
		answer_batch(whole, queries + i);
	return (double)(processor_time() - begun) / QUERIES;
}

static enum verdict serve_nothing(void *self, struct request *r)
{
	(void)self;
	request_reply(r, RCODE_REFUSED, 0);
	return VERDICT_ANSWERED;
}

static const struct plugin nothing = {.name = "nothing", .serve = serve_nothing};

static double time_queries(const char *path, uint32_t services, uint32_t namespaces)
{
	struct query *queries = make_queries(services, namespaces);
	struct whole_chain whole;
	double times[ROUNDS];
	char text[1024];
	uv_loop_t loop;

	snprintf(
		text, sizeof(text), ". {\nkubernetes cluster.local {\ntable %s\npods insecure\n}\n}\n", path);
	uv_loop_init(&loop);
	whole_chain_start(&whole, text, &loop, &nothing, NULL);
	whole_chain_refresh(&whole);
	for (size_t i = 0; i < ROUNDS; i++)
		times[i] = round_of(&whole, queries);
	whole_chain_stop(&whole);
	uv_run(&loop, UV_RUN_DEFAULT);
	whole_chain_finish(&whole);
	uv_loop_close(&loop);
	memory_free(queries);
	return median(times, ROUNDS);
}

int main(int argc, char **argv)
{
	uint32_t services = argc == 4 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0;
	uint32_t namespaces = argc == 4 ? (uint32_t)strtoul(argv[3], NULL, 10) : 0;

	if (services < HEADLESS || !namespaces) {
		fprintf(stderr, "usage: cost FILE SERVICES NAMESPACES\n");
		return 2;
	}
	time_table(argv[1], services);
	printf("query_ns=%.1f\n", time_queries(argv[1], services, namespaces));
	return 0;
}
