/* Builds the dirty entities anew and compares: what came out the same stays the block that it was, so that
 * snapshots share it. A block that was replaced is let go only after the table has made its next snapshot. */
#include "publish.h"

#include <string.h>

#include "schema.h"
#include "svcdns/memory.h"

struct replaced {
	struct shared **blocks;
	size_t count, capacity;
};

static void replaced_add(struct replaced *replaced, struct shared *block)
{
	if (replaced->count == replaced->capacity) {
		replaced->capacity = replaced->capacity ? replaced->capacity * 2 : 64;
		replaced->blocks =
			memory_resize(replaced->blocks, replaced->capacity * sizeof(struct shared *));
	}
	replaced->blocks[replaced->count++] = block;
}

static void replaced_finish(struct replaced *replaced)
{
	for (size_t i = 0; i < replaced->count; i++)
		if (shared_drop(replaced->blocks[i]))
			memory_free(replaced->blocks[i]);
	memory_free(replaced->blocks);
}

static struct shared *build(const struct entity *entity, const struct table *table)
{
	if (entity->kind == ENTITY_SERVICE)
		return (struct shared *)schema_service(entity, table);
	if (entity->kind == ENTITY_POD)
		return (struct shared *)schema_pod(entity);
	return (struct shared *)schema_namespace(entity);
}

static size_t size_of(enum entity_kind kind, const struct shared *block)
{
	if (kind == ENTITY_SERVICE)
		return ((const struct service *)block)->size;
	return kind == ENTITY_POD ? ((const struct pod *)block)->size : sizeof(struct namespace);
}

static bool is_same(enum entity_kind kind, const struct shared *a, const struct shared *b)
{
	size_t size = a ? size_of(kind, a) : 0;

	if (!a || !b)
		return a == b;
	return size == size_of(kind, b) && memcmp(a + 1, b + 1, size - sizeof(*a)) == 0;
}

static void change(struct table *table, enum entity_kind kind, struct shared *old, struct shared *fresh)
{
	if (kind == ENTITY_SERVICE)
		table_change_service(table, (struct service *)old, (struct service *)fresh);
	else if (kind == ENTITY_POD)
		table_change_pod(table, (struct pod *)old, (struct pod *)fresh);
	else
		table_change_namespace(table, (struct namespace *)old, (struct namespace *)fresh);
}

/* True if readers are to see something new. */
static bool rebuild(struct entity *entity, struct table *table, struct replaced *replaced)
{
	struct shared *old = entity->built, *fresh = build(entity, table);

	if (is_same(entity->kind, old, fresh)) {
		memory_free(fresh);
		return false;
	}
	change(table, entity->kind, old, fresh);
	entity->built = fresh;
	if (old)
		replaced_add(replaced, old);
	return true;
}

struct snapshot *publish(struct object_store *store, struct table *table, unsigned synced, bool always)
{
	struct replaced replaced = {0};
	struct snapshot *snapshot = NULL;
	struct entity *entity;
	bool is_changed = always;

	while ((entity = object_store_take_dirty(store))) {
		is_changed = rebuild(entity, table, &replaced) || is_changed;
		if (!entity->object && !entity->slices)
			object_store_forget(store, entity);
	}
	if (is_changed)
		snapshot = table_publish(table, object_store_serial(store), synced);
	replaced_finish(&replaced);
	return snapshot;
}
