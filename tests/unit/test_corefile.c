/* The Corefile's grammar. A parsed Corefile is shown as one line per server block, "KEYS {DIRECTIVE TOKENS;
 * …}", so that a case is a text and what becomes of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "../support/table_text.h"
#include "svcdns/buffer.h"
#include "svcdns/corefile.h"
#include "svcdns/memory.h"

static bool is_directive(const char *word)
{
	static const char *const words[] = {"whoami", "errors", "log", "nsid", "hosts", "forward"};

	for (size_t i = 0; i < ARRAY_LENGTH(words); i++)
		if (strcmp(words[i], word) == 0)
			return true;
	return false;
}

static void show_block(const struct server_block *block, struct buffer *out)
{
	for (size_t i = 0; i < block->key_count; i++)
		buffer_format(out, "%s ", block->keys[i].text);
	buffer_text(out, "{");
	for (const struct directive *d = block->directives; d; d = d->next) {
		for (size_t i = 0; i < d->count; i++)
			buffer_format(out, "%s%s", i ? " " : "", d->tokens[i].text);
		buffer_text(out, d->next ? "; " : "");
	}
	buffer_text(out, "}\n");
}

/* What becomes of a Corefile: its blocks, or the message by which it is refused. */
static void show(const char *name, const char *text, size_t length, struct buffer *out)
{
	struct corefile corefile;
	struct error error = {0};

	buffer_init(out);
	buffer_text(out, "");
	if (!corefile_parse(&corefile, name, text, length, is_directive, &error)) {
		buffer_text(out, error.message);
		return;
	}
	for (const struct server_block *block = corefile.blocks; block; block = block->next)
		show_block(block, out);
	corefile_finish(&corefile);
}

static void expect(const char *text, const char *expected)
{
	struct buffer shown;

	show("Corefile", text, strlen(text), &shown);
	assert_string_equal(shown.bytes, expected);
	buffer_finish(&shown);
}

struct example {
	const char *text, *expected;
};

static void expect_all(const struct example *examples, size_t count)
{
	for (size_t i = 0; i < count; i++)
		expect(examples[i].text, examples[i].expected);
}

static void test_words(void **state)
{
	static const struct example examples[] = {
		{"", ""},
		{". {\n nsid \"one server\" two\n}\n", ". {nsid one server two}\n"},
		{"\".\" {\n nsid a\"b c\"\n}", ". {nsid a\"b c\"}\n"},
		{". {\n nsid \"say \\\"hi\\\" \\n\"\n}", ". {nsid say \"hi\" \\n}\n"},
		{". {\n nsid \"\"\n}", ". {nsid }\n"},
		{". {\n nsid 'a b'\n}", ". {nsid 'a b'}\n"},
		{". { # {\n whoami#comment } \"\n# }\n}", ". {whoami}\n"},
		{". {\r\n whoami\r\n}\r\n", ". {whoami}\n"},
		{". {\n who\rami\n}", ". {whoami}\n"},
		{"\xef\xbb\xbf. {\n whoami\n}", ". {whoami}\n"},
		{". {\n\xc2\xa0nsid\xe3\x80\x80x\xe2\x80\x83y\n}", ". {nsid x y}\n"},
		{". {\n nsid a\xff\xfe\xe2\x80\n}", ". {nsid a\xff\xfe\xe2\x80}\n"},
		{". {\n nsid \"two\nlines\" x\n nothing\n}",
			"Corefile:4 - Error during parsing: Unknown directive 'nothing'"},
		{". {\n nsid \"abc\n}\n",
			"Corefile:2 - Error during parsing: the double quote is not closed"},
	};

	(void)state;
	expect_all(examples, ARRAY_LENGTH(examples));
}

static void test_nul_is_refused(void **state)
{
	static const char text[] = ". {\n nsid a\0b\n}";
	struct buffer shown;

	(void)state;
	show("Corefile", text, sizeof(text) - 1, &shown);
	assert_string_equal(shown.bytes, "Corefile:2 - Error during parsing: a NUL octet");
	buffer_finish(&shown);
}

static void test_keys(void **state)
{
	static const struct example examples[] = {
		{"a b:1053 {\n whoami\n}", "a b:1053 {whoami}\n"},
		{"a,\nb, c {\n}", "a b c {}\n"},
		{".\n{\n whoami\n}", ". {whoami}\n"},
		{".", ". {}\n"},
		{".\nwhoami\nlog", ". {whoami; log}\n"},
		{"\"\" . {\n}", ". {}\n"},
		{"{\n whoami\n}\n. {\n log\n}", ". {log}\n"},
		{"a {\n whoami\n}\nb {\n log\n}", "a {whoami}\nb {log}\n"},
		{"a\nb {\n whoami\n}", "Corefile:2 - Error during parsing: Unknown directive 'b'"},
		{"a, {\n}",
			"Corefile:1 - Error during parsing: Expected another address but had '{' - check for "
			"extra comma"},
		{"a,", "Corefile:1 - Error during parsing: Unexpected EOF"},
		{"a{\n whoami\n}",
			"Corefile:1 - Error during parsing: a brace must stand apart from other words: 'a{'"},
	};

	(void)state;
	expect_all(examples, ARRAY_LENGTH(examples));
}

static void test_braces(void **state)
{
	static const struct example examples[] = {
		{". {\n}", ". {}\n"},
		{". { whoami\n}", ". {whoami}\n"},
		{". \"{\"\n whoami\n\"}\"", ". {whoami}\n"},
		{". {\n hosts x { y 1\n z\n }\n log\n}", ". {hosts x { y 1 z }; log}\n"},
		{". {\n errors {}\n}", ". {errors {}}\n"},
		{". {\n log a\n errors\n log b { c }\n}", ". {log a log b { c }; errors}\n"},
		{". { whoami }",
			"Corefile:1 - Error during parsing: Unexpected '}' because no matching opening "
			"brace"},
		{". {\n whoami\n", "Corefile:2 - Syntax error: Unexpected token 'whoami', expecting '}'"},
		{". {\n hosts {\n x\n }\n", "Corefile:4 - Syntax error: Unexpected token '}', expecting '}'"},
		{". {\n hosts {\n x\n", "Corefile:3 - Error during parsing: Unexpected EOF"},
		{". {\n whoami\n}\n}",
			"Corefile:4 - Error during parsing: Unexpected '}' because no matching "
			"opening brace"},
		{".\nwhoami\n}", ". {whoami}\n"},
		{". { {\n}", "Corefile:1 - Error during parsing: Unknown directive '{'"},
		{". {\n errors\n {\n x\n }\n}",
			"Corefile:3 - Error during parsing: Unexpected '{': it must stand "
			"on the line of what it opens"},
		{". {\n errors{\n }\n}", "Corefile:2 - Error during parsing: Unknown directive 'errors{'"},
		{". {\n WHOAMI\n}", "Corefile:2 - Error during parsing: Unknown directive 'WHOAMI'"},
	};

	(void)state;
	expect_all(examples, ARRAY_LENGTH(examples));
}

static void test_environment(void **state)
{
	static const struct example examples[] = {
		{"{$ZONE}:{%ZONE%} {\n}", "example.org:example.org {}\n"},
		{". {\n nsid {$UNSET}x \"{$ZONE}\" {$} ${ZONE} {$OUTER}\n}",
			". {nsid x example.org {$} ${ZONE} <example.org>}\n"},
		{". {\n {$PLUGIN}\n}", ". {whoami}\n"},
		{"{$UNSET} {\n whoami\n}", ""},
		{". {\n nsid {$TWO}\n}", ". {nsid a b}\n"},
		{". {\n nsid\n log {$CIRCLE}\n}",
			"Corefile:3 - Error during parsing: environment variables refer to one another in a "
			"circle"},
	};

	(void)state;
	setenv("ZONE", "example.org", 1);
	setenv("PLUGIN", "whoami", 1);
	setenv("OUTER", "<{$ZONE}>", 1);
	setenv("TWO", "a b", 1);
	setenv("CIRCLE", "x{$CIRCLE}", 1);
	unsetenv("UNSET");
	expect_all(examples, ARRAY_LENGTH(examples));
}

static void test_braces_in_the_environment_open_nothing(void **state)
{
	(void)state;
	setenv("OPEN", "{", 1);
	expect(". {\n errors {$OPEN}\n stacktrace\n }\n}",
		"Corefile:3 - Error during parsing: Unknown directive 'stacktrace'");
}

static void test_snippets(void **state)
{
	static const struct example examples[] = {
		{"(s) {\n whoami\n log {\n x\n }\n}\na {\n import s\n}\nb {\n errors\n import s\n}",
			"a {whoami; log { x }}\nb {errors; whoami; log { x }}\n"},
		{"(s) {\n a {\n whoami\n }\n b {\n }\n}\nimport s", "a {whoami}\nb {}\n"},
		{"(keys) {\n a b\n}\nimport keys\n{\n log\n}", "a b {log}\n"},
		{"(in) {\n errors\n}\n(out) {\n import in\n log\n}\n. {\n import out\n}",
			". {errors; log}\n"},
		/* What a snippet imports may be defined behind it; its lines are no arguments of one another.
		 */
		{"(out) {\n import in\n log\n}\n(in) {\n errors\n}\n. {\n import out\n}",
			". {errors; log}\n"},
		{"(p) {\n x 3\n y\n}\n. {\n hosts {\n import p\n z\n }\n}", ". {hosts { x 3 y z }}\n"},
		{"(empty) {\n}\n. {\n import empty\n log\n}", ". {log}\n"},
		{"(unused) {\n nothing\n}\n. {\n log\n}", ". {log}\n"},
		{". {\n nsid import nothing\n}", ". {nsid import nothing}\n"},
		{"(s) {\n log\n}\n. {\n import s 30\n}",
			"Corefile:5 - Error during parsing: Import takes only "
			"one argument (glob pattern or file)"},
		{". {\n import\n log\n}",
			"Corefile:2 - Error during parsing: Wrong argument count or unexpected "
			"line ending after 'import'"},
		{". {\n import \"\"\n}",
			"Corefile:2 - Error during parsing: Import requires a non-empty filepath"},
		{"(s) {\n nothing\n}\n. {\n import s\n}",
			"Corefile:2 - Error during parsing: Unknown directive 'nothing'"},
		{"(s) {\n}\n(s) {\n log\n}",
			"Corefile:3 - Error during parsing: redeclaration of previously declared snippet s"},
		{"(s)\n log\n. {\n}", "Corefile:2 - Syntax error: Unexpected token 'log', expecting '{'"},
		{"(s) {\n log {\n }\n", "Corefile:3 - Syntax error: Unexpected token '}', expecting '}'"},
		{"(s) {\n log\n import s\n}\n. {\n import s\n}", "Corefile:3 - Error during parsing: maximum "
								 "snippet import depth (10000) exceeded"},
	};

	(void)state;
	expect_all(examples, ARRAY_LENGTH(examples));
}

static int make_scratch(void **state)
{
	struct scratch *scratch = memory_alloc(sizeof(*scratch));

	scratch_make(scratch);
	*state = scratch;
	return 0;
}

static int remove_scratch(void **state)
{
	scratch_remove(*state);
	memory_free(*state);
	return 0;
}

static void make_subfolder(const struct scratch *scratch, const char *name)
{
	char path[SCRATCH_PATH_MAX];

	assert_int_equal(mkdir(scratch_path(scratch, name, path), 0700), 0);
}

/* As expect(), with imports from the scratch folder; where its path is shown, "~" stands for it. */
static void expect_in(const struct scratch *scratch, const char *text, const char *expected)
{
	char name[SCRATCH_PATH_MAX];
	struct buffer shown, shorter;

	show(scratch_path(scratch, "Corefile", name), text, strlen(text), &shown);
	buffer_init(&shorter);
	buffer_text(&shorter, "");
	for (const char *at = shown.bytes; *at;) {
		bool is_path = strncmp(at, scratch->path, strlen(scratch->path)) == 0;

		buffer_add(&shorter, is_path ? "~" : at, 1);
		at += is_path ? strlen(scratch->path) : 1;
	}
	assert_string_equal(shorter.bytes, expected);
	buffer_finish(&shorter);
	buffer_finish(&shown);
}

static void test_import_of_a_file(void **state)
{
	const struct scratch *scratch = *state;

	scratch_write(scratch, "part.conf", "errors {\n x\n}\nwhoami\n");
	scratch_write(scratch, "blocks.conf", "a {\n log\n}\nb {\n}\n");
	scratch_write(scratch, "open.conf", "hosts {\n x\n");
	scratch_write(scratch, "snippets.conf", "(s) {\n log\n}\n");
	scratch_write(scratch, "bad.conf", "errors\n\nnothing\n");
	scratch_write(scratch, "quote.conf", "errors\n\"\n");
	scratch_write(scratch, "again.conf", "errors\nimport again.conf\n");
	scratch_write(scratch, "empty.conf", "# nothing\n");
	expect_in(scratch, ". {\n import part.conf\n log\n}", ". {errors { x }; whoami; log}\n");
	expect_in(scratch, "import blocks.conf\nc {\n}", "a {log}\nb {}\nc {}\n");
	expect_in(scratch, "import snippets.conf\n. {\n import s\n}", ". {log}\n");
	expect_in(scratch, ". {\n import open.conf\n }\n log\n}", ". {hosts { x }; log}\n");
	expect_in(scratch, "import empty.conf", "");
	expect_in(scratch, "import empty.conf\nimport empty.conf\n. {\n}", ". {}\n");
	expect_in(scratch, "(part.conf) {\n log\n}\n. {\n import part.conf\n}", ". {log}\n");
	expect_in(scratch, ". {\n import bad.conf\n}",
		"~/bad.conf:3 - Error during parsing: Unknown directive 'nothing'");
	expect_in(scratch, ". {\n import part.conf\n nothing\n}",
		"~/Corefile:3 - Error during parsing: Unknown directive 'nothing'");
	expect_in(scratch, ". {\n import quote.conf\n}",
		"~/quote.conf:2 - Error during parsing: the double quote is not closed");
	expect_in(scratch, ". {\n import again.conf\n}",
		"~/again.conf:2 - Error during parsing: maximum file import depth (10000) exceeded");
	expect_in(scratch, ". {\n import none.conf\n}",
		"~/Corefile:2 - Error during parsing: File to import not found: none.conf");
}

static void test_import_is_relative_to_the_file_it_stands_in(void **state)
{
	const struct scratch *scratch = *state;

	make_subfolder(scratch, "sub");
	scratch_write(scratch, "sub/a.conf", "import b.conf\n");
	scratch_write(scratch, "sub/b.conf", "log\n");
	scratch_write(scratch, "sub/c.conf", "import d.conf\n");
	scratch_write(scratch, "d.conf", "log\n");
	expect_in(scratch, ". {\n import sub/a.conf\n}", ". {log}\n");
	expect_in(scratch, ". {\n import sub/c.conf\n}",
		"~/sub/c.conf:1 - Error during parsing: File to import not found: d.conf");
}

static void test_import_by_pattern(void **state)
{
	const struct scratch *scratch = *state;

	make_subfolder(scratch, "conf.d");
	scratch_write(scratch, "conf.d/20.conf", "log\n");
	scratch_write(scratch, "conf.d/10.conf", "errors\n");
	scratch_write(scratch, "conf.d/.05.conf", "whoami\n");
	scratch_write(scratch, "conf.d/30.other", "nothing\n");
	expect_in(scratch, ". {\n import conf.d/*.conf\n}", ". {whoami; errors; log}\n");
	expect_in(scratch, ". {\n import conf.d/?0.conf\n}", ". {errors; log}\n");
	expect_in(scratch, ". {\n log\n import conf.d/*.none\n}\nimport none.d/*", ". {log}\n");
	expect_in(scratch, ". {\n import conf.d/*/*.conf\n}",
		"~/Corefile:2 - Error during parsing: Glob pattern may only contain one wildcard (*), but "
		"has "
		"others: ~/conf.d/*/*.conf");
	expect_in(scratch, ". {\n import conf[0-9]\n}",
		"~/Corefile:2 - Error during parsing: Glob pattern may only contain one wildcard (*), but "
		"has "
		"others: ~/conf[0-9]");
	expect_in(scratch, ". {\n import conf[\n}",
		"~/Corefile:2 - Error during parsing: Failed to use import pattern ~/conf[: '[' is not "
		"closed");
	expect_in(scratch, ". {\n import conf.*\n}",
		"~/Corefile:2 - Error during parsing: Could not import ~/conf.d: is a directory");
}

static void test_import_of_what_is_no_plain_file(void **state)
{
	const struct scratch *scratch = *state;
	char fifo[SCRATCH_PATH_MAX];

	assert_int_equal(mkfifo(scratch_path(scratch, "fifo", fifo), 0600), 0);
	expect_in(scratch, ". {\n import fifo\n log\n}", ". {log}\n");
	expect_in(scratch, ". {\n import /dev/null\n log\n}", ". {log}\n");
	expect_in(scratch, ". {\n import /dev/zero\n}",
		"~/Corefile:2 - Error during parsing: Could not import /dev/zero: File too large");
	expect_in(scratch, ". {\n import .\n}",
		"~/Corefile:2 - Error during parsing: Could not import ~/.: is a directory");
}

/* A text of `count` equal parts between a head and a tail. */
static void expect_repeated(
	const char *head, const char *part, size_t count, const char *tail, const char *expected)
{
	struct buffer text, shown;

	buffer_init(&text);
	buffer_text(&text, head);
	while (count--)
		buffer_text(&text, part);
	buffer_text(&text, tail);
	show("Corefile", text.bytes, text.length, &shown);
	assert_string_equal(shown.bytes, expected);
	buffer_finish(&shown);
	buffer_finish(&text);
}

/* Each would take minutes or gigabytes if work grew with the square of the text. */
static void test_long_texts(void **state)
{
	(void)state;
	expect_repeated(". {\n", "log\n", 200000, "x\n}",
		"Corefile:200002 - Error during parsing: Unknown directive 'x'");
	expect_repeated(
		"", "a ", 200000, "{ x\n}", "Corefile:1 - Error during parsing: Unknown directive 'x'");
	expect_repeated("(e) {\n}\n. {\n", "import e\n", 10000, "x\n}",
		"Corefile:10004 - Error during parsing: Unknown directive 'x'");
	expect_repeated("(s) {\nlog\n}\n. {\n", "import s\n", 10001, "}",
		"Corefile:10005 - Error during parsing: maximum snippet import depth (10000) exceeded");
}

static void test_limits(void **state)
{
	char *value = memory_alloc(100001);

	(void)state;
	memset(value, 'x', 100000);
	value[100000] = '\0';
	setenv("LONG", value, 1);
	memory_free(value);
	expect_repeated(". {\n", "log {$LONG}\n", 200, "}",
		"Corefile:169 - Error during parsing: too much text from environment variables");
	unsetenv("LONG");
	expect_repeated("", "################", 1 << 20, "\n",
		"Corefile: the configuration is larger than 16777216 octets");
	expect_repeated("", "a ", 4000001, "",
		"Corefile:1 - Error during parsing: more than 4000000 words, imports included");
}

/* What snippets multiply: 2 to the power of 14 words of the innermost. */
static void test_snippets_that_multiply(void **state)
{
	struct buffer text, shown;

	(void)state;
	buffer_init(&text);
	buffer_text(&text, "(s0) {\nlog\n}\n");
	for (int i = 1; i < 15; i++)
		buffer_format(&text, "(s%d) {\nimport s%d\nimport s%d\n}\n", i, i - 1, i - 1);
	buffer_text(&text, ". {\nimport s14\n}\n");
	show("Corefile", text.bytes, text.length, &shown);
	assert_non_null(strstr(shown.bytes, "maximum snippet import depth (10000) exceeded"));
	buffer_finish(&shown);
	buffer_finish(&text);
}

static void test_no_file(void **state)
{
	const struct scratch *scratch = *state;
	char path[SCRATCH_PATH_MAX], expected[SCRATCH_PATH_MAX + 64];
	struct corefile corefile;
	struct error error = {0};

	scratch_path(scratch, "none", path);
	assert_false(corefile_read(&corefile, path, is_directive, &error));
	snprintf(expected, sizeof(expected), "open %s: no such file or directory", path);
	assert_string_equal(error.message, expected);
	corefile_finish(&corefile);
}

static void test_reading_a_file(void **state)
{
	const struct scratch *scratch = *state;
	char path[SCRATCH_PATH_MAX];
	struct corefile corefile;
	struct error error = {0};

	scratch_write(scratch, "Corefile", "a.example {\n log\n}\nb.example {\n}\n");
	assert_true(corefile_read(&corefile, scratch_path(scratch, "Corefile", path), is_directive, &error));
	assert_string_equal(corefile.blocks->keys[0].text, "a.example");
	assert_string_equal(corefile.blocks->directives->tokens[0].file, path);
	assert_int_equal(corefile.blocks->directives->tokens[0].line, 2);
	assert_int_equal(corefile.blocks->next->line, 4);
	assert_null(corefile.blocks->next->next);
	corefile_finish(&corefile);
	scratch_write(scratch, "empty", "");
	assert_true(corefile_read(&corefile, scratch_path(scratch, "empty", path), is_directive, &error));
	assert_null(corefile.blocks);
	corefile_finish(&corefile);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_nul_is_refused),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_braces),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_braces_in_the_environment_open_nothing),
		cmocka_unit_test(test_snippets),
		cmocka_unit_test_setup_teardown(test_import_of_a_file, make_scratch, remove_scratch),
		cmocka_unit_test_setup_teardown(
			test_import_is_relative_to_the_file_it_stands_in, make_scratch, remove_scratch),
		cmocka_unit_test_setup_teardown(test_import_by_pattern, make_scratch, remove_scratch),
		cmocka_unit_test_setup_teardown(
			test_import_of_what_is_no_plain_file, make_scratch, remove_scratch),
		cmocka_unit_test(test_long_texts),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_snippets_that_multiply),
		cmocka_unit_test_setup_teardown(test_no_file, make_scratch, remove_scratch),
		cmocka_unit_test_setup_teardown(test_reading_a_file, make_scratch, remove_scratch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
