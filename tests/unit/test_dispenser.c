/* The cursor over a directive's tokens: what is an argument, where a block begins and ends, and how errors
 * name the place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "svcdns/buffer.h"
#include "svcdns/dispenser.h"
#include "svcdns/setup.h"

static bool is_directive(const char *word)
{
	return strcmp(word, "plugin") == 0;
}

/* The only directive of a Corefile, and a dispenser that stands in front of it. */
struct fixture {
	struct corefile corefile;
	struct error error;
	struct dispenser d;
};

static void begin(struct fixture *f, const char *text)
{
	f->error.message[0] = '\0';
	if (!corefile_parse(&f->corefile, "Corefile", text, strlen(text), is_directive, &f->error))
		fail_msg("%s", f->error.message);
	dispenser_init(&f->d, f->corefile.blocks->directives, &f->error);
}

static void end(struct fixture *f)
{
	corefile_finish(&f->corefile);
}

/* Every occurrence as "plugin ARGUMENTS", its block as "{NAME ARGUMENTS; …}". */
static void show_arguments(struct dispenser *d, struct buffer *out)
{
	size_t count = dispenser_arguments(d);

	buffer_text(out, dispenser_value(d));
	while (dispenser_argument(d)) {
		buffer_format(out, " %s", dispenser_value(d));
		count--;
	}
	assert_int_equal(count, 0);
}

static void expect(const char *text, const char *expected)
{
	struct fixture f;
	struct buffer out;

	begin(&f, text);
	buffer_init(&out);
	assert_string_equal(dispenser_value(&f.d), "");
	while (dispenser_next(&f.d)) {
		show_arguments(&f.d, &out);
		buffer_text(&out, dispenser_opens(&f.d) ? " {" : "");
		while (dispenser_block(&f.d)) {
			show_arguments(&f.d, &out);
			buffer_text(&out, "; ");
		}
		buffer_text(&out, "\n");
	}
	assert_string_equal(out.bytes, expected);
	buffer_finish(&out);
	end(&f);
}

static void test_reading(void **state)
{
	static const struct {
		const char *text, *expected;
	} cases[] = {
		{". {\n plugin\n}", "plugin\n"},
		{". {\n plugin a \"b c\"\n}", "plugin a b c\n"},
		{". {\n plugin a {\n x 1 2\n y\n }\n}", "plugin a {x 1 2; y; \n"},
		{". {\n plugin {\n }\n}", "plugin {\n"},
		{". {\n plugin a { x 1\n y\n }\n}", "plugin a {x 1; y; \n"},
		/* Occurrences follow one another, whatever stands between them. */
		{". {\n plugin a\n plugin {\n x\n }\n plugin b\n}", "plugin a\nplugin {x; \nplugin b\n"},
		/* An argument may end a line further down than it begins. */
		{". {\n plugin \"a\nb\" c\n plugin d\n}", "plugin a\nb c\nplugin d\n"},
		/* All on one line: the brace is an argument of the property, as in CoreDNS. */
		{". {\n plugin { x 1 }\n}", "plugin {x 1 }; \n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
		expect(cases[i].text, cases[i].expected);
}

static void test_messages(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, ". {\n\n plugin a {\n  x 1\n }\n}");
	assert_false(dispenser_error(&f.d, "no %s", "way"));
	assert_string_equal(f.error.message, "Corefile:3 - Error during parsing: no way");
	assert_true(dispenser_next(&f.d));
	assert_false(dispenser_argument_error(&f.d));
	assert_string_equal(f.error.message, "Corefile:3 - Error during parsing: Wrong argument count or "
					     "unexpected line ending after 'plugin'");
	assert_true(dispenser_argument(&f.d));
	assert_false(dispenser_argument(&f.d));
	assert_false(dispenser_argument_error(&f.d));
	assert_string_equal(f.error.message,
		"Corefile:3 - Error during parsing: Unexpected token '{', expecting argument");
	assert_true(dispenser_block(&f.d));
	assert_false(dispenser_unknown_property(&f.d));
	assert_string_equal(f.error.message, "Corefile:4 - Error during parsing: unknown property 'x'");
	end(&f);
}

static void test_long_message_is_cut(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, ". {\n plugin\n}");
	assert_false(dispenser_error(&f.d, "%4000d", 1));
	assert_int_equal(strlen(f.error.message), sizeof(f.error.message) - 1);
	end(&f);
}

static void test_plugin_without_arguments(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{". {\n plugin\n}", ""},
		{". {\n plugin x\n}",
			"Corefile:2 - Error during parsing: Wrong argument count or unexpected line "
			"ending after 'x'"},
		{". {\n plugin {\n }\n}",
			"Corefile:2 - Error during parsing: Unexpected token '{', expecting argument"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		struct fixture f;

		begin(&f, cases[i].text);
		assert_true(dispenser_next(&f.d));
		assert_int_equal(setup_bare(&f.d), !*cases[i].message);
		assert_string_equal(f.error.message, cases[i].message);
		end(&f);
	}
}

static void test_plugin_that_may_stand_once(void **state)
{
	struct setup setup = {0};
	struct fixture f;

	(void)state;
	begin(&f, ". {\n plugin a\n plugin\n}");
	assert_true(dispenser_next(&f.d));
	assert_true(setup_once(&setup, &f.d));
	assert_true(dispenser_argument(&f.d));
	assert_true(dispenser_next(&f.d));
	assert_false(setup_once(&setup, &f.d));
	assert_string_equal(f.error.message,
		"Corefile:3 - Error during parsing: this plugin can only be used once per Server Block");
	end(&f);
}

static void show_zones(const struct zones *zones, struct buffer *out)
{
	char text[NAME_TEXT_MAX];

	for (size_t i = 0; i < zones->count; i++) {
		name_to_text(&zones->names[i], text);
		buffer_format(out, "%s ", text);
	}
	buffer_text(out, "");
}

static void test_zones_of_a_plugin(void **state)
{
	static const struct {
		const char *arguments, *zones;
	} cases[] = {
		{"", "block. "}, {"a.Example 10.0.0.0/8", "a.example. 10.in-addr.arpa. "},
		{"a..b", ""}, /* no zone at all: not those of the block */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		struct setup setup = {0};
		struct zones zones;
		struct fixture f;
		struct buffer text, out;

		buffer_init(&text);
		buffer_init(&out);
		buffer_format(&text, ". {\n plugin %s {\n }\n}", cases[i].arguments);
		begin(&f, text.bytes);
		setup.arena = &f.corefile.arena;
		assert_true(zones_add(&setup.zones, setup.arena, "block"));
		assert_true(dispenser_next(&f.d));
		setup_zones(&setup, &f.d, &zones);
		show_zones(&zones, &out);
		assert_string_equal(out.bytes, cases[i].zones);
		buffer_finish(&out);
		buffer_finish(&text);
		end(&f);
	}
}

static void test_paths(void **state)
{
	struct arena arena;
	struct setup setup = {.arena = &arena};

	(void)state;
	arena_init(&arena);
	assert_string_equal(setup_path(&setup, "db"), "db");
	setup.root = "/etc/zones";
	assert_string_equal(setup_path(&setup, "db"), "/etc/zones/db");
	assert_string_equal(setup_path(&setup, "/db"), "/db");
	arena_finish(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reading),
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_long_message_is_cut),
		cmocka_unit_test(test_plugin_without_arguments),
		cmocka_unit_test(test_plugin_that_may_stand_once),
		cmocka_unit_test(test_zones_of_a_plugin),
		cmocka_unit_test(test_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
