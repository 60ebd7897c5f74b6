/* The objects of a cluster as the feed knows them, by kind, namespace and name; and what is published of them: entities.
 * One thread. The manifests and the API put objects in by the same functions. */
#ifndef SVCDNS_CLUSTER_STORE_H
#define SVCDNS_CLUSTER_STORE_H

#include "index.h"
#include "object.h"

enum entity_kind { ENTITY_NAMESPACE, ENTITY_SERVICE, ENTITY_POD };

struct stored {
	struct node    node;
	struct stored *next_slice;          /* of the same Service, in the order of their names */
	struct entity *entity;              /* what it is part of */
	uint32_t       listed;              /* in which list it was seen last */
	struct object  object;              /* the rest of its block lies behind */
};

struct entity {                             /* what DNS names: a Service with its EndpointSlices, a Pod, a Namespace */
	struct node      node;
	struct entity   *next_dirty;
	struct stored   *object;            /* NULL: EndpointSlices without their Service */
	struct stored   *slices;
	struct shared   *built;             /* what was published of it: struct service, pod or namespace; owned */
	enum entity_kind kind;
	bool             is_dirty;
};

struct store;

struct store *store_create(void);
void          store_destroy(struct store *store);        /* accepts NULL */

/* An object that is there, new or changed. Nothing happens if the store has the same already. A Pod that is being deleted
 * does not come in, and does not change what the store has (as in CoreDNS: it stays until it is gone). */
void store_put(struct store *store, const struct object *object);
void store_delete(struct store *store, const struct object *object); /* of its kind, namespace and name */

/* A list of all objects of a kind: begin, put each of them, then sweep what was not among them. A list that breaks off is
 * simply not swept. */
void store_begin_list(struct store *store, enum object_kind kind);
void store_sweep(struct store *store, enum object_kind kind);
/* True if the store has exactly this object: then it counts as listed. For readers that hold back changes until they have
 * seen the whole list. */
bool store_has(struct store *store, const struct object *object);

/* A hash of kind, namespace and name. */
uint64_t store_hash(const struct store *store, const struct object *object);

/* The next entity that changed since it was taken here last; NULL: no more. An entity that has neither object nor slices
 * is to be given to store_forget() by the caller. */
struct entity *store_take_dirty(struct store *store);
void           store_forget(struct store *store, struct entity *entity);

uint32_t store_serial(const struct store *store);        /* Unix time of the last change that a SOA serial shows, or 0 */

#endif
