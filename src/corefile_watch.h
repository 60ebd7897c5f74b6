/* Beside server.c: whether the Corefile still says what is served. What the reload plugin asks for is done
 * here, since it outlives every configuration. */
#ifndef SVCDNS_COREFILE_WATCH_H
#define SVCDNS_COREFILE_WATCH_H

#include "generation.h"

struct corefile_watch;

extern const struct metric_family *const corefile_watch_families[];

struct corefile_watch *corefile_watch_create(const struct generation_config *config);
void corefile_watch_destroy(struct corefile_watch *watch); /* accepts NULL */

/* This generation is served from now on: what comes next is compared with it. */
void corefile_watch_adopt(struct corefile_watch *watch, const struct generation *generation);
/* When to look next, clock_monotonic(), ns; UINT64_MAX: never. */
uint64_t corefile_watch_due(const struct corefile_watch *watch);
/* Reads the Corefile with all that it imports. True: it says something that was not tried yet. */
bool corefile_watch_look(struct corefile_watch *watch);
/* It was tried, in vain. */
void corefile_watch_fail(struct corefile_watch *watch, const struct error *error);

#endif
