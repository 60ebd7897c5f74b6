/* Timers of a worker, by a clock of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "svcdns/random.h"
#include "svcdns/worker.h"

struct bell {
	struct timer timer;
	struct fixture *fixture;
	char name;
	uint64_t again; /* ns after which it is to ring once more; 0: not */
};

struct fixture {
	struct worker worker;
	struct bell bells[26];
	char rung[64];
};

static void ring(struct timer *timer)
{
	struct bell *bell = CONTAINER_OF(timer, struct bell, timer);
	struct fixture *f = bell->fixture;

	snprintf(f->rung + strlen(f->rung), 2, "%c", bell->name);
	if (bell->again)
		timer_set(&f->worker, timer, f->worker.now + bell->again, ring);
	bell->again = 0;
}

static void init(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	worker_init(&f->worker, 0, NULL);
	for (unsigned i = 0; i < ARRAY_LENGTH(f->bells); i++) {
		f->bells[i].fixture = f;
		f->bells[i].name = (char)('a' + i);
	}
}

static void set(struct fixture *f, char name, uint64_t due)
{
	timer_set(&f->worker, &f->bells[name - 'a'].timer, due, ring);
}

static const char *run(struct fixture *f, uint64_t now)
{
	f->rung[0] = '\0';
	f->worker.now = now;
	timers_run(&f->worker);
	return f->rung;
}

static void test_order(void **state)
{
	struct fixture f;

	(void)state;
	init(&f);
	assert_int_equal(timers_next(&f.worker), UINT64_MAX);
	set(&f, 'a', 30);
	set(&f, 'b', 10);
	set(&f, 'c', 20);
	set(&f, 'd', 20); /* of two for the same time the one that was set first */
	set(&f, 'e', 40);
	assert_int_equal(timers_next(&f.worker), 10);
	assert_string_equal(run(&f, 9), "");
	assert_string_equal(run(&f, 10), "b");
	assert_string_equal(run(&f, 35), "cda");
	assert_int_equal(timers_next(&f.worker), 40);
	assert_string_equal(run(&f, 50), "e");
	assert_string_equal(run(&f, UINT64_MAX - 1), "");
	worker_finish(&f.worker);
}

static void test_set_again_and_cancelled(void **state)
{
	struct fixture f;

	(void)state;
	init(&f);
	set(&f, 'a', 10);
	set(&f, 'b', 20);
	set(&f, 'c', 30);
	set(&f, 'a', 25);
	timer_cancel(&f.worker, &f.bells[1].timer);
	timer_cancel(&f.worker, &f.bells[1].timer);
	assert_int_equal(timers_next(&f.worker), 25);
	timer_cancel(&f.worker, &f.bells[2].timer);
	assert_string_equal(run(&f, 100), "a");
	worker_finish(&f.worker);
}

static void test_set_again_when_it_expires(void **state)
{
	struct fixture f;

	(void)state;
	init(&f);
	set(&f, 'a', 10);
	set(&f, 'b', 12);
	f.bells[0].again = 5;
	assert_string_equal(run(&f, 12), "ab");
	assert_int_equal(timers_next(&f.worker), 17);
	assert_string_equal(run(&f, 17), "a");
	worker_finish(&f.worker);
}

/* Many, set and cancelled by chance: they come in order, each once. */
static void test_by_chance(void **state)
{
	struct random random = {0};

	(void)state;
	for (int round = 0; round < 300; round++) {
		struct fixture f;
		size_t expected = 0;
		uint64_t last = 0;

		init(&f);
		for (int i = 0; i < 60; i++) {
			char name = (char)('a' + random_below(&random, ARRAY_LENGTH(f.bells)));

			if (random_below(&random, 4))
				set(&f, name, 1 + random_below(&random, 50));
			else
				timer_cancel(&f.worker, &f.bells[name - 'a'].timer);
		}
		for (size_t i = 0; i < ARRAY_LENGTH(f.bells); i++)
			expected += f.bells[i].timer.expired != NULL;
		for (uint64_t next; (next = timers_next(&f.worker)) != UINT64_MAX; last = next) {
			assert_true(next > last);
			expected -= strlen(run(&f, next));
		}
		assert_int_equal(expected, 0);
		worker_finish(&f.worker);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_set_again_and_cancelled),
		cmocka_unit_test(test_set_again_when_it_expires),
		cmocka_unit_test(test_by_chance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
