/* Chained buckets, doubled when there are as many nodes as buckets. */
#include "index.h"

#include "svcdns/memory.h"

#define FIRST_CAPACITY 64

void index_finish(struct index *index)
{
	memory_free(index->buckets);
	*index = (struct index){0};
}

static struct node **bucket_of(const struct index *index, uint64_t hash)
{
	return &index->buckets[hash & (index->capacity - 1)];
}

static void grow(struct index *index)
{
	struct index wider = {.capacity = index->capacity ? index->capacity * 2 : FIRST_CAPACITY};

	wider.buckets = memory_zero(wider.capacity, sizeof(struct node *));
	for (size_t i = 0; i < index->capacity; i++)
		while (index->buckets[i]) {
			struct node *node = index->buckets[i];

			index->buckets[i] = node->next;
			index_add(&wider, node);
		}
	memory_free(index->buckets);
	*index = wider;
}

void index_add(struct index *index, struct node *node)
{
	struct node **bucket;

	if (index->count == index->capacity)
		grow(index);
	bucket = bucket_of(index, node->hash);
	node->next = *bucket;
	*bucket = node;
	index->count++;
}

void index_remove(struct index *index, struct node *node)
{
	struct node **at = bucket_of(index, node->hash);

	while (*at != node)
		at = &(*at)->next;
	*at = node->next;
	index->count--;
}

static struct node *skip_others(struct node *node, uint64_t hash)
{
	while (node && node->hash != hash)
		node = node->next;
	return node;
}

struct node *index_find(const struct index *index, uint64_t hash)
{
	return index->capacity ? skip_others(*bucket_of(index, hash), hash) : NULL;
}

struct node *index_again(const struct node *node)
{
	return skip_others(node->next, node->hash);
}

struct node *index_first(const struct index *index, size_t *cursor)
{
	for (*cursor = 0; *cursor < index->capacity; (*cursor)++)
		if (index->buckets[*cursor])
			return index->buckets[*cursor];
	return NULL;
}

struct node *index_next(const struct index *index, const struct node *node, size_t *cursor)
{
	if (node->next)
		return node->next;
	for ((*cursor)++; *cursor < index->capacity; (*cursor)++)
		if (index->buckets[*cursor])
			return index->buckets[*cursor];
	return NULL;
}
