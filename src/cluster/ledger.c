/* Open addressing, the next place that is free; an entry that goes lets those behind it move up, so that no
 * gap ever stands between an entry and its own place. */
#include "ledger.h"

#include <string.h>

#include "svcdns/memory.h"

#define FIRST_CAPACITY 64

void ledger_init(struct ledger *ledger)
{
	*ledger = (struct ledger){0};
	hash_key_random(&ledger->key);
}

void ledger_finish(struct ledger *ledger)
{
	memory_free(ledger->entries);
	*ledger = (struct ledger){0};
}

uint64_t ledger_name(const struct ledger *ledger, const struct object *object)
{
	uint8_t bytes[1 + 2 * UINT8_MAX];
	size_t namespace = object->namespace.length, name = object->name.length;
	uint64_t hash;

	bytes[0] = (uint8_t) namespace;
	memcpy(bytes + 1, text_of(object, object->namespace), namespace);
	memcpy(bytes + 1 + namespace, text_of(object, object->name), name);
	hash = hash_bytes(&ledger->key, bytes, 1 + namespace + name);
	return hash ? hash : 1;
}

uint32_t ledger_version(const struct ledger *ledger, const char *version)
{
	return (uint32_t)hash_bytes(&ledger->key, version, strlen(version));
}

/* Where the name stands, or the free place where it would. */
static size_t place_of(const struct ledger *ledger, uint64_t name)
{
	size_t at = name & (ledger->capacity - 1);

	while (ledger->entries[at].name && ledger->entries[at].name != name)
		at = (at + 1) & (ledger->capacity - 1);
	return at;
}

struct ledger_entry *ledger_find(const struct ledger *ledger, uint64_t name)
{
	struct ledger_entry *entry = ledger->capacity ? &ledger->entries[place_of(ledger, name)] : NULL;

	return entry && entry->name ? entry : NULL;
}

static void grow(struct ledger *ledger)
{
	struct ledger old = *ledger;

	ledger->capacity = old.capacity ? old.capacity * 2 : FIRST_CAPACITY;
	ledger->entries = memory_zero(ledger->capacity, sizeof(ledger->entries[0]));
	for (size_t i = 0; i < old.capacity; i++)
		if (old.entries[i].name)
			ledger->entries[place_of(ledger, old.entries[i].name)] = old.entries[i];
	memory_free(old.entries);
}

void ledger_put(struct ledger *ledger, uint64_t name, uint32_t version)
{
	struct ledger_entry *entry;

	if (ledger->count >= ledger->capacity / 4 * 3)
		grow(ledger);
	entry = &ledger->entries[place_of(ledger, name)];
	if (!entry->name) {
		ledger->count++;
		entry->audited = ledger->audit; /* what comes while an audit is under way need not be in it */
	}
	entry->name = name;
	entry->version = version;
	entry->listed = ledger->list;
}

static void free_place(struct ledger *ledger, size_t hole)
{
	size_t mask = ledger->capacity - 1;

	for (size_t at = (hole + 1) & mask; ledger->entries[at].name; at = (at + 1) & mask) {
		size_t own = ledger->entries[at].name & mask;

		if (((at - own) & mask) >= ((at - hole) & mask)) {
			ledger->entries[hole] = ledger->entries[at];
			hole = at;
		}
	}
	memset(&ledger->entries[hole], 0, sizeof(ledger->entries[hole]));
	ledger->count--;
}

void ledger_remove(struct ledger *ledger, uint64_t name)
{
	struct ledger_entry *entry = ledger_find(ledger, name);

	if (entry)
		free_place(ledger, (size_t)(entry - ledger->entries));
}

void ledger_begin_list(struct ledger *ledger)
{
	ledger->list++;
}

/* A place that is freed may take what stood behind it, and is looked at again. */
void ledger_sweep(struct ledger *ledger)
{
	for (size_t i = 0; i < ledger->capacity;)
		if (ledger->entries[i].name && ledger->entries[i].listed != ledger->list)
			free_place(ledger, i);
		else
			i++;
}
