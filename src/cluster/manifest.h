/* Manifest files -> store: all of them, or nothing of them. */
#ifndef SVCDNS_CLUSTER_MANIFEST_H
#define SVCDNS_CLUSTER_MANIFEST_H

#include "files.h"
#include "object_store.h"
#include "svcdns/feed.h"

#define MANIFEST_KINDS 32 /* kinds that are ignored are named up to this number */

struct manifest_notes {			/* what has been logged before */
	uint64_t kinds[MANIFEST_KINDS]; /* hashes */
	size_t count;
};

enum manifest_outcome {
	MANIFEST_READ,
	MANIFEST_BROKEN, /* FILE:LINE: FIELD: why */
	MANIFEST_MOVED	 /* the files changed while they were read: once more, please */
};

/* Makes the store's objects those of the files, which files_list() found at config->table; otherwise nothing
 * has changed. */
enum manifest_outcome manifest_read(const struct files *files, const struct feed_config *config,
	struct object_store *store, struct manifest_notes *notes, struct error *error);

#endif
