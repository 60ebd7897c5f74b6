#include "labels.h"

#include <string.h>

#include "svcdns/memory.h"

void labels_clear(struct labels *labels)
{
	buffer_clear(&labels->bytes);
	labels->count = 0;
}

void labels_finish(struct labels *labels)
{
	buffer_finish(&labels->bytes);
	memory_free(labels->items);
	*labels = (struct labels){0};
}

static size_t add_text(struct labels *labels, const char *text, size_t length)
{
	size_t at = labels->bytes.length;

	buffer_add(&labels->bytes, text, length);
	buffer_add(&labels->bytes, "", 1);
	return at;
}

void labels_add(struct labels *labels, const char *key, const char *value, size_t value_length)
{
	struct label *label;

	if (labels->count == labels->capacity) {
		labels->capacity = labels->capacity ? labels->capacity * 2 : 16;
		labels->items = memory_resize(labels->items, labels->capacity * sizeof(labels->items[0]));
	}
	label = &labels->items[labels->count++];
	label->key = add_text(labels, key, strlen(key));
	label->value = add_text(labels, value, value_length);
}

const char *labels_value(const struct labels *labels, const char *key)
{
	for (size_t i = 0; i < labels->count; i++)
		if (strcmp(labels->bytes.bytes + labels->items[i].key, key) == 0)
			return labels->bytes.bytes + labels->items[i].value;
	return NULL;
}
