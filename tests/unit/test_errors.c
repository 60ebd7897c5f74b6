/* errors: the line of a failure, consolidation, and which patterns are Go's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../support/plugin_lab.h"
#include "svcdns/clock.h"
#include "svcdns/log.h"

extern const struct plugin plugin_errors;

/* Fails as it is told. */
struct world {
	const char *error;
};

static enum verdict serve_world(void *self, struct request *r)
{
	const struct world *world = self;

	if (world->error)
		return request_fail(r, RCODE_SERVFAIL, "%s", world->error);
	request_reply(r, RCODE_SERVFAIL, 0);
	return VERDICT_ANSWERED;
}

static const struct plugin plugin_world = {.name = "world", .serve = serve_world};

static void start(struct lab *lab, const char *directive, struct world *world)
{
	const struct link links[] = {{0}, {&plugin_world, world, 0}};

	if (!lab_read(lab, &plugin_errors, directive))
		fail_msg("%s", lab->error.message);
	lab_start(lab, links, ARRAY_LENGTH(links));
}

#define ERROR_LINE "[ERROR] plugin/errors: 2 www.example. A: read udp: refused\n"

static void test_line(void **state)
{
	static const char *const directives[] = {"errors", "errors stdout", "errors {\nstacktrace\n}",
		"errors {\nconsolidate 1m timeout warning\n}"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(directives); i++) {
		struct world world = {"read udp: refused"};
		struct capture capture;
		struct lab lab;

		start(&lab, directives[i], &world);
		capture_begin(&capture);
		lab_ask(&lab, "WWW.example", TYPE_A);
		world.error = "no next plugin found";
		lab_ask(&lab, "a\\.b\\200", 65280);
		world.error = NULL; /* a failure that somebody else has answered with is none of ours */
		lab_ask(&lab, "www.example", TYPE_A);
		assert_string_equal(capture_end(&capture),
			ERROR_LINE "[ERROR] plugin/errors: 2 a\\.b\\200. TYPE65280: no next plugin found\n");
		lab_finish(&lab);
	}
}

struct consolidation {
	const char *directive;
	unsigned failures;
	const char *at_once, *later;
};

static const struct consolidation consolidations[] = {
	{"errors {\nconsolidate 1m refused$\n}", 5, "",
		"[ERROR] plugin/errors: 5 errors like 'refused$' occurred in last 1m0s\n"},
	{"errors {\nconsolidate 1m \"^read udp .*\" warning\n}", 1, "", ""}, /* no blank behind "udp" */
	{"errors {\nconsolidate 1m \"^read udp: .*\" warning\n}", 1, "",
		"[WARNING] plugin/errors: 1 errors like '^read udp: .*' occurred in last 1m0s\n"},
	{"errors {\nconsolidate 1m refused show_first\n}", 3, ERROR_LINE,
		"[ERROR] plugin/errors: 3 errors like 'refused' occurred in last 1m0s\n"},
	{"errors {\nconsolidate 1m refused show_first\n}", 1, ERROR_LINE, ""},
	{"errors {\nconsolidate 1m refused info show_first\n}", 1,
		"[INFO] plugin/errors: 2 www.example. A: read udp: refused\n", ""},
	{"errors {\nconsolidate 1m refused debug\n}", 2, "", ""},
	/* The first pattern that matches has it. */
	{"errors {\nconsolidate 1m timeout\nconsolidate 1m udp info\nconsolidate 1m refused\n}", 2, "",
		"[INFO] plugin/errors: 2 errors like 'udp' occurred in last 1m0s\n"},
};

static void check_consolidation(const struct consolidation *t)
{
	struct world world = {"read udp: refused"};
	struct capture capture;
	struct lab lab;
	bool matches = *t->later || t->failures != 1 || *t->at_once;

	start(&lab, t->directive, &world);
	capture_begin(&capture);
	for (unsigned i = 0; i < t->failures; i++)
		lab_ask(&lab, "www.example", TYPE_A);
	assert_string_equal(capture_end(&capture), matches ? t->at_once : ERROR_LINE);

	/* Nothing before the period is over, one line then, and nothing more after it. */
	capture_begin(&capture);
	lab.worker.now += 60 * CLOCK_S - 1;
	plugin_errors.refresh(lab.self);
	assert_string_equal(capture_end(&capture), "");
	capture_begin(&capture);
	lab.worker.now += 1;
	plugin_errors.refresh(lab.self);
	plugin_errors.refresh(lab.self);
	assert_string_equal(capture_end(&capture), t->later);
	lab_finish(&lab);
}

static void test_consolidation(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(consolidations); i++)
		check_consolidation(&consolidations[i]);
}

static void test_periods_follow_each_other(void **state)
{
	struct world world = {"refused"};
	struct capture capture;
	struct lab lab;

	(void)state;
	start(&lab, "errors {\nconsolidate 1m refused\n}", &world);
	capture_begin(&capture);
	for (unsigned period = 1; period <= 2; period++) {
		for (unsigned i = 0; i < period; i++)
			lab_ask(&lab, "www.example", TYPE_A);
		lab.worker.now += 60 * CLOCK_S;
		plugin_errors.refresh(lab.self);
	}
	assert_string_equal(capture_end(&capture),
		"[ERROR] plugin/errors: 1 errors like 'refused' occurred in last 1m0s\n"
		"[ERROR] plugin/errors: 2 errors like 'refused' occurred in last 1m0s\n");
	lab_finish(&lab);
}

static void test_count_is_told_at_the_end(void **state)
{
	struct world world = {"refused"};
	struct capture capture;
	struct lab lab;

	(void)state;
	start(&lab, "errors {\nconsolidate 1h refused\n}", &world);
	lab_ask(&lab, "www.example", TYPE_A);
	capture_begin(&capture);
	lab_finish(&lab);
	assert_string_equal(capture_end(&capture),
		"[ERROR] plugin/errors: 1 errors like 'refused' occurred in last 1h0m0s\n");
}

/* The period comes back as Go writes it. */
static void test_period(void **state)
{
	static const char *const table[][2] = {
		{"0s", "0s"},
		{"0", "0s"},
		{"1ns", "1ns"},
		{"1500ns", "1.5\xc2\xb5s"},
		{"250ms", "250ms"},
		{"1.5ms", "1.5ms"},
		{"60s", "1m0s"},
		{"10s", "10s"},
		{"1500ms", "1.5s"},
		{"90m", "1h30m0s"},
		{"100h", "100h0m0s"},
		{"1h0.5s", "1h0m0.5s"},
		{"-90s", "-1m30s"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		struct world world = {"refused"};
		char directive[128], line[128];
		struct capture capture;
		struct lab lab;

		snprintf(directive, sizeof(directive), "errors {\nconsolidate %s refused\n}", table[i][0]);
		snprintf(line, sizeof(line),
			"[ERROR] plugin/errors: 1 errors like 'refused' occurred in last %s\n", table[i][1]);
		start(&lab, directive, &world);
		lab_ask(&lab, "www.example", TYPE_A);
		capture_begin(&capture);
		lab_finish(&lab);
		assert_string_equal(capture_end(&capture), line);
	}
}

static bool is_consolidated(const char *pattern, const char *error)
{
	struct world world = {error};
	char directive[512];
	struct capture capture;
	struct lab lab;
	bool shown;

	snprintf(directive, sizeof(directive), "errors {\nconsolidate 1h \"%s\"\n}", pattern);
	start(&lab, directive, &world);
	capture_begin(&capture);
	lab_ask(&lab, "www.example", TYPE_A);
	shown = *capture_end(&capture);
	capture_begin(&capture);
	lab_finish(&lab);
	capture_end(&capture);
	return !shown;
}

static void test_patterns(void **state)
{
	static const struct {
		const char *pattern, *error;
		bool is_match;
	} table[] = {
		{"timeout", "i/o timeout", true},
		{"TIMEOUT", "i/o timeout", false},
		{"(?i)TIMEOUT", "i/o timeout", true},
		{"(?i:TIME)out", "i/o timeout", true},
		{"(?:a|b)+c", "abac", true},
		{"(?P<what>time)out", "i/o timeout", true},
		{"(?<what>time)out", "i/o timeout", true},
		{"^read .* refused$", "read udp: refused", true},
		{"refused$", "refused\n", false}, /* only the very end */
		{"[[:digit:]]+\\.[0-9]+", "10.0", true},
		{"[(?=]x", "?x", true},
		{"[]+]+$", "]+]", true},
		{"[^]]$", "]", false},
		{"[*+]+", "+", true},
		{"\\Q.*\\E", "a.*b", true},
		{"\\bio\\b", "the io error", true},
		{"\\.\\-\\/", ".-/", true},
		{"\\x41\\d\\s\\w", "A1 b", true},
		{"\\x{e9}.$", "caf\xc3\xa9s", true},
		{"^.$", "\xc3\xa9", true}, /* a letter, not an octet */
		{"\\p{Greek}", "\xce\xb1", true},
		{"a{2,3}?b", "aab", true},
		{"a+?", "a", true},
		/* What would take for ever does not match. */
		{"^(a+)+$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++)
		if (is_consolidated(table[i].pattern, table[i].error) != table[i].is_match)
			fail_msg("%s on %s", table[i].pattern, table[i].error);
}

/* PCRE2 would take these, Go does not. */
static void test_foreign_patterns(void **state)
{
	static const char *const patterns[] = {"(?=timeout)", "(?!timeout)", "(?<=a)b", "(?<!a)b", "(a)\\1",
		"(?P<x>a)(?P=x)", "(?P<x>a)(?P>x)", "\\g{1}(a)", "(a)\\k<x>", "(?>a)", "(?|a|b)", "(?#note)a",
		"a(?R)?b", "(a)(?1)", "(*UTF)a", "a++", "a*+", "a?+", "a{2}+", "\\h", "\\R", "\\X", "\\Ka",
		"a\\Z", "\\Ga", "\\N", "\\e", "\\cA", "[\\h]", "(?x)a b", "(?J)a", "\\Ca"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(patterns); i++) {
		char directive[256];
		struct lab lab;

		snprintf(directive, sizeof(directive), "errors {\nconsolidate 1h \"%s\"\n}", patterns[i]);
		if (lab_read(&lab, &plugin_errors, directive))
			fail_msg("%s", patterns[i]);
		assert_non_null(
			strstr(lab.error.message, "Corefile:3 - Error during parsing: error parsing regexp: "
						  "invalid or unsupported Perl syntax: `"));
		lab_finish(&lab);
	}
}

static void test_refused(void **state)
{
#define PARSING "Error during parsing: "
	static const struct {
		const char *directive, *message;
	} table[] = {
		{"errors errors.log", "Corefile:2 - " PARSING "invalid log file: errors.log"},
		{"errors stdout x",
			"Corefile:2 - " PARSING "Wrong argument count or unexpected line ending after 'x'"},
		{"errors\nerrors",
			"Corefile:3 - " PARSING "this plugin can only be used once per Server Block"},
		{"errors {\nlevel x\n}", "Corefile:3 - " PARSING "unknown property 'level'"},
		{"errors {\nstacktrace on\n}", "Corefile:3 - " PARSING "stacktrace takes no argument: on"},
		{"errors {\nconsolidate 5m\n}",
			"Corefile:3 - " PARSING "Wrong argument count or unexpected line ending after '5m'"},
		{"errors {\nconsolidate 5m a info show_first x\n}",
			"Corefile:3 - " PARSING "Wrong argument count or unexpected line ending after 'x'"},
		{"errors {\nconsolidate 5 a\n}",
			"Corefile:3 - " PARSING "time: missing unit in duration \"5\""},
		{"errors {\nconsolidate 5m a\nconsolidate 5m b fatal\n}",
			"Corefile:4 - " PARSING "unknown option in consolidate: fatal"},
		{"errors {\nconsolidate 5m a show_first warning\n}",
			"Corefile:3 - " PARSING "log level must come before show_first in consolidate"},
		{"errors {\nconsolidate 5m a info warning\n}",
			"Corefile:3 - " PARSING "multiple log levels specified in consolidate"},
		{"errors {\nconsolidate 5m (a\n}",
			"Corefile:3 - " PARSING
			"error parsing regexp: missing closing parenthesis at offset 2: `(a`"},
		{"errors {\nconsolidate 5m [a\n}",
			"Corefile:3 - " PARSING "error parsing regexp: missing terminating ] "
			"for character class at offset 2: `[a`"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		struct lab lab;

		assert_false(lab_read(&lab, &plugin_errors, table[i].directive));
		assert_string_equal(lab.error.message, table[i].message);
		lab_finish(&lab);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_consolidation),
		cmocka_unit_test(test_periods_follow_each_other),
		cmocka_unit_test(test_count_is_told_at_the_end),
		cmocka_unit_test(test_period),
		cmocka_unit_test(test_patterns),
		cmocka_unit_test(test_foreign_patterns),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
