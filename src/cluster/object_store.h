/* The objects of a cluster as the feed knows them, by kind, namespace and name; and what is published of
 * them: entities. One thread. The manifests and the API put objects in by the same functions. */
#ifndef SVCDNS_CLUSTER_OBJECT_STORE_H
#define SVCDNS_CLUSTER_OBJECT_STORE_H

#include "index.h"
#include "object.h"

enum entity_kind { ENTITY_NAMESPACE, ENTITY_SERVICE, ENTITY_POD };

struct stored {
	struct node node;
	struct stored *next_slice; /* of the same Service, in the order of their names */
	struct entity *entity;	   /* what it is part of */
	uint32_t listed;	   /* in which list it was seen last */
	struct object object;	   /* the rest of its block lies behind */
};

struct entity { /* what DNS names: a Service with its EndpointSlices, a Pod, a Namespace */
	struct node node;
	struct entity *next_dirty;
	struct stored *object; /* NULL: EndpointSlices without their Service */
	struct stored *slices;
	struct shared *built; /* what was published of it: struct service, pod or namespace; owned */
	enum entity_kind kind;
	bool is_dirty;
};

struct object_store;

/* unix_time: seconds, for object_store_serial(). */
struct object_store *object_store_create(uint64_t (*unix_time)(void));
void object_store_destroy(struct object_store *store); /* accepts NULL */

/* An object that is there, new or changed. Nothing happens if the store has the same already. A Pod that is
 * being deleted does not come in, and does not change what the store has (as in CoreDNS: it stays until it is
 * gone). */
void object_store_put(struct object_store *store, const struct object *object);
/* The object of this kind, namespace and name is gone. */
void object_store_delete(struct object_store *store, const struct object *object);

/* A list of all objects of a kind: begin, put each of them, then sweep what was not among them. A list that
 * breaks off is simply not swept. */
void object_store_begin_list(struct object_store *store, enum object_kind kind);
void object_store_sweep(struct object_store *store, enum object_kind kind);
/* True if the store has exactly this object: then it counts as listed. For readers that hold back changes
 * until they have seen the whole list. */
bool object_store_has(struct object_store *store, const struct object *object);
/* The object of this kind, namespace and name, if there is one, counts as listed as it is. */
void object_store_keep(struct object_store *store, const struct object *object);

/* Calls visit() for every object, in no particular order; the store must not change meanwhile. */
void object_store_each(const struct object_store *store,
	void (*visit)(void *context, const struct object *object), void *context);

/* The Service that a slice belongs to, or NULL. */
const struct object *object_store_service_of(const struct object_store *store, const struct object *slice);

/* A hash of kind, namespace and name. */
uint64_t object_store_hash(const struct object_store *store, const struct object *object);

/* The next entity that changed since it was taken here last; NULL: no more. An entity that has neither object
 * nor slices is to be given to object_store_forget() by the caller. */
struct entity *object_store_take_dirty(struct object_store *store);
void object_store_forget(struct object_store *store, struct entity *entity);

/* Unix time of the last change that a SOA serial shows; 0 before the first. */
uint32_t object_store_serial(const struct object_store *store);

#endif
