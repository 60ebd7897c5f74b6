/* Samples in the order in which they come, then sorted and written. Their texts and numbers stand in buffers
 * that grow, so that a sample knows them by offset. */
#include "metrics_page.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sample {
	const struct metric_family *family;
	size_t labels;	/* offset of `a="1",b="2"` */
	size_t numbers; /* offset of what was counted */
	double value;	/* instead of numbers, if is_given */
	bool is_given;
	bool is_zero; /* page_zero() */
};

void page_finish(struct metrics_page *page)
{
	buffer_finish(&page->samples);
	buffer_finish(&page->labels);
	buffer_finish(&page->numbers);
}

/* The sample begun last: it is added at its beginning. */
static struct sample *newest(struct metrics_page *page)
{
	return (struct sample *)(void *)(page->samples.bytes + page->samples.length) - 1;
}

void page_begin(struct metrics_page *page, const struct metric_family *family)
{
	struct sample sample = {
		.family = family, .labels = page->labels.length, .numbers = page->numbers.length};

	buffer_add(&page->samples, &sample, sizeof(sample));
}

void page_number(struct metrics_page *page, uint64_t number)
{
	buffer_add(&page->numbers, &number, sizeof(number));
}

static void add_escaped(struct buffer *out, const char *value)
{
	for (; *value; value++) {
		if (*value == '\n')
			buffer_text(out, "\\n");
		else if (*value == '"' || *value == '\\')
			buffer_format(out, "\\%c", *value);
		else
			buffer_add(out, value, 1);
	}
}

void page_label(struct metrics_page *page, const char *name, const char *value)
{
	bool is_first = page->labels.length == newest(page)->labels;

	buffer_format(&page->labels, "%s%s=\"", is_first ? "" : ",", name);
	add_escaped(&page->labels, value);
	buffer_text(&page->labels, "\"");
}

void page_end(struct metrics_page *page)
{
	buffer_add(&page->labels, "", 1);
}

void page_take_back(struct metrics_page *page)
{
	page->labels.length = newest(page)->labels;
	page->numbers.length = newest(page)->numbers;
	page->samples.length -= sizeof(struct sample);
}

static void add_labels(
	struct metrics_page *page, const struct metric_family *family, const char *const *values)
{
	for (size_t i = 0; family->labels[i].name; i++)
		page_label(page, family->labels[i].name, values[i]);
	page_end(page);
}

void metrics_sample(struct metrics_page *page, const struct metric_family *family, const char *const *values,
	double value)
{
	page_begin(page, family);
	newest(page)->value = value;
	newest(page)->is_given = true;
	add_labels(page, family, values);
}

void metrics_sample_histogram(struct metrics_page *page, const struct metric_family *family,
	const char *const *values, const uint64_t *numbers)
{
	page_begin(page, family);
	for (unsigned i = 0; i < metric_width(family); i++)
		page_number(page, numbers[i]);
	add_labels(page, family, values);
}

void page_zero(struct metrics_page *page, const struct metric_family *family)
{
	page_begin(page, family);
	newest(page)->is_zero = true;
	for (unsigned i = 0; i < metric_width(family); i++)
		page_number(page, 0);
	page_end(page);
}

static uint64_t number_at(const struct metrics_page *page, const struct sample *sample, unsigned index)
{
	uint64_t number;

	memcpy(&number, page->numbers.bytes + sample->numbers + index * sizeof(number), sizeof(number));
	return number;
}

static void add_number(struct metrics_page *page, const struct sample *sample, unsigned index, uint64_t count)
{
	uint64_t sum = number_at(page, sample, index) + count;

	memcpy(page->numbers.bytes + sample->numbers + index * sizeof(sum), &sum, sizeof(sum));
}

static double value_of(const struct metrics_page *page, const struct sample *sample)
{
	double divisor = sample->family->divisor != 0 ? sample->family->divisor : 1;

	return sample->is_given ? sample->value : (double)number_at(page, sample, 0) / divisor;
}

static const char *labels_of(const struct metrics_page *page, const struct sample *sample)
{
	return page->labels.bytes + sample->labels;
}

/* Samples alike stand together, a zero behind the others. */
static int compare(const void *a, const void *b, void *context)
{
	const struct metrics_page *page = context;
	const struct sample *left = a, *right = b;
	int order = strcmp(left->family->name, right->family->name);

	if (!order)
		order = strcmp(labels_of(page, left), labels_of(page, right));
	return order ? order : left->is_zero - right->is_zero;
}

static bool is_alike(const struct metrics_page *page, const struct sample *a, const struct sample *b)
{
	return strcmp(a->family->name, b->family->name) == 0 &&
	       strcmp(labels_of(page, a), labels_of(page, b)) == 0;
}

static double value_of_both(const struct metric_family *family, double a, double b)
{
	enum metric_alike alike = family->alike;

	if (alike == METRIC_BY_TYPE)
		alike = family->type == METRIC_GAUGE ? METRIC_GREATEST : METRIC_SUM;
	if (alike == METRIC_SUM)
		return a + b;
	return (a < b) == (alike == METRIC_LEAST) ? a : b;
}

static void unite(struct metrics_page *page, struct sample *sample, const struct sample *other)
{
	if (other->is_zero)
		return;
	if (sample->family->type == METRIC_HISTOGRAM) {
		for (unsigned i = 0; i < metric_width(sample->family); i++)
			add_number(page, sample, i, number_at(page, other, i));
		return;
	}
	sample->value = value_of_both(sample->family, value_of(page, sample), value_of(page, other));
	sample->is_given = true;
}

/* The shortest digits that stand for the same number. */
static void put_double(struct buffer *out, double value)
{
	char text[40];

	for (int precision = 15; precision <= 17; precision++) {
		snprintf(text, sizeof(text), "%.*g", precision, value);
		if (strtod(text, NULL) == value)
			break;
	}
	buffer_text(out, text);
}

static void put_number(struct buffer *out, const struct metric_family *family, uint64_t number)
{
	if (family->divisor != 0)
		put_double(out, (double)number / family->divisor);
	else
		buffer_format(out, "%" PRIu64, number);
}

static void put_name(
	struct buffer *out, const struct metric_family *family, const char *suffix, const char *labels)
{
	buffer_format(out, "%s%s", family->name, suffix);
	if (*labels)
		buffer_format(out, "{%s}", labels);
	buffer_text(out, " ");
}

static void put_bucket(struct buffer *out, const struct metric_family *family, const char *labels,
	unsigned bucket, uint64_t count)
{
	buffer_format(out, "%s_bucket{%s%sle=\"", family->name, labels, *labels ? "," : "");
	if (bucket < family->bound_count)
		put_number(out, family, family->bounds[bucket]);
	else
		buffer_text(out, "+Inf");
	buffer_format(out, "\"} %" PRIu64 "\n", count);
}

static void put_histogram(struct buffer *out, const struct metrics_page *page, const struct sample *sample)
{
	const struct metric_family *family = sample->family;
	const char *labels = labels_of(page, sample);
	uint64_t count = 0;

	for (unsigned i = 0; i <= family->bound_count; i++) {
		count += number_at(page, sample, i);
		put_bucket(out, family, labels, i, count);
	}
	put_name(out, family, "_sum", labels);
	put_number(out, family, number_at(page, sample, family->bound_count + 1));
	buffer_text(out, "\n");
	put_name(out, family, "_count", labels);
	buffer_format(out, "%" PRIu64 "\n", count);
}

static void put_sample(struct buffer *out, const struct metrics_page *page, const struct sample *sample)
{
	if (sample->family->type == METRIC_HISTOGRAM) {
		put_histogram(out, page, sample);
		return;
	}
	put_name(out, sample->family, "", labels_of(page, sample));
	if (sample->is_given)
		put_double(out, sample->value);
	else
		put_number(out, sample->family, number_at(page, sample, 0));
	buffer_text(out, "\n");
}

static void put_head(struct buffer *out, const struct metric_family *family)
{
	static const char *const types[] = {"counter", "gauge", "histogram"};

	buffer_format(out, "# HELP %s %s\n# TYPE %s %s\n", family->name, family->help, family->name,
		types[family->type]);
}

void page_write(struct metrics_page *page, struct buffer *out)
{
	struct sample *samples = (void *)page->samples.bytes, *next;
	size_t count = page->samples.length / sizeof(*samples);
	const struct metric_family *last = NULL;

	if (count)
		qsort_r(samples, count, sizeof(*samples), compare, page);
	for (struct sample *s = samples; s < samples + count; s = next) {
		for (next = s + 1; next < samples + count && is_alike(page, s, next); next++)
			unite(page, s, next);
		if (!last || strcmp(last->name, s->family->name) != 0)
			put_head(out, s->family);
		put_sample(out, page, s);
		last = s->family;
	}
}
