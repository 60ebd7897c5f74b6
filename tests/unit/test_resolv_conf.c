/* resolv.conf: which search list and which ndots a file gives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "svcdns/resolv_conf.h"

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

/* "a. b. ndots 1" */
static void describe(const struct resolv_conf *conf, char *out, size_t size)
{
	char name[NAME_TEXT_MAX];
	size_t at = 0;

	for (size_t i = 0; i < conf->search_count; i++) {
		name_to_text(&conf->search[i], name);
		at += (size_t)snprintf(out + at, size - at, "%s ", name);
	}
	snprintf(out + at, size - at, "ndots %u", conf->ndots);
}

static void test_files(void **state)
{
	static const struct {
		const char *text, *expected;
	} table[] = {
		{"nameserver 10.96.0.10\nsearch shop.svc.cluster.local svc.cluster.local cluster.local\n"
		 "options ndots:5\n",
			"shop.svc.cluster.local. svc.cluster.local. cluster.local. ndots 5"},
		{"", "ndots 1"},
		{"\n\n", "ndots 1"},
		{"nameserver 10.96.0.10\n", "ndots 1"},
		/* The last line of its kind counts; a domain is one name. */
		{"search a b\nsearch c", "c. ndots 1"},
		{"search a b\ndomain c d\n", "c. ndots 1"},
		{"domain a\nsearch b c\n", "b. c. ndots 1"},
		{"search a\nsearch\n", "ndots 1"},
		{"search a\ndomain\n", "ndots 1"},
		{"options ndots:3\noptions edns0 ndots:2 rotate\n", "ndots 2"},
		/* Blanks, cases, comments. */
		{" \tsearch\tA.example  B.Example. \r\n", "a.example. b.example. ndots 1"},
		{"# search a\n;search b\nsearching c\n", "ndots 1"},
		/* The root is no name to search; a number is one from 0 to 15. */
		{"search . a .\n", "a. ndots 1"},
		{"options ndots:0\n", "ndots 0"},
		{"options ndots:-1\n", "ndots 0"},
		{"options ndots:16\n", "ndots 15"},
		{"options ndots:x\n", "ndots 1"},
		{"options ndots\n", "ndots 1"},
	};
	char path[] = "/tmp/svcdns-test-XXXXXX", found[512];
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		struct resolv_conf conf;
		struct arena arena;
		struct error error;

		arena_init(&arena);
		write_file(path, table[i].text);
		assert_true(resolv_conf_read(&conf, path, &arena, &error));
		describe(&conf, found, sizeof(found));
		assert_string_equal(found, table[i].expected);
		arena_finish(&arena);
	}
	unlink(path);
}

static void test_refused(void **state)
{
	struct resolv_conf conf = {.ndots = 7};
	char path[] = "/tmp/svcdns-test-XXXXXX";
	int fd = mkstemp(path);
	struct arena arena;
	struct error error;

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	arena_init(&arena);
	write_file(path, "search a b..c\n");
	assert_false(resolv_conf_read(&conf, path, &arena, &error));
	assert_string_equal(error.message, "not a name to search: \"b..c\"");
	unlink(path);
	assert_false(resolv_conf_read(&conf, "/no/such/file", &arena, &error));
	assert_string_equal(error.message, "open /no/such/file: no such file or directory");
	assert_int_equal(conf.ndots, 7);
	assert_int_equal(conf.search_count, 0);
	arena_finish(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
