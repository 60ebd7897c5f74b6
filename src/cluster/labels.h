/* The labels of one object, while it is read. */
#ifndef SVCDNS_CLUSTER_LABELS_H
#define SVCDNS_CLUSTER_LABELS_H

#include "svcdns/buffer.h"
#include "svcdns/feed.h"

struct label {
	size_t key, value; /* offsets in labels.bytes of NUL-terminated texts */
};

struct labels { /* a zeroed one is empty */
	struct buffer bytes;
	struct label *items;
	size_t count, capacity;
};

void labels_clear(struct labels *labels); /* keeps the memory */
void labels_finish(struct labels *labels);
void labels_add(struct labels *labels, const char *key, const char *value, size_t value_length);
const char *labels_value(const struct labels *labels, const char *key); /* NULL: no such label */

bool selector_matches(const struct selector *selector, const struct labels *labels);
/* In the words of the Kubernetes API: "app=web,tier in (a,b),!old". */
void selector_format(const struct selector *selector, struct buffer *out);

#endif
