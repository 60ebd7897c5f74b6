/* What a plugin's setup() gets: its tokens, the server block it stands in, and where to put its result. */
#ifndef SVCDNS_SETUP_H
#define SVCDNS_SETUP_H

#include "svcdns/arena.h"
#include "svcdns/dispenser.h"
#include "svcdns/options.h"
#include "svcdns/plugin.h"
#include "svcdns/zones.h"

struct bind {                               /* where a server block listens */
	const char **addresses;             /* numeric, a zone index allowed; none: the wildcard address */
	size_t       count;
};

/* What plugins of a server block want of one another: written by setups, read from open() on. */
struct needs {
	bool client_pods;                   /* plugin->find_namespace() is going to be asked */
};

struct setup {
	const struct plugin    *plugin;
	struct arena           *arena;      /* lifetime "generation" */
	const struct directive *directive;
	struct zones            zones;      /* of the server block's keys, in their order */
	struct bind            *bind;       /* the bind plugin fills it */
	struct needs           *needs;
	const char             *root;       /* folder that relative file names start from; NULL: the working directory */
};

/* Plugins that may stand only once in a block: false, with CoreDNS' message, at a second occurrence. */
bool setup_once(const struct setup *setup, struct dispenser *d);
/* For plugins without arguments and properties: false, with CoreDNS' message, if something stands behind the name. */
bool setup_bare(struct dispenser *d);
/* The rest of this line's arguments as zones, or the block's own where there are none. Words that are no zone are left out. */
void setup_zones(const struct setup *setup, struct dispenser *d, struct zones *ret);
/* The rest of this line's arguments, added to what ret holds. */
void setup_words(const struct setup *setup, struct dispenser *d, struct words *ret);
/* A file name, made absolute by `root` as CoreDNS does. */
const char *setup_path(const struct setup *setup, const char *path);

#endif
