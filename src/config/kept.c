/* A list: a configuration has few of them. */
#include "svcdns/kept.h"

#include <string.h>

#include "svcdns/memory.h"

struct entry {
	struct entry *next;
	char *key; /* owned */
	void *object;
	void (*destroy)(void *object);
	unsigned users; /* not 0 */
};

struct kept {
	struct entry *entries;
};

struct kept *kept_create(void)
{
	return memory_zero(1, sizeof(struct kept));
}

void kept_destroy(struct kept *kept)
{
	assert(!kept || !kept->entries);
	memory_free(kept);
}

static struct entry *find(const struct kept *kept, const char *key)
{
	struct entry *entry = kept->entries;

	while (entry && strcmp(entry->key, key) != 0)
		entry = entry->next;
	return entry;
}

void *kept_take(struct kept *kept, const char *key, void *(*create)(void *context, struct error *error),
	void *context, void (*destroy)(void *object), struct error *error)
{
	struct entry *entry = find(kept, key);
	void *object;

	if (entry) {
		entry->users++;
		return entry->object;
	}
	object = create(context, error);
	if (!object)
		return NULL;
	entry = memory_alloc(sizeof(*entry));
	*entry = (struct entry){kept->entries, memory_copy_text(key), object, destroy, 1};
	kept->entries = entry;
	return object;
}

void kept_release(struct kept *kept, const void *object)
{
	struct entry **link = &kept->entries, *entry;

	if (!object)
		return;
	while ((*link)->object != object)
		link = &(*link)->next;
	entry = *link;
	if (--entry->users)
		return;
	*link = entry->next;
	entry->destroy(entry->object);
	memory_free(entry->key);
	memory_free(entry);
}
