/* Addresses to text and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "svcdns/address.h"

static void test_text(void **state)
{
	static const struct {
		const char *text, *back, *with_port;
		uint8_t family;
	} cases[] = {
		{"10.96.0.10", "10.96.0.10", "10.96.0.10:53", 4},
		{"::1", "::1", "[::1]:53", 6},
		{"2001:DB8:0:0::1", "2001:db8::1", "[2001:db8::1]:53", 6},
		{"::ffff:10.0.0.1", "::ffff:10.0.0.1", "10.0.0.1:53", 6},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		union address address;
		struct ip ip;
		char text[ADDRESS_TEXT_MAX];

		assert_true(ip_parse(cases[i].text, &ip));
		assert_int_equal(ip.family, cases[i].family);
		assert_int_equal(ip_length(&ip), cases[i].family == 4 ? 4 : 16);
		ip_text(&ip, text);
		assert_string_equal(text, cases[i].back);
		address_set(&address, &ip, 53);
		assert_int_equal(address_port(&address), 53);
		address_text(&address, text);
		assert_string_equal(text, cases[i].with_port);
	}
}

static void test_refused(void **state)
{
	static const char *const cases[] = {
		"", "10.0.0", "10.0.0.256", "1.2.3.4:53", "::1%lo", "x", "10.0.0.1 ", "01.2.3.4"};
	struct ip ip = {.family = 9};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
		assert_false(ip_parse(cases[i], &ip));
	assert_false(ip_parse_n("1.2.3.4\0x", 9, &ip));
	assert_int_equal(ip.family, 9); /* untouched on failure */
	assert_true(ip_parse_n("1.2.3.45", 7, &ip));
	assert_memory_equal(ip.bytes, "\1\2\3\4", 4);
}

static void test_equality(void **state)
{
	union address a, b;
	struct ip v4, v6;

	(void)state;
	assert_true(ip_parse("10.0.0.1", &v4));
	assert_true(ip_parse("a00:1::", &v6)); /* the same octets */
	assert_false(ip_equal(&v4, &v6));
	address_set(&a, &v4, 53);
	address_set(&b, &v4, 53);
	assert_true(address_equal(&a, &b));
	address_set(&b, &v4, 54);
	assert_false(address_equal(&a, &b));
	address_set(&b, &v6, 53);
	assert_false(address_equal(&a, &b));
	assert_int_equal(address_length(&a), sizeof(struct sockaddr_in));
	assert_int_equal(address_length(&b), sizeof(struct sockaddr_in6));
}

static void test_hosts(void **state)
{
	static const struct {
		const char *host, *text, *message;
	} cases[] = {
		{"10.0.0.1", "10.0.0.1:53", NULL},
		{"::1", "[::1]:53", NULL},
		{"::1%lo", "[::1%lo]:53", NULL},
		{"10.0.0.1%lo", "10.0.0.1:53", NULL},
		{"", NULL, "not a valid IP address: "},
		{"example.org", NULL, "not a valid IP address: example.org"},
		{"fe80::1%no-such", NULL, "no such network interface: no-such"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		union address address;
		struct error error = {0};
		char text[ADDRESS_TEXT_MAX];

		assert_int_equal(address_parse(cases[i].host, 53, &address, &error), !cases[i].message);
		assert_string_equal(error.message, cases[i].message ? cases[i].message : "");
		if (!cases[i].text)
			continue;
		address_text(&address, text);
		assert_string_equal(text, cases[i].text);
	}
}

static void test_wildcards(void **state)
{
	static const struct {
		const char *host;
		bool is_wildcard;
	} cases[] = {
		{"0.0.0.0", true}, {"::", true}, {"127.0.0.1", false}, {"::1", false}, {"0.0.0.1", false}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		union address address;
		struct error error;

		assert_true(address_parse(cases[i].host, 53, &address, &error));
		assert_int_equal(address_is_wildcard(&address), cases[i].is_wildcard);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_equality),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_wildcards),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
