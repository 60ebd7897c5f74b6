/* Properties by table: what a block sets, how it is refused, and Go's notation of durations and integers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "svcdns/buffer.h"
#include "svcdns/clock.h"
#include "svcdns/setup.h"

struct settings {
	bool flag;
	int64_t integer, duration;
	double number;
	const char *word, *called;
	struct words words, more_words;
	int choice;
	struct zones zones, more_zones;
};

static bool parse_called(void *config, struct setup *setup, struct dispenser *d)
{
	struct settings *settings = config;

	(void)setup;
	if (!dispenser_argument(d))
		return dispenser_argument_error(d);
	settings->called = dispenser_value(d);
	return true;
}

static const char *const colours[] = {"red", "green", NULL};

static const struct option options[] = {
	{.name = "flag", .type = OPTION_FLAG, .offset = offsetof(struct settings, flag)},
	{.name = "integer",
		.type = OPTION_INTEGER,
		.offset = offsetof(struct settings, integer),
		.low = 1,
		.high = 100},
	{.name = "number",
		.type = OPTION_NUMBER,
		.offset = offsetof(struct settings, number),
		.low = 0,
		.high = 1},
	{.name = "duration",
		.type = OPTION_DURATION,
		.offset = offsetof(struct settings, duration),
		.low = 0,
		.high = (int64_t)CLOCK_S * 60},
	{.name = "word", .type = OPTION_WORD, .offset = offsetof(struct settings, word)},
	{.name = "words",
		.type = OPTION_WORDS,
		.offset = offsetof(struct settings, words),
		.min = 1,
		.max = 2},
	{.name = "more_words",
		.type = OPTION_WORDS,
		.offset = offsetof(struct settings, more_words),
		.is_repeatable = true},
	{.name = "choice",
		.type = OPTION_CHOICE,
		.offset = offsetof(struct settings, choice),
		.choices = colours},
	{.name = "zones", .type = OPTION_ZONES, .offset = offsetof(struct settings, zones)},
	{.name = "more_zones",
		.type = OPTION_ZONES,
		.offset = offsetof(struct settings, more_zones),
		.is_repeatable = true},
	{.name = "called", .type = OPTION_CALL, .parse = parse_called},
	{0},
};

static bool is_directive(const char *word)
{
	return strcmp(word, "plugin") == 0;
}

struct fixture {
	struct corefile corefile;
	struct settings settings;
	struct error error;
};

/* Reads a block with these lines. */
static bool read_block(struct fixture *f, const char *lines)
{
	struct setup setup = {.arena = &f->corefile.arena};
	struct dispenser d;
	struct buffer text;
	bool ok;

	*f = (struct fixture){.settings.choice = -1};
	buffer_init(&text);
	buffer_format(&text, ". {\nplugin {\n%s\n}\n}", lines);
	ok = corefile_parse(&f->corefile, "Corefile", text.bytes, text.length, is_directive, &f->error);
	buffer_finish(&text);
	if (!ok)
		fail_msg("%s", f->error.message);
	dispenser_init(&d, f->corefile.blocks->directives, &f->error);
	assert_true(dispenser_next(&d));
	return options_parse(options, &f->settings, &setup, &d);
}

static void read_good_block(struct fixture *f, const char *lines)
{
	if (!read_block(f, lines))
		fail_msg("%s: %s", lines, f->error.message);
}

static void test_values(void **state)
{
	struct fixture f;

	(void)state;
	read_good_block(&f, "flag\ninteger 7\nnumber 0.25\nduration 1m\nword w\nchoice green\ncalled c");
	assert_true(f.settings.flag);
	assert_int_equal(f.settings.integer, 7);
	assert_true(f.settings.number == 0.25);
	assert_int_equal(f.settings.duration, 60 * (int64_t)CLOCK_S);
	assert_string_equal(f.settings.word, "w");
	assert_int_equal(f.settings.choice, 1);
	assert_string_equal(f.settings.called, "c");
	corefile_finish(&f.corefile);
	read_good_block(&f, "");
	assert_false(f.settings.flag);
	assert_int_equal(f.settings.choice, -1);
	corefile_finish(&f.corefile);
}

static void test_lists(void **state)
{
	struct fixture f;

	(void)state;
	read_good_block(&f, "words a b\nwords c\nmore_words a b\nmore_words c");
	assert_int_equal(f.settings.words.count, 1);
	assert_string_equal(f.settings.words.words[0], "c");
	assert_int_equal(f.settings.more_words.count, 3);
	assert_string_equal(f.settings.more_words.words[2], "c");
	corefile_finish(&f.corefile);
	read_good_block(&f, "zones a b\nzones\nmore_zones a\nmore_zones b 10.0.0.0/15");
	assert_int_equal(f.settings.zones.count, 1);
	assert_int_equal(f.settings.zones.names[0].labels, 0); /* the root: every zone */
	assert_int_equal(f.settings.more_zones.count, 4);
	corefile_finish(&f.corefile);
}

static void test_refusals(void **state)
{
	static const struct {
		const char *lines, *message;
	} cases[] = {
		{"flag\nnothing 1", "4 - Error during parsing: unknown property 'nothing'"},
		{"FLAG", "3 - Error during parsing: unknown property 'FLAG'"},
		{"flag on", "3 - Error during parsing: Wrong argument count or unexpected line ending after "
			    "'on'"},
		{"integer", "3 - Error during parsing: Wrong argument count or unexpected line ending after "
			    "'integer'"},
		{"integer 1 2",
			"3 - Error during parsing: Wrong argument count or unexpected line ending after "
			"'2'"},
		{"words a b c",
			"3 - Error during parsing: Wrong argument count or unexpected line ending after "
			"'c'"},
		{"called", "3 - Error during parsing: Wrong argument count or unexpected line ending after "
			   "'called'"},
		{"integer 1k", "3 - Error during parsing: strconv.Atoi: parsing \"1k\": invalid syntax"},
		{"integer 0", "3 - Error during parsing: integer must be in range [1, 100]: 0"},
		{"integer 101", "3 - Error during parsing: integer must be in range [1, 100]: 101"},
		{"number x", "3 - Error during parsing: strconv.ParseFloat: parsing \"x\": invalid syntax"},
		{"number 1.5", "3 - Error during parsing: number must be in range [0, 1]: 1.5"},
		{"number nan", "3 - Error during parsing: number must be in range [0, 1]: nan"},
		{"duration 5", "3 - Error during parsing: time: missing unit in duration \"5\""},
		{"duration 61s", "3 - Error during parsing: duration is out of range: 61s"},
		{"duration -1ns", "3 - Error during parsing: duration is out of range: -1ns"},
		{"choice blue", "3 - Error during parsing: unknown choice 'blue'"},
		{"word a {\n }", "3 - Error during parsing: unknown property '{'"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		struct fixture f;

		assert_false(read_block(&f, cases[i].lines));
		assert_string_equal(f.error.message + strlen("Corefile:"), cases[i].message);
		corefile_finish(&f.corefile);
	}
}

static void test_durations(void **state)
{
	static const struct {
		const char *text;
		int64_t ns;
	} cases[] = {
		{"0", 0},
		{"-0", 0},
		{"0s", 0},
		{"5s", 5000000000},
		{"+300ms", 300000000},
		{"-1.5h", -5400000000000},
		{"1h2m3s4ms5us6ns", 3723004005006},
		{"1\xc2\xb5s2\xce\xbcs", 3000},
		{".5s", 500000000},
		{"1.s", 1000000000},
		{"0.29s", 290000000},
		{"0.3333333333333333333h", 1200000000000},
		{"9007199254740993ns", 9007199254740993},
		{"9223372036854775807ns", INT64_MAX},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		struct error error = {0};
		int64_t ns = -1;

		if (!duration_parse(cases[i].text, &ns, &error))
			fail_msg("%s: %s", cases[i].text, error.message);
		assert_int_equal(ns, cases[i].ns);
	}
}

static void test_duration_texts(void **state)
{
	static const struct {
		int64_t ns;
		const char *text;
	} cases[] = {
		{0, "0s"},
		{1, "1ns"},
		{1100, "1.1\xc2\xb5s"},
		{2200000, "2.2ms"},
		{999999999, "999.999999ms"},
		{5000000000, "5s"},
		{1500000000, "1.5s"},
		{60000000000, "1m0s"},
		{-90000000000, "-1m30s"},
		{3600000000000, "1h0m0s"},
		{360000000000001, "100h0m0.000000001s"},
		{INT64_MIN, "-2562047h47m16.854775808s"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		char text[DURATION_TEXT_MAX];

		duration_text(cases[i].ns, text);
		assert_string_equal(text, cases[i].text);
	}
}

static void test_refused_durations(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{"", "time: invalid duration \"\""},
		{"-", "time: invalid duration \"-\""},
		{"s", "time: invalid duration \"s\""},
		{".s", "time: invalid duration \".s\""},
		{" 1s", "time: invalid duration \" 1s\""},
		{"1s ", "time: unknown unit \"s \" in duration \"1s \""},
		{"3", "time: missing unit in duration \"3\""},
		{"1.2.3s", "time: missing unit in duration \"1.2.3s\""},
		{"1d", "time: unknown unit \"d\" in duration \"1d\""},
		{"1S", "time: unknown unit \"S\" in duration \"1S\""},
		{"1m 2s", "time: unknown unit \"m \" in duration \"1m 2s\""},
		{"9223372036854775808ns", "time: invalid duration \"9223372036854775808ns\""},
		{"18446744073709551617ns", "time: invalid duration \"18446744073709551617ns\""},
		{"3000000h", "time: invalid duration \"3000000h\""},
		{"2562047h2562047h", "time: invalid duration \"2562047h2562047h\""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		struct error error = {0};
		int64_t ns = -1;

		assert_false(duration_parse(cases[i].text, &ns, &error));
		assert_string_equal(error.message, cases[i].message);
		assert_int_equal(ns, -1);
	}
}

static void test_integers(void **state)
{
	static const struct {
		const char *text;
		int64_t value;
		const char *message;
	} cases[] = {
		{"0", 0, ""},
		{"-17", -17, ""},
		{"+007", 7, ""},
		{"9223372036854775807", INT64_MAX, ""},
		{"-9223372036854775808", INT64_MIN, ""},
		{"9223372036854775808", -1,
			"strconv.Atoi: parsing \"9223372036854775808\": value out of range"},
		{"", -1, "strconv.Atoi: parsing \"\": invalid syntax"},
		{"+", -1, "strconv.Atoi: parsing \"+\": invalid syntax"},
		{" 1", -1, "strconv.Atoi: parsing \" 1\": invalid syntax"},
		{"1_000", -1, "strconv.Atoi: parsing \"1_000\": invalid syntax"},
		{"0x10", -1, "strconv.Atoi: parsing \"0x10\": invalid syntax"},
		{"1.0", -1, "strconv.Atoi: parsing \"1.0\": invalid syntax"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		struct error error = {0};
		int64_t value = -1;

		assert_int_equal(integer_parse(cases[i].text, &value, &error), !*cases[i].message);
		assert_int_equal(value, cases[i].value);
		assert_string_equal(error.message, cases[i].message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_duration_texts),
		cmocka_unit_test(test_refused_durations),
		cmocka_unit_test(test_integers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
