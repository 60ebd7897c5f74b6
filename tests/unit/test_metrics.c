/* Metrics: what the page looks like, and that counting goes on in cells that exist. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include "svcdns/metrics.h"

#define WORKERS 3
#define ROUNDS	20000

static const char *const colours[] = {"red", "green", NULL};
static const char *const shapes[] = {"disc", "square", "star", NULL};
static const uint64_t bounds[] = {10, 100};

static const struct metric_family plain = {.name = "a_total", .help = "Plain."};
static const struct metric_family labelled = {
	.name = "b_total",
	.help = "Labelled.",
	.labels = {{"colour", colours}, {.name = "name"}, {"shape", shapes}},
};
static const struct metric_family sizes = {
	.name = "c_bytes",
	.help = "Sizes.",
	.type = METRIC_HISTOGRAM,
	.bounds = bounds,
	.bound_count = 2,
};
static const struct metric_family times = {
	.name = "d_seconds",
	.help = "Times.",
	.type = METRIC_HISTOGRAM,
	.labels = {{.name = "name"}},
	.bounds = metric_times,
	.bound_count = METRIC_TIMES,
	.divisor = 1e9,
};
static const struct metric_family level = {.name = "e", .help = "A level.", .type = METRIC_GAUGE};
static const struct metric_family levels = {
	.name = "f", .help = "Levels.", .type = METRIC_GAUGE, .labels = {{.name = "name"}}};
static const struct metric_family sum = {
	.name = "g_sum", .help = "A sum.", .type = METRIC_GAUGE, .alike = METRIC_SUM};
static const struct metric_family least = {
	.name = "h_least", .help = "The least.", .type = METRIC_GAUGE, .alike = METRIC_LEAST};
static const struct metric_family whole = {
	.name = "i_total", .help = "Of the process.", .alike = METRIC_GREATEST};
static const struct metric_family *const all[] = {
	&plain, &labelled, &sizes, &times, &level, &levels, &sum, &least, &whole, NULL};

static const char *const web[] = {"web"};
static struct buffer text;

static int set_up(void **state)
{
	struct metrics *metrics = metrics_create(WORKERS);

	metrics_declare(metrics, all);
	*state = metrics;
	return 0;
}

static int tear_down(void **state)
{
	metrics_destroy(*state);
	buffer_finish(&text);
	return 0;
}

static const char *page(struct metrics *metrics)
{
	buffer_clear(&text);
	metrics_write(metrics, &text);
	return text.bytes;
}

static void test_empty(void **state)
{
	assert_string_equal(page(*state),
		"# HELP a_total Plain.\n# TYPE a_total counter\na_total 0\n"
		"# HELP c_bytes Sizes.\n# TYPE c_bytes histogram\n"
		"c_bytes_bucket{le=\"10\"} 0\nc_bytes_bucket{le=\"100\"} 0\n"
		"c_bytes_bucket{le=\"+Inf\"} 0\nc_bytes_sum 0\nc_bytes_count 0\n"
		"# HELP e A level.\n# TYPE e gauge\ne 0\n"
		"# HELP g_sum A sum.\n# TYPE g_sum gauge\ng_sum 0\n"
		"# HELP h_least The least.\n# TYPE h_least gauge\nh_least 0\n"
		"# HELP i_total Of the process.\n# TYPE i_total counter\ni_total 0\n");
}

static void test_sum_of_workers(void **state)
{
	for (unsigned w = 0; w < WORKERS; w++)
		cell_add(metrics_cells(*state, w, &plain, NULL), w + 1);
	assert_non_null(strstr(page(*state), "\na_total 6\n"));
}

/* The last label changes fastest. */
static void test_combinations(void **state)
{
	struct cell *cells = metrics_cells(*state, 1, &labelled, web);

	cell_add(&cells[0], 1);
	cell_add(&cells[2], 2);
	cell_add(&cells[3], 3);
	assert_non_null(strstr(page(*state), "# TYPE b_total counter\n"
					     "b_total{colour=\"green\",name=\"web\",shape=\"disc\"} 3\n"
					     "b_total{colour=\"red\",name=\"web\",shape=\"disc\"} 1\n"
					     "b_total{colour=\"red\",name=\"web\",shape=\"star\"} 2\n"
					     "# HELP c_bytes"));
}

static void test_histogram(void **state)
{
	static const uint64_t values[] = {0, 10, 11, 100, 101, 5000};
	struct cell *cells = metrics_cells(*state, 0, &sizes, NULL);

	for (size_t i = 0; i < ARRAY_LENGTH(values); i++)
		histogram_add(&sizes, cells, values[i]);
	assert_non_null(
		strstr(page(*state), "c_bytes_bucket{le=\"10\"} 2\nc_bytes_bucket{le=\"100\"} 4\n"
				     "c_bytes_bucket{le=\"+Inf\"} 6\nc_bytes_sum 5222\nc_bytes_count 6\n"));
}

static void test_histogram_of_seconds(void **state)
{
	struct cell *cells = metrics_cells(*state, 0, &times, web);

	histogram_add(&times, cells, 250000);
	histogram_add(&times, cells, 1250000000);
	page(*state);
	assert_non_null(strstr(text.bytes, "d_seconds_bucket{name=\"web\",le=\"0.00025\"} 1\n"
					   "d_seconds_bucket{name=\"web\",le=\"0.0005\"} 1\n"));
	assert_non_null(strstr(text.bytes, "d_seconds_bucket{name=\"web\",le=\"1.024\"} 1\n"
					   "d_seconds_bucket{name=\"web\",le=\"2.048\"} 2\n"));
	assert_non_null(strstr(text.bytes, "d_seconds_bucket{name=\"web\",le=\"8.192\"} 2\n"
					   "d_seconds_bucket{name=\"web\",le=\"+Inf\"} 2\n"
					   "d_seconds_sum{name=\"web\"} 1.25025\n"
					   "d_seconds_count{name=\"web\"} 2\n"));
}

/* As after a reload: who asks again goes on where the last one was. */
static void test_series_are_found_again(void **state)
{
	static const char *const other[] = {"we"};

	assert_ptr_equal(metrics_cells(*state, 2, &labelled, web), metrics_cells(*state, 2, &labelled, web));
	assert_ptr_not_equal(
		metrics_cells(*state, 2, &labelled, web), metrics_cells(*state, 1, &labelled, web));
	assert_ptr_not_equal(
		metrics_cells(*state, 2, &labelled, web), metrics_cells(*state, 2, &labelled, other));
	assert_ptr_not_equal(metrics_cells(*state, 2, &labelled, web), metrics_cells(*state, 2, &times, web));
}

static void test_many_series(void **state)
{
	char expected[64];

	for (int i = 0; i < 5000; i++) {
		char name[16];

		snprintf(name, sizeof(name), "n%d", i);
		cell_add(metrics_cells(*state, 0, &labelled, (const char *const[]){name}), (uint64_t)i + 1);
	}
	page(*state);
	for (int i = 0; i < 5000; i++) {
		snprintf(expected, sizeof(expected), "{colour=\"red\",name=\"n%d\",shape=\"disc\"} %d\n", i,
			i + 1);
		assert_non_null(strstr(text.bytes, expected));
	}
}

static void collect(void *config, struct metrics_page *out)
{
	const double *value = config;

	metrics_sample(out, &level, NULL, *value);
	metrics_sample(out, &levels, (const char *const[]){"a\"b\\c\nd"}, *value);
	metrics_sample(out, &plain, NULL, *value);
	metrics_sample(out, &sum, NULL, *value);
	metrics_sample(out, &least, NULL, *value);
	metrics_sample(out, &whole, NULL, *value);
}

static void test_collectors(void **state)
{
	double small = 0.1, great = 1756000000.25;
	const struct metrics_collector collectors[] = {{collect, &small}, {collect, &great}};

	metrics_set_collectors(*state, collectors, 2);
	assert_non_null(
		strstr(page(*state), "# TYPE e gauge\ne 1756000000.25\n# HELP f Levels.\n# TYPE f gauge\n"
				     "f{name=\"a\\\"b\\\\c\\nd\"} 1756000000.25\n"));
	assert_non_null(strstr(text.bytes, "\na_total 1756000000.35\n"));
	assert_non_null(strstr(text.bytes, "\ng_sum 1756000000.35\n"));
	assert_non_null(strstr(text.bytes, "\nh_least 0.1\n"));
	assert_non_null(strstr(text.bytes, "\ni_total 1756000000.25\n"));
	metrics_set_collectors(*state, collectors, 1);
	assert_non_null(strstr(page(*state), "\ne 0.1\n"));
	assert_non_null(strstr(text.bytes, "\ng_sum 0.1\n"));
	metrics_set_collectors(*state, NULL, 0);
	assert_non_null(strstr(page(*state), "\ne 0\n"));
	assert_null(strstr(text.bytes, "# HELP f "));
}

static void collect_times(void *config, struct metrics_page *out)
{
	uint64_t numbers[METRIC_TIMES + 2] = {1, 2, [METRIC_TIMES] = 4, [METRIC_TIMES + 1] = 1500000000};

	(void)config;
	metrics_sample_histogram(out, &times, web, numbers);
}

static void test_a_histogram_that_is_collected(void **state)
{
	const struct metrics_collector collector = {collect_times, *state};

	metrics_set_collectors(*state, &collector, 1);
	page(*state);
	assert_non_null(strstr(text.bytes, "\nd_seconds_bucket{name=\"web\",le=\"0.0005\"} 3\n"));
	assert_non_null(
		strstr(text.bytes, "\nd_seconds_bucket{name=\"web\",le=\"+Inf\"} 7\n"
				   "d_seconds_sum{name=\"web\"} 1.5\nd_seconds_count{name=\"web\"} 7\n"));
	metrics_set_collectors(*state, NULL, 0);
}

/* Of two blocks, and of a worker: all of it counts. */
static void test_histograms_are_added_up(void **state)
{
	const struct metrics_collector collectors[] = {{collect_times, *state}, {collect_times, NULL}};

	histogram_add(&times, metrics_cells(*state, 1, &times, web), 250000);
	metrics_set_collectors(*state, collectors, ARRAY_LENGTH(collectors));
	page(*state);
	assert_non_null(strstr(text.bytes, "\nd_seconds_bucket{name=\"web\",le=\"0.00025\"} 3\n"
					   "d_seconds_bucket{name=\"web\",le=\"0.0005\"} 7\n"));
	assert_non_null(strstr(text.bytes, "\nd_seconds_bucket{name=\"web\",le=\"+Inf\"} 15\n"
					   "d_seconds_sum{name=\"web\"} 3.00025\n"
					   "d_seconds_count{name=\"web\"} 15\n"));
	metrics_set_collectors(*state, NULL, 0);
}

struct writer_thread {
	struct metrics *metrics;
	unsigned worker;
	pthread_t thread;
};

static void *count(void *argument)
{
	const struct writer_thread *t = argument;
	struct cell *cell = metrics_cells(t->metrics, t->worker, &plain, NULL);

	for (int i = 0; i < ROUNDS; i++)
		cell_add(cell, 1);
	return NULL;
}

static void test_counting_while_the_page_is_written(void **state)
{
	struct writer_thread threads[WORKERS];

	for (unsigned w = 0; w < WORKERS; w++) {
		threads[w] = (struct writer_thread){.metrics = *state, .worker = w};
		assert_int_equal(pthread_create(&threads[w].thread, NULL, count, &threads[w]), 0);
	}
	for (int i = 0; i < 50; i++)
		assert_non_null(strstr(page(*state), "\na_total "));
	for (unsigned w = 0; w < WORKERS; w++)
		pthread_join(threads[w].thread, NULL);
	assert_non_null(strstr(page(*state), "\na_total 60000\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_empty, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_sum_of_workers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_combinations, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_histogram, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_histogram_of_seconds, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_series_are_found_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_many_series, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_collectors, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_histogram_that_is_collected, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_histograms_are_added_up, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_counting_while_the_page_is_written, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
