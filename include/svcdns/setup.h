/* What a plugin's setup() gets: its tokens, the server block it stands in, and where to put its result. */
#ifndef SVCDNS_SETUP_H
#define SVCDNS_SETUP_H

#include "svcdns/arena.h"
#include "svcdns/buffer.h"
#include "svcdns/dispenser.h"
#include "svcdns/options.h"
#include "svcdns/plugin.h"
#include "svcdns/zones.h"

struct bind {                               /* where a server block listens */
	const char **addresses;             /* numeric, a zone index allowed; none: the wildcard address */
	size_t       count;
};

struct timeouts {                           /* of TCP; ns; 0: the server's own */
	int64_t read;                       /* for the first query */
	int64_t write, idle;
	int64_t tcp_queries;                /* after which a connection is closed; 0: any number */
};

struct place_site {                         /* one zone at one address */
	const char *server;                 /* "dns://:53", "dns://10.0.0.1:53": what metrics call the address */
	const char *zone;                   /* "example.org." */
};

struct place_plugin {
	const struct plugin *plugin;
	void                *config;
};

/* Where a server block is served, and by what; complete when the first open() is called. */
struct place {
	const struct place_site   *sites;   /* every zone at every address; struct route has an index into them */
	size_t                     site_count;
	const char                *view;    /* "": the block has none */
	const char                *identity;/* by which it is found again in the next configuration (kept.h) */
	const struct place_plugin *plugins; /* in the order of the registry */
	size_t                     plugin_count;
};

struct reload {                             /* of the Corefile; the reload plugin fills it, of several blocks the first */
	bool    is_wanted;
	int64_t interval, jitter;           /* ns between two looks at it; the interval varies by half of jitter either way */
};

struct cell;
struct http;
struct kept;
struct metric_family;
struct metrics;

/* What plugins of a server block want of one another: written by setups, read from open() on. */
struct needs {
	bool client_pods;                   /* plugin->find_namespace() is going to be asked */
};

struct setup {
	const struct plugin    *plugin;
	struct arena           *arena;      /* lifetime "generation" */
	const struct directive *directive;
	const struct directive *directives; /* of the whole block, in the order of the Corefile */
	struct zones            zones;      /* of the server block's keys, in their order */
	uint16_t                port;       /* of the first of them */
	unsigned                workers;
	struct bind            *bind;       /* the bind plugin fills it */
	struct timeouts        *timeouts;   /* the timeouts plugin does */
	struct needs           *needs;
	const char             *root;       /* folder that relative file names start from; NULL: the working directory */
	const struct place     *place;
	struct metrics         *metrics;    /* the server's, as the next one */
	struct http            *http;
	struct kept            *kept;
	struct reload          *reload;
};

/* Plugins that may stand only once in a block: false, with CoreDNS' message, at a second occurrence. */
bool setup_once(const struct setup *setup, struct dispenser *d);
/* For plugins without arguments and properties: false, with CoreDNS' message, if something stands behind the name. */
bool setup_bare(struct dispenser *d);
/* The rest of this line's arguments as zones, or the block's own where there are none. Words that are no zone are left out. */
void setup_zones(const struct setup *setup, struct dispenser *d, struct zones *ret);
/* The rest of this line's arguments, added to what ret holds. */
void setup_words(const struct setup *setup, struct dispenser *d, struct words *ret);
/* What the machine calls itself; "localhost" where it has no name. */
const char *setup_host_name(const struct setup *setup);
/* Cells of worker 0 (metrics.h) for each site of the block, to be counted in by cell_of_worker(cells[route->site], index):
 * labels "server", "zone" and "view" are the site's, `others` the values of those besides, in their order. From open() on. */
struct cell **setup_cells(const struct setup *setup, const struct metric_family *family, const char *const *others);
/* A key for kept_take(), from open() on. It begins with the plugin and the server block; more of it are the words of a directive,
 * wherever they stand in the file, but for lines that begin with one of `except` (NULL behind the last; NULL: none). */
void setup_key(const struct setup *setup, const char *plugin, struct buffer *ret);
void setup_key_add(struct buffer *key, const struct directive *directive, const char *const *except);
/* A file name, made absolute by `root` as CoreDNS does. */
const char *setup_path(const struct setup *setup, const char *path);

#endif
