/* Beside server.c: one reading of the Corefile, and all that is made of it. */
#ifndef SVCDNS_GENERATION_H
#define SVCDNS_GENERATION_H

#include "svcdns/corefile.h"
#include "svcdns/http.h"
#include "svcdns/kept.h"
#include "svcdns/metrics.h"
#include "svcdns/network.h"
#include "svcdns/setup.h"

struct generation_config {    /* outlives the generation */
	const char *corefile; /* NULL or "": ./Corefile, or the built-in default where there is none */
	const char *port;     /* of keys that name none: digits */
	unsigned workers;
	struct metrics *metrics;
	struct http *http;
	struct kept *kept;
};

struct generation;

/* Reads and checks everything; nothing outside is touched. NULL: error says why. */
struct generation *generation_create(const struct generation_config *config, struct error *error);
/* Opens its plugins. The endpoints and metrics of the first generation are there as they come; those of a
 * later one take the places of the former's in generation_show(), which is due also when this fails. */
bool generation_open(struct generation *generation, bool is_first, struct error *error);
void generation_show(struct generation *generation);
/* For network_start() and network_switch(). */
const struct network_generation *generation_served(struct generation *generation);
void generation_print(const struct generation *generation, const struct network *network); /* its zones */
const struct corefile *generation_corefile(const struct generation *generation);
const struct reload *generation_reload(const struct generation *generation);
void generation_leave(struct generation *generation); /* the process is about to go */
/* When no worker serves it any more. Accepts NULL. */
void generation_destroy(struct generation *generation);

#endif
