/* The objects of a store as a file, for a start before the API server can be asked. It is for this version of
 * svcdns on this kind of machine, and for this configuration: any other file is refused, and so is one that
 * is damaged. */
#ifndef SVCDNS_CLUSTER_SAVED_H
#define SVCDNS_CLUSTER_SAVED_H

#include "object_store.h"
#include "svcdns/error.h"
#include "svcdns/feed.h"

/* In place of what stood there, in one step. now: Unix time, seconds. */
bool saved_write(const char *path, const struct object_store *store, const struct feed_config *config,
	uint64_t now, struct error *error);

enum saved_outcome {
	SAVED_NONE,   /* there is no such file */
	SAVED_READ,   /* the store has its objects; *ret_age_s says how old they are */
	SAVED_REFUSED /* error says why; the store is as it was: it has to be empty before */
};

enum saved_outcome saved_read(const char *path, struct object_store *store, const struct feed_config *config,
	uint64_t now, uint64_t *ret_age_s, struct error *error);

#endif
