/* The ledger against a plain array, by random changes; audits of it; how requests are limited. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/cluster/audit.h"
#include "../../src/cluster/limiter.h"
#include "svcdns/random.h"

#define NAMES 400

/* Names that collide: many have the same place, also at the end of the table. */
static uint64_t name_of(uint32_t i)
{
	return (uint64_t)(i % 7 + 58) + (uint64_t)i * 1024;
}

static void compare(const struct ledger *ledger, const uint32_t versions[NAMES])
{
	size_t count = 0;

	for (uint32_t i = 0; i < NAMES; i++) {
		const struct ledger_entry *entry = ledger_find(ledger, name_of(i));

		assert_int_equal(entry != NULL, versions[i] != 0);
		if (entry)
			assert_int_equal(entry->version, versions[i]);
		count += entry != NULL;
	}
	assert_int_equal(ledger->count, count);
}

static void test_changes(void **state)
{
	uint32_t versions[NAMES] = {0};
	struct random random = {0};
	struct ledger ledger;

	(void)state;
	ledger_init(&ledger);
	for (uint32_t round = 1; round < 20000; round++) {
		uint32_t i = random_below(&random, NAMES);

		if (random_below(&random, 3)) {
			ledger_put(&ledger, name_of(i), round);
			versions[i] = round;
		} else {
			ledger_remove(&ledger, name_of(i));
			versions[i] = 0;
		}
		if (round % 500 == 0)
			compare(&ledger, versions);
	}
	ledger_finish(&ledger);
}

static void test_lists(void **state)
{
	uint32_t versions[NAMES] = {0};
	struct random random = {0};
	struct ledger ledger;

	(void)state;
	ledger_init(&ledger);
	for (uint32_t list = 1; list < 50; list++) {
		ledger_begin_list(&ledger);
		for (uint32_t i = 0; i < NAMES; i++) {
			versions[i] = random_below(&random, 2) ? list : 0;
			if (versions[i])
				ledger_put(&ledger, name_of(i), list);
		}
		ledger_sweep(&ledger);
		compare(&ledger, versions);
	}
	ledger_finish(&ledger);
}

/* An audit of a list that has names 0 .. count - 1 in version 1. */
static size_t audit_list(struct audit *audit, struct ledger *ledger, uint32_t count)
{
	audit_begin(audit, ledger);
	for (uint32_t i = 0; i < count; i++)
		audit_object(audit, ledger, name_of(i), 1);
	return audit_end(audit, ledger);
}

static void test_audits(void **state)
{
	struct audit audit = {0};
	struct ledger ledger;

	(void)state;
	ledger_init(&ledger);
	for (uint32_t i = 0; i < 10; i++)
		ledger_put(&ledger, name_of(i), 1);
	assert_int_equal(audit_list(&audit, &ledger, 10), 0);
	assert_int_equal(audit.found.count, 0);
	assert_int_equal(audit_list(&audit, &ledger, 11), 0); /* one more there: perhaps on its way */
	assert_int_equal(audit.found.count, 1);
	assert_int_equal(audit_list(&audit, &ledger, 11), 1); /* it was not */
	assert_int_equal(audit_list(&audit, &ledger, 8), 0);  /* two gone there, since the last audit */
	assert_int_equal(audit_list(&audit, &ledger, 8), 2);
	ledger_put(&ledger, name_of(8), 2); /* it changes: events do come for it */
	assert_int_equal(audit_list(&audit, &ledger, 8), 1);
	ledger_put(&ledger, name_of(3), 5); /* another version there */
	assert_int_equal(audit_list(&audit, &ledger, 8), 2);
	assert_int_equal(audit_list(&audit, &ledger, 8), 3);
	ledger_finish(&ledger);
}

/* What comes while an audit is under way is no difference. */
static void test_change_during_an_audit(void **state)
{
	struct audit audit = {0};
	struct ledger ledger;

	(void)state;
	ledger_init(&ledger);
	audit_begin(&audit, &ledger);
	ledger_put(&ledger, name_of(1), 1);
	assert_int_equal(audit_end(&audit, &ledger), 0);
	assert_int_equal(audit.found.count, 0);
	ledger_finish(&ledger);
}

static void test_rate(void **state)
{
	struct limiter limiter;
	uint64_t now = 1000 * CLOCK_S;

	(void)state;
	limiter_init(&limiter, 0, 0, 0);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(limiter_take(&limiter, now), 0);
	limiter_init(&limiter, 4, 3, 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(limiter_take(&limiter, now), 0);
	assert_in_range(limiter_take(&limiter, now), 249 * CLOCK_MS, 251 * CLOCK_MS);
	assert_int_equal(limiter_take(&limiter, now + 251 * CLOCK_MS), 0);
	assert_in_range(limiter_take(&limiter, now + 251 * CLOCK_MS), 1, 251 * CLOCK_MS);
	now += 3600 * CLOCK_S; /* no more than the burst is saved up */
	for (int i = 0; i < 3; i++)
		assert_int_equal(limiter_take(&limiter, now), 0);
	assert_int_not_equal(limiter_take(&limiter, now), 0);
}

static void test_inflight(void **state)
{
	struct limiter limiter;

	(void)state;
	limiter_init(&limiter, 0, 0, 2);
	assert_int_equal(limiter_take(&limiter, 1), 0);
	assert_int_equal(limiter_take(&limiter, 1), 0);
	assert_int_not_equal(limiter_take(&limiter, 1), 0);
	limiter_answered(&limiter);
	assert_int_equal(limiter_take(&limiter, 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_audits),
		cmocka_unit_test(test_change_during_an_audit),
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_inflight),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
