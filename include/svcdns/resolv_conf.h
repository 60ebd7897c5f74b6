/* resolv.conf(5): what it says of names. The servers that it names are upstream's matter. */
#ifndef SVCDNS_RESOLV_CONF_H
#define SVCDNS_RESOLV_CONF_H

#include "svcdns/arena.h"
#include "svcdns/error.h"
#include "svcdns/name.h"

struct resolv_conf {
	struct name *search;                /* of its last "search" or "domain" line, in lower case, the root left out */
	size_t       search_count;
	unsigned     ndots;                 /* 0 .. 15 */
};

/* False: it cannot be read, or a word of its search list is no name. */
bool resolv_conf_read(struct resolv_conf *ret, const char *path, struct arena *arena, struct error *error);

#endif
