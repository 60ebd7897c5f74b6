/* Counters of what happens, and the page that shows them to Prometheus.
 *
 * A series is a row of cells for every worker. A cell has one writer, so that counting is a load, an addition and a store;
 * the cells of two workers share no cache line. The page adds the workers up. Whoever asks for a series that exists
 * already, another server block or the next configuration, is given the same cells: counters outlive what counts in them. */
#ifndef SVCDNS_METRICS_H
#define SVCDNS_METRICS_H

#include <stdatomic.h>

#include "svcdns/buffer.h"

#define METRIC_LABELS_MAX 8                 /* the end of the list included */
#define METRICS_ROW       8192              /* cells from those of one worker to those of the next */

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

/* What is shown where several collectors, those of several server blocks, give samples with the same labels. BY_TYPE: the sum of
 * counters, the greatest of gauges. Histograms are always added up. */
enum metric_alike { METRIC_BY_TYPE, METRIC_SUM, METRIC_GREATEST, METRIC_LEAST };

struct metric_label {
	const char        *name;            /* NULL ends the list */
	const char *const *values;          /* all that it can have, NULL behind the last; NULL: each series has one of its own */
};

struct metric_family {                      /* a constant of whoever counts */
	const char         *name, *help;
	enum metric_type    type;
	enum metric_alike   alike;
	struct metric_label labels[METRIC_LABELS_MAX];          /* in alphabetical order */
	const uint64_t     *bounds;         /* of a histogram: upper bounds in ascending order, without the infinite one */
	unsigned            bound_count;
	double              divisor;        /* of its numbers, for the page: 1e9 shows nanoseconds as seconds; 0: none */
};

#define METRIC_TIMES 16
extern const uint64_t metric_times[METRIC_TIMES];       /* bounds in ns: 0.25 ms to 8.192 s, each twice the one before */

struct cell {
	_Atomic uint64_t value;
};

static inline void cell_add(struct cell *cell, uint64_t count)
{
	uint64_t old = atomic_load_explicit(&cell->value, memory_order_relaxed);

	atomic_store_explicit(&cell->value, old + count, memory_order_relaxed);
}

/* Those of another worker, given those of worker 0. */
static inline struct cell *cell_of_worker(struct cell *cells, unsigned worker)
{
	return cells + (size_t)worker * METRICS_ROW;
}

/* The exception: for what is rare and counted by several threads that are no workers. */
static inline void cell_add_shared(struct cell *cell, uint64_t count)
{
	atomic_fetch_add_explicit(&cell->value, count, memory_order_relaxed);
}

/* Cells that one value of a series takes: buckets, the infinite one, and the sum. */
static inline unsigned metric_width(const struct metric_family *family)
{
	return family->type == METRIC_HISTOGRAM ? family->bound_count + 2 : 1;
}

/* The cell of the bucket that a value falls into, and that of the sum. */
static inline struct cell *histogram_bucket(const struct metric_family *family, struct cell *cells, uint64_t value)
{
	unsigned bucket = 0;

	while (bucket < family->bound_count && value > family->bounds[bucket])
		bucket++;
	return &cells[bucket];
}

static inline struct cell *histogram_sum(const struct metric_family *family, struct cell *cells)
{
	return &cells[family->bound_count + 1];
}

static inline void histogram_add(const struct metric_family *family, struct cell *cells, uint64_t value)
{
	cell_add(histogram_bucket(family, cells, value), 1);
	cell_add(histogram_sum(family, cells), value);
}

struct metrics;
struct metrics_page;                        /* being written */

struct metrics *metrics_create(unsigned workers);
void            metrics_destroy(struct metrics *metrics);       /* accepts NULL */

/* Families that are on the page: without labels they are so from the start, with 0. The list ends with NULL. */
void metrics_declare(struct metrics *metrics, const struct metric_family *const *families);

/* The cells of one worker in one series, metric_width() for every combination of the labels that have all their values
 * named, the last label changing fastest. `values` are those of the others, in the order of the labels; NULL: there are
 * none. Threads that are no workers use the cells of worker 0 of series
 * that no worker counts in. Any thread; takes a lock. */
struct cell *metrics_cells(struct metrics *metrics, unsigned worker, const struct metric_family *family,
	const char *const *values);

struct metrics_collector {
	void (*collect)(void *config, struct metrics_page *page);
	void  *config;
};

/* What is looked up when the page is written: collect() calls metrics_sample(), on whichever thread writes it. The list takes
 * the place of the last one, and is the caller's: it stays as it is until there is another. */
void metrics_set_collectors(struct metrics *metrics, const struct metrics_collector *collectors, size_t count);
/* A value of a counter or gauge, `values` for all of its labels. */
void metrics_sample(struct metrics_page *page, const struct metric_family *family, const char *const *values, double value);
/* A histogram: `numbers` as cells would have them, metric_width(). */
void metrics_sample_histogram(struct metrics_page *page, const struct metric_family *family, const char *const *values,
	const uint64_t *numbers);

/* The page, in Prometheus' text format 0.0.4. Series with labels appear with their first count. Any thread. */
void metrics_write(struct metrics *metrics, struct buffer *out);

#endif
