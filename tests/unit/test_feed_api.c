/* A feed from an API server, as its users see it: when it is ready, what its snapshots know, what it counts.
 * The server is a thread that answers each watch with what stands here, and holds it open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <time.h>

#include "../support/plugin_lab.h"
#include "../support/table_text.h"
#include "svcdns/access.h"
#include "svcdns/clock.h"
#include "svcdns/feed.h"
#include "svcdns/interrupt.h"

#define PATIENCE (30 * CLOCK_S)

#define EVENT(type, kind, version, rest)                                                                     \
	"{\"type\":\"" type "\",\"object\":{\"kind\":\"" kind "\",\"apiVersion\":\"" version "\"," rest "}}" \
	"\n"
#define END(kind, version)                                                                                   \
	EVENT("BOOKMARK", kind, version,                                                                     \
		"\"metadata\":{\"resourceVersion\":\"9\",\"annotations\":{\"k8s.io/"                         \
		"initial-events-end\":\"true\"}}")

static const char namespaces[] =
	EVENT("ADDED", "Namespace", "v1", "\"metadata\":{\"name\":\"shop\"}") END("Namespace", "v1");
static const char services[] = EVENT("ADDED", "Service", "v1",
	"\"metadata\":{\"name\":\"web\",\"namespace\":\"shop\"},\"spec\":{\"clusterIP\":\"None\"}")
	END("Service", "v1");
static const char slices[] = END("EndpointSlice", "discovery.k8s.io/v1") EVENT("ADDED", "EndpointSlice",
	"discovery.k8s.io/v1",
	"\"metadata\":{\"name\":\"web-1\",\"namespace\":\"shop\",\"labels\":{\"kubernetes.io/"
	"service-name\":\"web\"},"
	"\"annotations\":{\"endpoints.kubernetes.io/last-change-trigger-time\":\"2020-01-02T03:04:05.5Z\"}},"
	"\"addressType\":\"IPv4\",\"endpoints\":[{\"addresses\":[\"10.1.0.1\"]}],\"ports\":[]");

struct server {
	int listener;
	uint16_t port;
	const char *refused; /* a path that gets 403; NULL: none */
	pthread_t thread;
	int open[16];
	size_t count;
};

static atomic_uint answers; /* of all servers */

static void answer(const struct server *server, int fd)
{
	static const struct {
		const char *path, *body;
	} bodies[] = {{"/namespaces?", namespaces}, {"/services?", services}, {"/endpointslices?", slices}};
	char request[2048] = "", response[4096];
	size_t length = 0;

	while (!strstr(request, "\r\n\r\n")) {
		ssize_t n = recv(fd, request + length, sizeof(request) - 1 - length, 0);

		if (n <= 0)
			return;
		length += (size_t)n;
	}
	for (size_t i = 0; i < 3; i++)
		if (strstr(request, bodies[i].path))
			snprintf(response, sizeof(response),
				"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: "
				"chunked\r\n\r\n"
				"%zx\r\n%s\r\n",
				strlen(bodies[i].body), bodies[i].body);
	if (server->refused && strstr(request, server->refused))
		snprintf(response, sizeof(response), "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n");
	send(fd, response, strlen(response), MSG_NOSIGNAL);
	atomic_fetch_add(&answers, 1);
}

static void *serve(void *argument)
{
	struct server *server = argument;
	int fd;

	while ((fd = accept(server->listener, NULL, NULL)) >= 0) {
		answer(server, fd);
		assert_true(server->count < 16);
		server->open[server->count++] = fd;
	}
	return NULL;
}

static void server_start(struct server *server, const char *refused)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);

	*server = (struct server){.refused = refused};
	server->listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(server->listener, (struct sockaddr *)&address, length), 0);
	assert_int_equal(getsockname(server->listener, (struct sockaddr *)&address, &length), 0);
	assert_int_equal(listen(server->listener, 16), 0);
	server->port = ntohs(address.sin_port);
	assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

static void server_stop(struct server *server)
{
	shutdown(server->listener, SHUT_RDWR);
	pthread_join(server->thread, NULL);
	close(server->listener);
	for (size_t i = 0; i < server->count; i++)
		close(server->open[i]);
}

struct fixture {
	struct server server;
	char endpoint[64];
	struct feed_config config;
	struct feed *feed;
	struct feed_subscriber *subscriber;
	struct snapshot *snapshot;
};

static void open_feed(struct fixture *f, const char *refused, int64_t startup_timeout_ns)
{
	struct access_options options = {.endpoint = f->endpoint};
	struct error error = {""};

	memset(f, 0, sizeof(*f));
	server_start(&f->server, refused);
	snprintf(f->endpoint, sizeof(f->endpoint), "http://127.0.0.1:%u", f->server.port);
	f->config.endpoints = true;
	f->config.api.access = access_open(&options, &error);
	f->config.api.startup_timeout_ns = startup_timeout_ns;
	assert_non_null(f->config.api.access);
	f->feed = feed_open(&f->config, &error);
	assert_non_null(f->feed);
	f->subscriber = feed_subscribe(f->feed);
	f->snapshot = feed_take(f->subscriber);
	assert_non_null(f->snapshot);
}

static void close_feed(struct fixture *f)
{
	feed_unsubscribe(f->subscriber);
	feed_close(f->feed);
	snapshot_unref(f->snapshot);
	access_close(f->config.api.access);
	server_stop(&f->server);
}

static void take(struct fixture *f)
{
	struct snapshot *fresh = feed_take(f->subscriber);

	if (!fresh)
		return;
	snapshot_unref(f->snapshot);
	f->snapshot = fresh;
}

static void await_endpoints(struct fixture *f, size_t endpoints)
{
	uint64_t end = clock_monotonic() + PATIENCE;

	while (snapshot_counts(f->snapshot).endpoints != endpoints) {
		assert_true(clock_monotonic() < end);
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
		take(f);
	}
}

static const struct feed_resource *resource(const struct feed_counts *counts, const char *name)
{
	for (size_t i = 0; i < FEED_RESOURCES; i++)
		if (counts->resources[i].name && strcmp(counts->resources[i].name, name) == 0)
			return &counts->resources[i];
	return NULL;
}

/* Counts are brought out once a second. */
static struct feed_counts await_slice_counted(struct fixture *f)
{
	uint64_t end = clock_monotonic() + PATIENCE;
	struct feed_counts counts = feed_counts(f->feed);

	while (!counts.headless.count) {
		assert_true(clock_monotonic() < end);
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
		counts = feed_counts(f->feed);
	}
	return counts;
}

static struct feed_counts await_failure(struct fixture *f, const char *name)
{
	uint64_t end = clock_monotonic() + PATIENCE;
	struct feed_counts counts = feed_counts(f->feed);

	while (!resource(&counts, name) || !*resource(&counts, name)->failure) {
		assert_true(clock_monotonic() < end);
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
		counts = feed_counts(f->feed);
	}
	return counts;
}

static void test_ready_feed(void **state)
{
	struct fixture f;
	struct feed_counts counts;
	const struct feed_resource *found;

	(void)state;
	open_feed(&f, NULL, (int64_t)PATIENCE); /* returns when all has been listed */
	assert_true(snapshot_is_synced(f.snapshot));
	assert_true(has_namespace(f.snapshot, "shop"));
	assert_non_null(find_service(f.snapshot, "shop", "web"));
	await_endpoints(&f, 1);
	counts = await_slice_counted(&f);
	assert_int_equal(counts.headless.count, 1);
	assert_int_equal(counts.cluster_ip.count, 0);
	assert_true(counts.headless.sum_ns >
		    UINT64_C(100000000) * CLOCK_S); /* seconds since 2020, more than all buckets have */
	for (size_t i = 0; i < FEED_BUCKETS; i++)
		assert_int_equal(counts.headless.buckets[i], 0);
	assert_int_equal(counts.codes[0].code, 200);
	assert_int_equal(counts.codes[0].count, 3);
	assert_int_equal(counts.codes[1].count, 0);
	assert_int_equal(counts.requests.count, 3);
	assert_null(resource(&counts, "pods")); /* nobody wants them */
	found = resource(&counts, "endpointslices");
	assert_true(found->is_synced);
	assert_int_equal(found->objects, 1);
	assert_int_equal(found->events, 1);
	assert_int_equal(found->lists, 1);
	assert_int_equal(found->failures, 0);
	assert_int_equal(found->octets, sizeof(slices) - 1);
	assert_true(found->silent_ns < PATIENCE);
	close_feed(&f);
}

static void test_forbidden_resource(void **state)
{
	struct fixture f;
	struct feed_counts counts;

	(void)state;
	open_feed(&f, "/endpointslices?", 300 * (int64_t)CLOCK_MS);
	assert_false(snapshot_is_synced(f.snapshot));
	assert_true(snapshot_knows(f.snapshot, SNAPSHOT_NAMESPACES | SNAPSHOT_SERVICES));
	assert_true(snapshot_knows(f.snapshot, SNAPSHOT_PODS)); /* not read at all */
	assert_false(snapshot_knows(f.snapshot, SNAPSHOT_ENDPOINTS));
	assert_non_null(find_service(f.snapshot, "shop", "web"));
	counts = await_failure(&f, "endpointslices");
	assert_true(resource(&counts, "services")->is_synced);
	assert_string_equal(resource(&counts, "services")->failure, "");
	assert_false(resource(&counts, "endpointslices")->is_synced);
	assert_non_null(strstr(resource(&counts, "endpointslices")->failure, "answers 403: no reason given"));
	close_feed(&f);
}

static void *interrupt(void *argument)
{
	(void)argument;
	while (atomic_load(&answers) < 3)
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	interrupt_request();
	return NULL;
}

/* The last one, since it is for good. */
static void test_start_that_is_interrupted(void **state)
{
	struct capture capture;
	struct fixture f;
	pthread_t thread;
	const char *text;
	uint64_t begun = clock_monotonic();

	(void)state;
	atomic_store(&answers, 0);
	capture_begin(&capture);
	assert_int_equal(pthread_create(&thread, NULL, interrupt, NULL), 0);
	open_feed(&f, "/endpointslices?", (int64_t)PATIENCE);
	pthread_join(thread, NULL);
	assert_false(snapshot_is_synced(f.snapshot));
	close_feed(&f);
	text = capture_end(&capture);
	assert_null(strstr(text, "starting server with unsynced"));
	assert_true(clock_monotonic() - begun < PATIENCE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ready_feed),
		cmocka_unit_test(test_forbidden_resource),
		cmocka_unit_test(test_start_that_is_interrupted),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
