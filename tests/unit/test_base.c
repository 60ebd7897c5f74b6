/* Arena, buffer, random numbers, errors, log, lines of /proc. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "svcdns/arena.h"
#include "svcdns/buffer.h"
#include "svcdns/error.h"
#include "svcdns/log.h"
#include "svcdns/memory.h"
#include "svcdns/proc.h"
#include "svcdns/random.h"

static void test_arena(void **state)
{
	struct arena arena;
	char *texts[1000];

	(void)state;
	arena_init(&arena);
	for (int i = 0; i < 1000; i++) {
		unsigned char *block = arena_alloc(&arena, (size_t)i * 20 + 1);

		assert_int_equal((uintptr_t)block % _Alignof(max_align_t), 0);
		for (int j = 0; j < i * 20; j++)
			assert_int_equal(block[j], 0);
		memset(block, 0xff, (size_t)i * 20 + 1);
		texts[i] = arena_format(&arena, "number %d", i);
	}
	for (int i = 0; i < 1000; i++) {
		char expected[32];

		snprintf(expected, sizeof(expected), "number %d", i);
		assert_string_equal(texts[i], expected);
	}
	assert_string_equal(arena_text_n(&arena, "abcdef", 3), "abc");
	assert_string_equal(arena_text(&arena, ""), "");
	arena_finish(&arena);
	arena_finish(&arena);
}

static void test_buffer(void **state)
{
	struct buffer buffer;

	(void)state;
	buffer_init(&buffer);
	for (int i = 0; i < 5000; i++)
		buffer_format(&buffer, "%d,", i);
	assert_int_equal(buffer.length, strlen(buffer.bytes));
	assert_memory_equal(buffer.bytes + buffer.length - 5, "4999,", 5);
	buffer_clear(&buffer);
	assert_string_equal(buffer.bytes, "");
	buffer_add(&buffer, "a\0b", 3);
	assert_int_equal(buffer.length, 3);
	buffer_finish(&buffer);
}

static void test_read_file(void **state)
{
	char path[] = "/tmp/svcdns-test-XXXXXX", reason[256], expected[256];
	int fd = mkstemp(path);
	struct buffer buffer;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "one\ntwo", 7), 7);
	close(fd);
	buffer_init(&buffer);
	assert_true(buffer_read_file(&buffer, path, reason, sizeof(reason)));
	assert_string_equal(buffer.bytes, "one\ntwo");
	unlink(path);
	assert_false(buffer_read_file(&buffer, path, reason, sizeof(reason)));
	snprintf(expected, sizeof(expected), "open %s: no such file or directory", path);
	assert_string_equal(reason, expected);
	assert_false(buffer_read_file(&buffer, "/tmp", reason, sizeof(reason)));
	assert_string_equal(reason, "read /tmp: is a directory");
	buffer_finish(&buffer);
}

static void test_random(void **state)
{
	struct random random = {0};
	unsigned seen[10] = {0};
	uint8_t a[600], b[600];

	(void)state;
	random_fill(&random, a, sizeof(a));
	random_fill(&random, b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
	for (int i = 0; i < 10000; i++) {
		uint32_t value = random_below(&random, 10);

		assert_true(value < 10);
		seen[value]++;
	}
	for (int i = 0; i < 10; i++) /* 1000 expected, deviation 30: ten of them are not by chance */
		assert_in_range(seen[i], 700, 1300);
	assert_int_equal(random_below(&random, 1), 0);
}

static void test_error(void **state)
{
	struct error error = {""};

	(void)state;
	assert_false(error_set(&error, "line %d", 3));
	assert_false(error_prefix(&error, "%s: ", "file"));
	assert_string_equal(error.message, "file: line 3");
}

static void test_memory_forget(void **state)
{
	size_t size = 64 * 1024;
	unsigned char *range = memory_reserve(size);

	(void)state;
	memset(range, 1, size);
	memory_forget(range + 100, size - 200); /* the pages at both ends are shared with what stays */
	assert_int_equal(range[0], 1);
	assert_int_equal(range[99], 1);
	assert_int_equal(range[size / 2], 0);
	assert_int_equal(range[size - 1], 1);
	memory_unreserve(range, size);
}

/* What the logger writes to stdout while `write_lines` runs. */
static void capture(void (*write_lines)(void), char *out, size_t size)
{
	int ends[2], saved = dup(STDOUT_FILENO);
	size_t length = 0;

	fflush(stdout);
	assert_int_equal(pipe(ends), 0);
	dup2(ends[1], STDOUT_FILENO);
	close(ends[1]);
	write_lines();
	dup2(saved, STDOUT_FILENO); /* the last writing end of the pipe */
	close(saved);
	for (ssize_t n; (n = read(ends[0], out + length, size - 1 - length)) > 0;)
		length += (size_t)n;
	out[length] = '\0';
	close(ends[0]);
}

static void write_some_lines(void)
{
	log_line(LOG_INFO, NULL, "at once");
	log_start();
	log_line(LOG_DEBUG, "plugin/x", "hidden");
	log_set_debug(true);
	log_line(LOG_DEBUG, "plugin/x", "shown");
	log_set_debug(false);
	log_line(LOG_ERROR, "plugin/x", "%d", 7);
	log_plain(".:53");
	log_set_quiet(true);
	log_plain("hidden");
	log_set_quiet(false);
	log_raw("raw\n", 4);
	log_stop();
	log_line(LOG_WARNING, NULL, "after");
}

static void test_log(void **state)
{
	char text[4096];

	(void)state;
	capture(write_some_lines, text, sizeof(text));
	assert_string_equal(text,
		"[INFO] at once\n[DEBUG] plugin/x: shown\n[ERROR] plugin/x: 7\n.:53\nraw\n[WARNING] after\n");
}

static void write_long_line(void)
{
	char text[5000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	log_line(LOG_INFO, NULL, "%s", text);
	log_line(LOG_INFO, NULL, "next");
}

static void test_long_lines_are_cut_whole(void **state)
{
	char text[8192];

	(void)state;
	capture(write_long_line, text, sizeof(text));
	assert_string_equal(strchr(text, '\n'), "\n[INFO] next\n");
	assert_in_range(strlen(text), 2000, 2100);
}

/* In a process of its own, which it ends. */
static void end_by_log_fatal(void)
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		log_start();
		log_line(LOG_INFO, NULL, "before");
		log_fatal("plugin/x", "must %s", "end");
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
}

static void test_fatal(void **state)
{
	char text[1024];

	(void)state;
	capture(end_by_log_fatal, text, sizeof(text));
	assert_string_equal(text, "[INFO] before\n[FATAL] plugin/x: must end\n");
}

static void test_proc_stat(void **state)
{
	static const char line[] = "42 (a) b (c) S 1 2 -3 18446744073709551615";

	(void)state;
	assert_int_equal(proc_stat_number(line, 4), 1);
	assert_int_equal(proc_stat_number(line, 5), 2);
	assert_true(proc_stat_number(line, 7) == UINT64_MAX);
	assert_int_equal(proc_stat_number(line, 8), 0);
	assert_int_equal(proc_stat_number(line, 100), 0);
	assert_int_equal(proc_stat_number("", 4), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arena),
		cmocka_unit_test(test_buffer),
		cmocka_unit_test(test_read_file),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_error),
		cmocka_unit_test(test_memory_forget),
		cmocka_unit_test(test_log),
		cmocka_unit_test(test_long_lines_are_cut_whole),
		cmocka_unit_test(test_fatal),
		cmocka_unit_test(test_proc_stat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
