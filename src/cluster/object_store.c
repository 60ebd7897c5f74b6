/* Two indexes: objects by kind, namespace and name; entities by kind, namespace and name of what DNS names.
 * Invariant: every stored object is part of exactly one entity; an entity is on the dirty list when what is
 * built of it may differ from entity->built. The store owns objects and entities, and an entity the reference
 * to what was built. */
#include "object_store.h"

#include <string.h>

#include "svcdns/hash.h"
#include "svcdns/memory.h"

struct object_store {
	struct hash_key key;
	struct index objects, entities;
	struct entity *dirty;
	uint32_t list[OBJECT_KINDS]; /* number of the list that is under way, or was last */
	uint32_t serial;
	uint64_t (*unix_time)(void);
};

struct object_store *object_store_create(uint64_t (*unix_time)(void))
{
	struct object_store *store = memory_zero(1, sizeof(*store));

	store->unix_time = unix_time;
	hash_key_random(&store->key);
	return store;
}

static void entity_free(struct entity *entity)
{
	if (entity->built && shared_drop(entity->built))
		memory_free(entity->built);
	memory_free(entity);
}

void object_store_destroy(struct object_store *store)
{
	struct node *node, *next;
	size_t cursor;

	if (!store)
		return;
	for (node = index_first(&store->objects, &cursor); node; node = next) {
		next = index_next(&store->objects, node, &cursor);
		memory_free(CONTAINER_OF(node, struct stored, node));
	}
	for (node = index_first(&store->entities, &cursor); node; node = next) {
		next = index_next(&store->entities, node, &cursor);
		entity_free(CONTAINER_OF(node, struct entity, node));
	}
	index_finish(&store->objects);
	index_finish(&store->entities);
	memory_free(store);
}

static uint64_t hash_name(
	const struct object_store *store, uint8_t kind, const struct object *object, struct text name)
{
	uint8_t bytes[2 + 2 * UINT8_MAX], *at = bytes;

	*at++ = kind;
	*at++ = object->namespace.length;
	memcpy(at, text_of(object, object->namespace), object->namespace.length);
	at += object->namespace.length;
	memcpy(at, text_of(object, name), name.length);
	at += name.length;
	return hash_bytes(&store->key, bytes, (size_t)(at - bytes));
}

uint64_t object_store_hash(const struct object_store *store, const struct object *object)
{
	return hash_name(store, object->kind, object, object->name);
}

static struct stored *find_object(const struct object_store *store, const struct object *like)
{
	struct node *node = index_find(&store->objects, object_store_hash(store, like));

	for (; node; node = index_again(node)) {
		struct stored *stored = CONTAINER_OF(node, struct stored, node);

		if (stored->object.kind == like->kind &&
			object_text_equal(&stored->object, stored->object.name, like, like->name) &&
			object_text_equal(&stored->object, stored->object.namespace, like, like->namespace))
			return stored;
	}
	return NULL;
}

static enum entity_kind entity_kind_of(const struct object *object)
{
	if (object->kind == OBJECT_NAMESPACE)
		return ENTITY_NAMESPACE;
	return object->kind == OBJECT_POD ? ENTITY_POD : ENTITY_SERVICE;
}

/* The name of the entity that an object is part of. */
static struct text entity_name_of(const struct object *object)
{
	return object->kind == OBJECT_ENDPOINT_SLICE ? object->service_name : object->name;
}

static bool is_part_of(const struct object *object, const struct entity *entity)
{
	const struct stored *other = entity->object ? entity->object : entity->slices;

	/* An entity without objects waits for object_store_forget(): it has no name any more. */
	return other && entity->kind == entity_kind_of(object) &&
	       object_text_equal(
		       &other->object, entity_name_of(&other->object), object, entity_name_of(object)) &&
	       object_text_equal(&other->object, other->object.namespace, object, object->namespace);
}

static struct entity *find_entity(
	const struct object_store *store, const struct object *object, uint64_t hash)
{
	for (struct node *node = index_find(&store->entities, hash); node; node = index_again(node)) {
		struct entity *entity = CONTAINER_OF(node, struct entity, node);

		if (is_part_of(object, entity))
			return entity;
	}
	return NULL;
}

static uint64_t entity_hash(const struct object_store *store, const struct object *object)
{
	return hash_name(store, (uint8_t)entity_kind_of(object), object, entity_name_of(object));
}

static struct entity *get_entity(struct object_store *store, const struct object *object)
{
	uint64_t hash = entity_hash(store, object);
	struct entity *entity = find_entity(store, object, hash);

	if (entity)
		return entity;
	entity = memory_zero(1, sizeof(*entity));
	entity->node.hash = hash;
	entity->kind = entity_kind_of(object);
	index_add(&store->entities, &entity->node);
	return entity;
}

const struct object *object_store_service_of(const struct object_store *store, const struct object *slice)
{
	const struct entity *entity = find_entity(store, slice, entity_hash(store, slice));

	return entity && entity->object ? &entity->object->object : NULL;
}

static void make_dirty(struct object_store *store, struct entity *entity)
{
	if (entity->is_dirty)
		return;
	entity->is_dirty = true;
	entity->next_dirty = store->dirty;
	store->dirty = entity;
}

static int compare_names(const struct object *a, const struct object *b)
{
	size_t shorter = a->name.length < b->name.length ? a->name.length : b->name.length;
	int order = memcmp(text_of(a, a->name), text_of(b, b->name), shorter);

	return order ? order : (int)a->name.length - (int)b->name.length;
}

/* Where a slice stands, or would stand, in its entity's list. */
static struct stored **slice_place(struct entity *entity, const struct object *slice)
{
	struct stored **at = &entity->slices;

	while (*at && compare_names(&(*at)->object, slice) < 0)
		at = &(*at)->next_slice;
	return at;
}

static void insert(struct object_store *store, struct entity *entity, const struct object *object)
{
	struct stored *stored = memory_alloc(offsetof(struct stored, object) + object->size);
	struct stored **place;

	memcpy(&stored->object, object, object->size);
	stored->node.hash = object_store_hash(store, object);
	stored->entity = entity;
	stored->listed = store->list[object->kind];
	place = object->kind == OBJECT_ENDPOINT_SLICE ? slice_place(entity, object) : &entity->object;
	stored->next_slice = *place;
	*place = stored;
	index_add(&store->objects, &stored->node);
	make_dirty(store, entity);
}

static void drop(struct object_store *store, struct stored *stored)
{
	struct entity *entity = stored->entity;

	if (stored->object.kind == OBJECT_ENDPOINT_SLICE)
		*slice_place(entity, &stored->object) = stored->next_slice;
	else
		entity->object = NULL;
	index_remove(&store->objects, &stored->node);
	make_dirty(store, entity);
	memory_free(stored);
}

static bool is_same(const struct object *a, const struct object *b)
{
	return a->size == b->size && memcmp(a, b, a->size) == 0;
}

/* CoreDNS' serial leaves out Namespaces, and changes of a Service's ClusterIPs. */
static bool shows_in_serial(const struct object *old, const struct object *fresh)
{
	const struct object *either = old ? old : fresh;

	if (either->kind == OBJECT_NAMESPACE)
		return false;
	if (!old || !fresh || either->kind != OBJECT_SERVICE)
		return true;
	return !object_text_equal(old, old->external_name, fresh, fresh->external_name) ||
	       !object_same_ports(old, fresh);
}

static void note_change(struct object_store *store, const struct object *old, const struct object *fresh)
{
	if (shows_in_serial(old, fresh))
		store->serial = (uint32_t)store->unix_time();
}

void object_store_put(struct object_store *store, const struct object *object)
{
	struct stored *stored = find_object(store, object);
	struct entity *entity;

	if (stored)
		stored->listed = store->list[object->kind];
	if (object->is_terminating || (stored && is_same(&stored->object, object)))
		return;
	note_change(store, stored ? &stored->object : NULL, object);
	entity = get_entity(store, object); /* before the drop, which may leave it without a name */
	if (stored)
		drop(store, stored);
	insert(store, entity, object);
}

static void delete_stored(struct object_store *store, struct stored *stored)
{
	note_change(store, &stored->object, NULL);
	drop(store, stored);
}

void object_store_delete(struct object_store *store, const struct object *object)
{
	struct stored *stored = find_object(store, object);

	if (stored)
		delete_stored(store, stored);
}

void object_store_begin_list(struct object_store *store, enum object_kind kind)
{
	store->list[kind]++;
}

void object_store_sweep(struct object_store *store, enum object_kind kind)
{
	struct node *node, *next;
	size_t cursor;

	for (node = index_first(&store->objects, &cursor); node; node = next) {
		struct stored *stored = CONTAINER_OF(node, struct stored, node);

		next = index_next(&store->objects, node, &cursor);
		if (stored->object.kind == kind && stored->listed != store->list[kind])
			delete_stored(store, stored);
	}
}

bool object_store_has(struct object_store *store, const struct object *object)
{
	struct stored *stored = find_object(store, object);

	if (!stored || (!object->is_terminating && !is_same(&stored->object, object)))
		return false;
	stored->listed = store->list[object->kind];
	return true;
}

void object_store_keep(struct object_store *store, const struct object *object)
{
	struct stored *stored = find_object(store, object);

	if (stored)
		stored->listed = store->list[object->kind];
}

void object_store_each(const struct object_store *store,
	void (*visit)(void *context, const struct object *object), void *context)
{
	size_t cursor;

	for (struct node *node = index_first(&store->objects, &cursor); node;
		node = index_next(&store->objects, node, &cursor))
		visit(context, &CONTAINER_OF(node, struct stored, node)->object);
}

struct entity *object_store_take_dirty(struct object_store *store)
{
	struct entity *entity = store->dirty;

	if (entity) {
		store->dirty = entity->next_dirty;
		entity->is_dirty = false;
	}
	return entity;
}

void object_store_forget(struct object_store *store, struct entity *entity)
{
	assert(!entity->object && !entity->slices && !entity->is_dirty);
	index_remove(&store->entities, &entity->node);
	entity_free(entity);
}

uint32_t object_store_serial(const struct object_store *store)
{
	return store->serial;
}
