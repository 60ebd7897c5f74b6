/* A hash index over structs that have a struct node inside; it owns none of them. */
#ifndef SVCDNS_CLUSTER_INDEX_H
#define SVCDNS_CLUSTER_INDEX_H

#include "svcdns/compiler.h"

struct node {
	struct node *next;
	uint64_t hash;
};

struct index { /* a zeroed one is empty */
	struct node **buckets;
	size_t capacity; /* a power of two, or 0 */
	size_t count;
};

void index_finish(struct index *index);			/* the nodes are the caller's */
void index_add(struct index *index, struct node *node); /* node->hash is set */
void index_remove(struct index *index, struct node *node);
struct node *index_find(const struct index *index, uint64_t hash); /* the first with this hash */
struct node *index_again(const struct node *node);		   /* the next with the same hash */
/* Every node, while none is added. A node may be removed once index_next() has gone past it. */
struct node *index_first(const struct index *index, size_t *cursor);
struct node *index_next(const struct index *index, const struct node *node, size_t *cursor);

#endif
