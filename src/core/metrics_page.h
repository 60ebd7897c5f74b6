/* Inside core: the page of metrics while it is gathered. */
#ifndef CORE_METRICS_PAGE_H
#define CORE_METRICS_PAGE_H

#include "svcdns/metrics.h"

struct metrics_page {
	struct buffer samples; /* struct sample */
	struct buffer labels;  /* texts, NUL after each */
	struct buffer numbers; /* uint64_t */
};

void page_finish(struct metrics_page *page); /* accepts a zeroed page */

/* One sample: its numbers, metric_width() of them, and then its labels; page_end() adds it. */
void page_begin(struct metrics_page *page, const struct metric_family *family);
void page_number(struct metrics_page *page, uint64_t number);
void page_label(struct metrics_page *page, const char *name, const char *value);
void page_end(struct metrics_page *page);
void page_take_back(struct metrics_page *page); /* what was begun */
/* 0 of a family without labels, where there is no other sample of it. */
void page_zero(struct metrics_page *page, const struct metric_family *family);

/* In the order of names and labels; of samples alike, what their family says. */
void page_write(struct metrics_page *page, struct buffer *out);

#endif
