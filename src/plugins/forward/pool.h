/* Inside forward: the upstreams of one directive, on every worker. They outlive a configuration that says the
 * same of them, with their sockets and with what is known of their health. */
#ifndef FORWARD_POOL_H
#define FORWARD_POOL_H

#include "settings.h"

struct pool;

/* Main thread. `index` tells the directives of a block apart. */
struct pool *pool_take(const struct setup *setup, const struct directive *directive, size_t index,
	const struct upstream_config *config);
void pool_release(const struct setup *setup, const struct pool *pool); /* accepts NULL */

/* On the worker's thread. `context` is that of upstream_ask(): what it has under way comes back as a bare
 * SERVFAIL before pool_stop() returns. */
struct upstream_group *pool_start(struct pool *pool, struct worker *worker);
void pool_stop(struct pool *pool, const struct worker *worker, const void *context);

#endif
