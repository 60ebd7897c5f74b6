/* Series of cells.
 *
 * Cells stand in chunks, each a row of METRICS_ROW cells for every worker; a series is a piece at the same
 * place of every row. Chunks and series are never freed nor moved before the end, so that a pointer into them
 * stays good. All else is guarded by the mutex, which nobody takes to count. */
#include "svcdns/metrics.h"

#include <pthread.h>
#include <string.h>

#include "metrics_page.h"
#include "svcdns/hash.h"
#include "svcdns/memory.h"

#define BUCKETS 512 /* of the table of series */

#define TIME(n) (UINT64_C(250000) << (n))

const uint64_t metric_times[METRIC_TIMES] = {TIME(0), TIME(1), TIME(2), TIME(3), TIME(4), TIME(5), TIME(6),
	TIME(7), TIME(8), TIME(9), TIME(10), TIME(11), TIME(12), TIME(13), TIME(14), TIME(15)};

struct chunk {
	struct cell *cells; /* workers * METRICS_ROW; touched as far as they are counted in */
	size_t used;	    /* of each row */
	struct chunk *next;
};

struct series {
	const struct metric_family *family;
	char *values; /* one behind the other, NUL after each; owned */
	size_t values_length;
	struct cell *cells; /* of worker 0 */
	struct series *next;
};

struct declared {
	const struct metric_family *const *families;
	struct declared *next;
};

struct metrics {
	unsigned workers;
	pthread_mutex_t mutex; /* guards what is below */
	struct chunk *chunks;  /* newest first */
	struct series *series[BUCKETS];
	struct declared *declared;
	const struct metrics_collector *collectors;
	size_t collector_count;
};

struct metrics *metrics_create(unsigned workers)
{
	struct metrics *metrics = memory_zero(1, sizeof(*metrics));

	metrics->workers = workers;
	pthread_mutex_init(&metrics->mutex, NULL);
	return metrics;
}

static size_t chunk_octets(const struct metrics *metrics)
{
	return metrics->workers * METRICS_ROW * sizeof(struct cell);
}

static void free_series(struct series *series)
{
	while (series) {
		struct series *next = series->next;

		memory_free(series->values);
		memory_free(series);
		series = next;
	}
}

void metrics_destroy(struct metrics *metrics)
{
	if (!metrics)
		return;
	for (size_t i = 0; i < BUCKETS; i++)
		free_series(metrics->series[i]);
	while (metrics->chunks) {
		struct chunk *next = metrics->chunks->next;

		memory_unreserve(metrics->chunks->cells, chunk_octets(metrics));
		memory_free(metrics->chunks);
		metrics->chunks = next;
	}
	while (metrics->declared) {
		struct declared *next = metrics->declared->next;

		memory_free(metrics->declared);
		metrics->declared = next;
	}
	pthread_mutex_destroy(&metrics->mutex);
	memory_free(metrics);
}

void metrics_declare(struct metrics *metrics, const struct metric_family *const *families)
{
	struct declared *declared = memory_alloc(sizeof(*declared));

	declared->families = families;
	pthread_mutex_lock(&metrics->mutex);
	declared->next = metrics->declared;
	metrics->declared = declared;
	pthread_mutex_unlock(&metrics->mutex);
}

void metrics_set_collectors(struct metrics *metrics, const struct metrics_collector *collectors, size_t count)
{
	pthread_mutex_lock(&metrics->mutex);
	metrics->collectors = collectors;
	metrics->collector_count = count;
	pthread_mutex_unlock(&metrics->mutex);
}

/* How many values a label has within one series. */
static size_t count_values(const struct metric_label *label)
{
	size_t count = 0;

	if (!label->values)
		return 1;
	while (label->values[count])
		count++;
	return count;
}

static size_t count_combinations(const struct metric_family *family)
{
	size_t count = 1;

	for (const struct metric_label *label = family->labels; label->name; label++)
		count *= count_values(label);
	return count;
}

static size_t count_given(const struct metric_family *family)
{
	size_t count = 0;

	for (const struct metric_label *label = family->labels; label->name; label++)
		count += !label->values;
	return count;
}

static struct cell *take_cells(struct metrics *metrics, size_t count)
{
	struct chunk *chunk = metrics->chunks;

	assert(count <= METRICS_ROW);
	if (!chunk || METRICS_ROW - chunk->used < count) {
		chunk = memory_zero(1, sizeof(*chunk));
		chunk->cells = memory_reserve(chunk_octets(metrics));
		chunk->next = metrics->chunks;
		metrics->chunks = chunk;
	}
	chunk->used += count;
	return &chunk->cells[chunk->used - count];
}

static struct series **bucket_of(
	struct metrics *metrics, const struct metric_family *family, const struct buffer *values)
{
	static const struct hash_key fixed; /* the values are the configuration's, nobody's to choose */
	uint64_t hash =
		hash_bytes(&fixed, values->bytes, values->length) ^ (uintptr_t)family / sizeof(*family);

	return &metrics->series[hash % BUCKETS];
}

static struct series *find_or_make(
	struct metrics *metrics, const struct metric_family *family, const struct buffer *values)
{
	struct series **bucket = bucket_of(metrics, family, values), *series = *bucket;

	while (series && (series->family != family || series->values_length != values->length ||
				 memcmp(series->values, values->bytes, values->length) != 0))
		series = series->next;
	if (series)
		return series;
	series = memory_alloc(sizeof(*series));
	*series = (struct series){.family = family, .values_length = values->length, .next = *bucket};
	series->values = memory_alloc(values->length + 1);
	memcpy(series->values, values->bytes, values->length + 1);
	series->cells = take_cells(metrics, count_combinations(family) * metric_width(family));
	*bucket = series;
	return series;
}

struct cell *metrics_cells(struct metrics *metrics, unsigned worker, const struct metric_family *family,
	const char *const *values)
{
	size_t count = count_given(family);
	struct buffer joined;
	struct cell *cells;

	assert(worker < metrics->workers);
	buffer_init(&joined);
	buffer_text(&joined, "");
	for (size_t i = 0; i < count; i++)
		buffer_add(&joined, values[i], strlen(values[i]) + 1);
	pthread_mutex_lock(&metrics->mutex);
	cells = find_or_make(metrics, family, &joined)->cells;
	pthread_mutex_unlock(&metrics->mutex);
	buffer_finish(&joined);
	return cell_of_worker(cells, worker);
}

static uint64_t sum_of(const struct metrics *metrics, struct cell *cell)
{
	uint64_t sum = 0;

	for (unsigned w = 0; w < metrics->workers; w++)
		sum += atomic_load_explicit(&cell_of_worker(cell, w)->value, memory_order_relaxed);
	return sum;
}

static void add_labels(const struct series *series, size_t combination, struct metrics_page *page)
{
	size_t below = count_combinations(series->family); /* combinations of a label and those behind it */
	const char *given = series->values;

	for (const struct metric_label *label = series->family->labels; label->name; label++) {
		size_t each = below / count_values(label);

		page_label(
			page, label->name, label->values ? label->values[combination % below / each] : given);
		if (!label->values)
			given += strlen(given) + 1;
		below = each;
	}
}

/* One combination, if anything was counted for it. */
static void add_combination(const struct metrics *metrics, const struct series *series, size_t combination,
	struct metrics_page *page)
{
	unsigned width = metric_width(series->family);
	bool is_counted = false;

	page_begin(page, series->family);
	for (unsigned i = 0; i < width; i++) {
		uint64_t sum = sum_of(metrics, &series->cells[combination * width + i]);

		is_counted |= sum != 0;
		page_number(page, sum);
	}
	if (!is_counted) {
		page_take_back(page);
		return;
	}
	add_labels(series, combination, page);
	page_end(page);
}

static void add_series(const struct metrics *metrics, const struct series *series, struct metrics_page *page)
{
	size_t combinations = count_combinations(series->family);

	for (size_t i = 0; i < combinations; i++)
		add_combination(metrics, series, i, page);
}

/* A family without labels is there from the start. */
static void add_zero(const struct metric_family *family, struct metrics_page *page)
{
	if (!family->labels[0].name)
		page_zero(page, family);
}

static void gather(struct metrics *metrics, struct metrics_page *page)
{
	pthread_mutex_lock(&metrics->mutex);
	for (size_t i = 0; i < BUCKETS; i++)
		for (const struct series *series = metrics->series[i]; series; series = series->next)
			add_series(metrics, series, page);
	for (size_t i = 0; i < metrics->collector_count; i++)
		metrics->collectors[i].collect(metrics->collectors[i].config, page);
	for (const struct declared *d = metrics->declared; d; d = d->next)
		for (const struct metric_family *const *family = d->families; *family; family++)
			add_zero(*family, page);
	pthread_mutex_unlock(&metrics->mutex);
}

void metrics_write(struct metrics *metrics, struct buffer *out)
{
	struct metrics_page page = {0};

	gather(metrics, &page);
	page_write(&page, out);
	page_finish(&page);
}
