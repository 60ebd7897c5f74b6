/* Prefixes, and sets of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "svcdns/address_set.h"
#include "svcdns/random.h"

static struct ip ip(const char *text)
{
	struct ip ret;

	assert_true(ip_parse(text, &ret));
	return ret;
}

static void test_prefixes(void **state)
{
	static const struct {
		const char *text, *back, *inside, *outside;
	} table[] = {
		{"10.0.0.0/8", "10.0.0.0/8", "10.255.255.255", "11.0.0.0"},
		{"10.1.2.3/8", "10.0.0.0/8", "10.0.0.0", "9.255.255.255"},
		{"10.1.2.3/32", "10.1.2.3/32", "10.1.2.3", "10.1.2.2"},
		{"192.0.2.128/25", "192.0.2.128/25", "192.0.2.200", "192.0.2.127"},
		{"0.0.0.0/0", "0.0.0.0/0", "255.255.255.255", "::"},
		{"fd00::1/8", "fd00::/8", "fdff::1", "fc00::1"},
		{"2001:db8::/031", "2001:db8::/31", "2001:db9:ffff::", "2001:dba::"},
		{"::1/128", "::1/128", "::1", "::"},
		{"::/0", "::/0", "ffff::", "10.0.0.1"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		struct ip inside = ip(table[i].inside), outside = ip(table[i].outside);
		struct prefix prefix;
		char text[PREFIX_TEXT_MAX];

		assert_true(prefix_parse(table[i].text, &prefix));
		prefix_text(&prefix, text);
		assert_string_equal(text, table[i].back);
		assert_true(prefix_holds(&prefix, &inside));
		assert_false(prefix_holds(&prefix, &outside));
	}
}

static void test_refused_prefixes(void **state)
{
	static const char *const table[] = {"", "/8", "10.0.0.1", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/8 ",
		"10.0.0.0/-1", "10.0.0.0/+8", "10.0/8", "::/129", "::1%lo/64", "::/99999999999999999999999"};
	struct prefix prefix = {.bits = 77};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++)
		assert_false(prefix_parse(table[i], &prefix));
	assert_int_equal(prefix.bits, 77); /* untouched */
}

static void test_order_of_addresses(void **state)
{
	const struct ip one = ip("255.0.0.1"), two = ip("255.0.0.2"), six = ip("::1");

	(void)state;
	assert_true(ip_compare(&one, &two) < 0);
	assert_true(ip_compare(&two, &one) > 0);
	assert_true(ip_compare(&two, &six) < 0);
	assert_true(ip_compare(&six, &one) > 0);
	assert_int_equal(ip_compare(&six, &six), 0);
}

/* Networks within each other, side by side, twice: what a set holds is what one of its prefixes holds. */
static void test_sets(void **state)
{
	static const char *const texts[] = {"10.0.0.0/9", "10.0.0.0/8", "10.2.0.0/16", "10.0.0.0/8",
		"11.0.0.0/8", "192.0.2.7/32", "192.0.2.9/32", "255.255.255.255/32", "0.0.0.0/32", "fd00::/8",
		"fd12::/16", "::/128", "2001:db8::/32"};
	static const char *const probes[] = {"0.0.0.0", "0.0.0.1", "9.255.255.255", "10.0.0.0", "10.128.0.0",
		"10.255.255.255", "11.0.0.0", "11.255.255.255", "12.0.0.0", "192.0.2.6", "192.0.2.7",
		"192.0.2.8", "192.0.2.9", "192.0.2.10", "255.255.255.254", "255.255.255.255", "::", "::1",
		"2001:db7:ffff::", "2001:db8::", "2001:db8:ffff::", "2001:db9::", "fcff::", "fd00::",
		"fd12::1", "fdff::", "fe00::", "ffff::"};
	struct prefix prefixes[ARRAY_LENGTH(texts)];
	struct arena arena;

	(void)state;
	arena_init(&arena);
	for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
		assert_true(prefix_parse(texts[i], &prefixes[i]));
	for (size_t count = 0; count <= ARRAY_LENGTH(texts); count++) {
		struct address_set set = address_set_make(&arena, prefixes, count);

		for (size_t i = 0; i < ARRAY_LENGTH(probes); i++) {
			struct ip probe = ip(probes[i]);
			bool expected = false;

			for (size_t j = 0; j < count; j++)
				expected |= prefix_holds(&prefixes[j], &probe);
			assert_int_equal(address_set_holds(&set, &probe), expected);
		}
	}
	arena_finish(&arena);
}

/* The same with small prefixes by chance, all addresses of a network tried. */
static void test_random_sets(void **state)
{
	struct random random = {0};
	struct arena arena;

	(void)state;
	arena_init(&arena);
	for (int round = 0; round < 200; round++) {
		struct prefix prefixes[8];
		struct address_set set;

		for (size_t i = 0; i < ARRAY_LENGTH(prefixes); i++) {
			char text[PREFIX_TEXT_MAX];
			struct prefix any = {
				.ip = ip("10.0.0.0"), .bits = (uint8_t)(24 + random_below(&random, 9))};

			any.ip.bytes[3] = (uint8_t)random_below(&random, 256);
			prefix_text(&any, text);
			assert_true(prefix_parse(text, &prefixes[i]));
		}
		set = address_set_make(&arena, prefixes, ARRAY_LENGTH(prefixes));
		for (unsigned last = 0; last < 256; last++) {
			struct ip probe = ip("10.0.0.0");
			bool expected = false;

			probe.bytes[3] = (uint8_t)last;
			for (size_t i = 0; i < ARRAY_LENGTH(prefixes); i++)
				expected |= prefix_holds(&prefixes[i], &probe);
			assert_int_equal(address_set_holds(&set, &probe), expected);
		}
	}
	arena_finish(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_refused_prefixes),
		cmocka_unit_test(test_order_of_addresses),
		cmocka_unit_test(test_sets),
		cmocka_unit_test(test_random_sets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
