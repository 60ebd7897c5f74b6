/* All directives that a Corefile may name, in the order of CoreDNS 1.14.7's plugin.cfg: the order of the chain. */
#ifndef SVCDNS_REGISTRY_H
#define SVCDNS_REGISTRY_H

#include "svcdns/plugin.h"

struct registration {
	const char          *name;
	const struct plugin *plugin;        /* NULL: known, but not built into this version */
};

extern const struct registration registry[];    /* ends with a NULL name */

bool registry_knows(const char *directive);

#endif
