/* A request's wait for the limiter, as it is counted. How requests are made and read is tested with the API
 * server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/cluster/fetch.h"

#define NOW (1000 * CLOCK_S)

struct fixture {
	struct limiter limiter;
	struct feed_counts counts;
	struct fetch fetch, other;
};

/* One request in two seconds, none of them saved up. */
static void begin(struct fixture *f)
{
	*f = (struct fixture){0};
	limiter_init(&f->limiter, 0.5, 1, 0);
	f->fetch.limiter = f->other.limiter = &f->limiter;
	f->fetch.counts = f->other.counts = &f->counts;
}

static void expect(
	const struct fixture *f, uint64_t count, size_t bucket, uint64_t in_bucket, uint64_t sum_ns)
{
	const struct feed_histogram *waits = &f->counts.limiter_waits;

	assert_int_equal(waits->count, count);
	assert_int_equal(waits->buckets[bucket], in_bucket);
	assert_in_range(waits->sum_ns, sum_ns, sum_ns + CLOCK_MS);
}

static void test_no_wait(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	assert_int_equal(fetch_wait(&f.fetch, NOW), 0);
	expect(&f, 1, 0, 1, 0);
}

/* From the first asking on, however often it is asked again. */
static void test_wait(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	assert_int_equal(fetch_wait(&f.other, NOW), 0);
	assert_int_not_equal(fetch_wait(&f.fetch, NOW), 0);
	assert_int_not_equal(fetch_wait(&f.fetch, NOW + CLOCK_S), 0);
	expect(&f, 1, 0, 1, 0); /* the other one */
	assert_int_equal(fetch_wait(&f.fetch, NOW + 2 * CLOCK_S + CLOCK_MS), 0);
	expect(&f, 2, 8, 1, 2 * CLOCK_S);			      /* up to 2.5 s */
	assert_int_equal(fetch_wait(&f.fetch, NOW + 5 * CLOCK_S), 0); /* the next one begins anew */
	expect(&f, 3, 0, 2, 2 * CLOCK_S);
}

static void test_wait_that_is_given_up(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	assert_int_equal(fetch_wait(&f.other, NOW), 0);
	assert_int_not_equal(fetch_wait(&f.fetch, NOW), 0);
	fetch_give_up_wait(&f.fetch);
	assert_int_equal(fetch_wait(&f.fetch, NOW + 60 * CLOCK_S), 0);
	expect(&f, 2, 0, 2, 0);
}

static void test_request_that_does_not_ask(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	assert_int_equal(fetch_wait(&f.other, NOW), 0);
	fetch_skip_wait(&f.fetch);
	expect(&f, 2, 0, 2, 0);
	assert_int_equal(f.limiter.waiting, 2); /* for their answers */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_wait),
		cmocka_unit_test(test_wait),
		cmocka_unit_test(test_wait_that_is_given_up),
		cmocka_unit_test(test_request_that_does_not_ask),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
