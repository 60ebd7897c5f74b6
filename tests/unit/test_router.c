/* Which chain a name goes to: the longest zone, and the parent's side for DS. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "svcdns/memory.h"
#include "svcdns/router.h"
#include "svcdns/types.h"

/* A chain of its own for each zone; chains[i] answers zones[i]. */
static void build(struct router *router, const char *const *zones, unsigned count, struct chain *chains)
{
	struct route *routes = memory_zero(count, sizeof(*routes));

	memset(chains, 0, count * sizeof(*chains));
	for (unsigned i = 0; i < count; i++) {
		assert_true(name_from_text(zones[i], &routes[i].zone));
		routes[i].chain = &chains[i];
	}
	router_init(router, routes, count);
}

static const struct chain *find(const struct router *router, const char *text, uint16_t type)
{
	const struct route *route;
	struct name name;

	assert_true(name_from_text(text, &name));
	route = router_find(router, &name, type);
	return route ? route->chain : NULL;
}

static void test_longest_zone(void **state)
{
	static const char *const zones[] = {
		"cluster.local", ".", "example.org", "sub.example.org", "10.in-addr.arpa"};
	static const struct {
		const char *name;
		int zone;
	} cases[] = {
		{"a.b.cluster.local", 0},
		{"cluster.local", 0},
		{"xcluster.local", 1},
		{"local", 1},
		{".", 1},
		{"example.org", 2},
		{"www.example.org", 2},
		{"sub.example.org", 3},
		{"x.y.sub.example.org", 3},
		{"1.10.in-addr.arpa", 4},
		{"1.110.in-addr.arpa", 1},
	};
	struct chain chains[ARRAY_LENGTH(zones)];
	struct router router;

	(void)state;
	build(&router, zones, ARRAY_LENGTH(zones), chains);
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
		assert_ptr_equal(find(&router, cases[i].name, TYPE_A), &chains[cases[i].zone]);
	router_finish(&router);
}

static void test_no_zone(void **state)
{
	static const char *const zones[] = {"example.org"};
	struct chain chains[1];
	struct router router;

	(void)state;
	build(&router, zones, 1, chains);
	assert_null(find(&router, "example.com", TYPE_A));
	assert_null(find(&router, "org", TYPE_A));
	assert_null(find(&router, ".", TYPE_A));
	router_finish(&router);
	router_init(&router, NULL, 0);
	assert_null(find(&router, "example.com", TYPE_A));
	router_finish(&router);
}

static void test_ds_belongs_to_the_parent(void **state)
{
	static const char *const zones[] = {"sub.example.org", "example.org", "."};
	struct chain chains[ARRAY_LENGTH(zones)];
	struct router router;

	(void)state;
	build(&router, zones, ARRAY_LENGTH(zones), chains);
	assert_ptr_equal(find(&router, "sub.example.org", TYPE_DS), &chains[1]);
	assert_ptr_equal(find(&router, "x.sub.example.org", TYPE_DS), &chains[0]);
	assert_ptr_equal(find(&router, "sub.example.org", TYPE_A), &chains[0]);
	/* Its parent is served only as part of the root: the zone itself is asked, as CoreDNS does. */
	assert_ptr_equal(find(&router, "example.org", TYPE_DS), &chains[1]);
	router_finish(&router);
}

static void test_many_zones(void **state)
{
	char texts[256][32];
	const char *zones[256];
	struct chain chains[256];
	struct router router;

	(void)state;
	for (unsigned i = 0; i < 256; i++) {
		snprintf(texts[i], sizeof(texts[i]), "%u.2.10.in-addr.arpa", i);
		zones[i] = texts[i];
	}
	build(&router, zones, 256, chains);
	for (unsigned i = 0; i < 256; i++) {
		char below[48];

		snprintf(below, sizeof(below), "7.%s", zones[i]);
		assert_ptr_equal(find(&router, below, TYPE_PTR), &chains[i]);
	}
	assert_null(find(&router, "7.256.2.10.in-addr.arpa", TYPE_PTR));
	router_finish(&router);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_longest_zone),
		cmocka_unit_test(test_no_zone),
		cmocka_unit_test(test_ds_belongs_to_the_parent),
		cmocka_unit_test(test_many_zones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
