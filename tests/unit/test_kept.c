/* What one configuration leaves to the next, and the upstreams among it: two configurations share them on a
 * worker. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "../../src/plugins/forward/pool.h"
#include "../support/plugin_lab.h"
#include "svcdns/kept.h"

static int created, destroyed;

static void *create(void *context, struct error *error)
{
	if (!context) {
		error_set(error, "refused");
		return NULL;
	}
	created++;
	return context;
}

static void destroy(void *object)
{
	(void)object;
	destroyed++;
}

static void test_objects_by_key(void **state)
{
	struct kept *kept = kept_create();
	struct error error = {0};
	int one, other, third;

	(void)state;
	created = destroyed = 0;
	assert_ptr_equal(kept_take(kept, "a", create, &one, destroy, &error), &one);
	assert_ptr_equal(kept_take(kept, "b", create, &other, destroy, &error), &other);
	assert_ptr_equal(kept_take(kept, "a", create, &third, destroy, &error), &one);
	assert_int_equal(created, 2);
	kept_release(kept, &one);
	assert_int_equal(destroyed, 0);
	kept_release(kept, &one);
	assert_int_equal(destroyed, 1);
	assert_ptr_equal(kept_take(kept, "a", create, &third, destroy, &error), &third);
	kept_release(kept, &third);
	kept_release(kept, &other);
	kept_release(kept, NULL);
	assert_int_equal(destroyed, 3);
	kept_destroy(kept);
}

static void test_what_cannot_be_made(void **state)
{
	struct kept *kept = kept_create();
	struct error error = {0};

	(void)state;
	assert_null(kept_take(kept, "a", create, NULL, destroy, &error));
	assert_string_equal(error.message, "refused");
	kept_destroy(kept);
}

static void key_of(const char *text, const char *const *except, struct buffer *ret)
{
	struct corefile corefile;
	struct error error;

	buffer_init(ret);
	assert_true(corefile_parse(&corefile, "Corefile", text, strlen(text), registry_knows, &error));
	setup_key_add(ret, corefile.blocks->directives, except);
	corefile_finish(&corefile);
}

static void test_keys(void **state)
{
	static const char *const except[] = {"ttl", "pods", NULL};
	struct buffer one, other;

	(void)state;
	key_of(". {\n kubernetes a b {\n ttl 3\n labels x\n pods verified\n }\n}\n", except, &one);
	assert_string_equal(one.bytes, "\nkubernetes a b {\nlabels x\n}");
	key_of("# here\n. {\n\n kubernetes   a b {\n labels x\n }\n}\n", NULL, &other);
	assert_string_equal(one.bytes, other.bytes);
	buffer_finish(&one);
	buffer_finish(&other);
}

extern const struct plugin plugin_forward;

/* Upstreams. Nobody answers at their address. */

struct user { /* as a configuration on one worker */
	unsigned failed;
};

static void on_done(void *context, struct request *request)
{
	struct user *user = context;

	assert_true(request->bare);
	assert_int_equal(request->rcode, RCODE_SERVFAIL);
	user->failed++;
	request_release(request);
}

static void ask(struct upstream_group *group, struct worker *worker, struct user *user)
{
	struct name name;

	name_from_text("a.test", &name);
	assert_int_equal(
		upstream_ask(group, request_own(worker, &name, TYPE_A), on_done, user), VERDICT_PENDING);
}

static void test_each_has_its_own_queries(void **state)
{
	union address silent = {.in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}};
	struct upstream_config config = {.servers = &silent,
		.server_count = 1,
		.read_timeout = INT64_MAX / 2,
		.max_connect_attempts = 1};
	socklen_t length = sizeof(silent.in);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct user first = {0}, second = {0};
	struct upstream_group *group;
	struct worker worker;
	struct pool *pool;
	struct lab lab;
	uv_loop_t loop;

	(void)state;
	assert_int_equal(bind(fd, &silent.any, length), 0);
	assert_int_equal(getsockname(fd, &silent.any, &length), 0);
	assert_true(lab_read(&lab, &plugin_forward, "forward . 127.0.0.1"));
	uv_loop_init(&loop);
	worker_init(&worker, 0, &loop);
	worker.now = clock_monotonic();
	pool = pool_take(&lab.setup, lab.setup.directive, 0, &config);
	assert_ptr_equal(pool_take(&lab.setup, lab.setup.directive, 0, &config), pool);
	group = pool_start(pool, &worker);
	assert_ptr_equal(pool_start(pool, &worker), group);
	ask(group, &worker, &first);
	ask(group, &worker, &second);
	ask(group, &worker, &first);
	pool_stop(pool, &worker, &first);
	assert_int_equal(first.failed, 2);
	assert_int_equal(second.failed, 0);
	pool_stop(pool, &worker, &second);
	assert_int_equal(second.failed, 1);
	uv_run(&loop, UV_RUN_DEFAULT);
	pool_release(&lab.setup, pool);
	pool_release(&lab.setup, pool);
	worker_finish(&worker);
	assert_int_equal(uv_loop_close(&loop), 0);
	lab_finish(&lab);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_objects_by_key),
		cmocka_unit_test(test_what_cannot_be_made),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_each_has_its_own_queries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
