/* The manifest files that a table is made of, and whether they are still the same. */
#ifndef SVCDNS_CLUSTER_FILES_H
#define SVCDNS_CLUSTER_FILES_H

#include "svcdns/error.h"

#define FILES_MAX      4096		  /* in a folder */
#define FILES_SIZE_MAX (INT64_C(1) << 30) /* octets of one */

struct files {
	char **paths; /* in the order of their names; owned */
	size_t count;
	bool is_folder;
	uint64_t fingerprint; /* of inodes, sizes and times: another one after any change */
};

/* A file, or the *.yaml, *.yml and *.json of a folder that do not begin with a dot; links are followed.
 * False: it cannot be read; the fingerprint tells such states apart, too. */
bool files_list(const char *path, struct files *ret, struct error *error);
void files_finish(struct files *files);

#endif
