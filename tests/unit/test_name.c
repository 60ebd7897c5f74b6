/* Domain names: text to wire and back, suffixes, limits of RFC 1035 section 2.3.4. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "svcdns/name.h"

static struct name name_of(const char *text)
{
	struct name name;

	assert_true(name_from_text(text, &name));
	return name;
}

static void test_text_to_wire_and_back(void **state)
{
	static const struct {
		const char *text, *back;
		uint8_t length, labels;
	} cases[] = {
		{".", ".", 1, 0},
		{"com", "com.", 5, 1},
		{"www.Example.org.", "www.Example.org.", 17, 3},
		{"a\\.b.c", "a\\.b.c.", 7, 2},
		{"\\000\\255x", "\\000\\255x.", 5, 1},
		{"\\*.x", "*.x.", 5, 2},
		{"_tcp.a b", "_tcp.a\\032b.", 10, 2},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		struct name name = name_of(cases[i].text), again;
		char text[NAME_TEXT_MAX];

		name_to_text(&name, text);
		assert_string_equal(text, cases[i].back);
		assert_int_equal(name.length, cases[i].length);
		assert_int_equal(name.labels, cases[i].labels);
		assert_true(name_from_wire(name.wire, name.length, &again));
		assert_true(name_equal(&name, &again));
		assert_memory_equal(name.offset, again.offset, name.labels + 1u);
	}
}

static void test_refused_texts(void **state)
{
	static const char *const cases[] = {"", "..", "a..b", ".a", "\\", "\\25", "\\256", "\\1x2",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.b" /* 64 octets */};
	struct name name;

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
		assert_false(name_from_text(cases[i], &name));
}

static void test_longest_name(void **state)
{
	char text[300];
	struct name name, joined, com = name_of("a");

	(void)state;
	for (size_t i = 0; i < 256; i += 2)
		memcpy(text + i, "a.", 2);
	text[2 * 127] = '\0'; /* 127 labels of one octet: 255 octets with the root */
	assert_true(name_from_text(text, &name));
	assert_int_equal(name.length, NAME_WIRE_MAX);
	assert_int_equal(name.labels, NAME_LABELS_MAX);
	assert_false(name_join(&com, &name, &joined));
	memcpy(text + 2 * 127, "a.", 3);
	assert_false(name_from_text(text, &name));
}

static void test_bad_wire(void **state)
{
	static const struct {
		const char *wire;
		size_t length;
	} cases[] = {{"", 0}, {"\3ab", 3}, {"\2ab", 3}, {"\2ab\0x", 5}, {"\100a", 2}, {"\300\14", 2}};
	struct name name;

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
		assert_false(name_from_wire((const uint8_t *)cases[i].wire, cases[i].length, &name));
}

static void test_is_under(void **state)
{
	static const struct {
		const char *name, *zone;
		bool is_under;
	} cases[] = {
		{"a.cluster.local", "cluster.local", true},
		{"cluster.local", "cluster.local", true},
		{"xcluster.local", "cluster.local", false},
		{"local", "cluster.local", false},
		{"anything.at.all", ".", true},
		{".", ".", true},
		{".", "local", false},
		{"a.cluster.localx", "cluster.local", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		struct name name = name_of(cases[i].name), zone = name_of(cases[i].zone);

		assert_int_equal(name_is_under(&name, &zone), cases[i].is_under);
	}
}

static void test_case(void **state)
{
	struct name upper = name_of("WWW.Example.ORG\\193"), lower = name_of("www.example.org\\193");

	(void)state;
	assert_false(name_equal(&upper, &lower));
	assert_true(name_equal_nocase(&upper, &lower));
	name_lower(&upper);
	assert_true(name_equal(&upper, &lower));
}

static void test_replace_suffix(void **state)
{
	struct name name = name_of("web.shop.svc.cluster.local"), suffix = name_of("corp.example"), result;
	struct name expected = name_of("web.shop.svc.corp.example");
	uint8_t length;

	(void)state;
	assert_true(name_replace_suffix(&name, 2, &suffix, &result));
	assert_true(name_equal(&result, &expected));
	assert_int_equal(result.labels, 5);
	assert_memory_equal(name_label(&result, 3, &length), "corp", 4);
	assert_int_equal(length, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_to_wire_and_back),
		cmocka_unit_test(test_refused_texts),
		cmocka_unit_test(test_longest_name),
		cmocka_unit_test(test_bad_wire),
		cmocka_unit_test(test_is_under),
		cmocka_unit_test(test_case),
		cmocka_unit_test(test_replace_suffix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
