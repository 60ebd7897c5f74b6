/* A group of upstreams for each worker, which only that worker touches. Two configurations have it at a time
 * while one takes the place of the other. */
#include "pool.h"

#include <string.h>

#include "svcdns/kept.h"
#include "svcdns/memory.h"
#include "svcdns/worker.h"

struct share { /* of one worker */
	struct upstream_group *group;
	unsigned users;
};

struct pool {
	struct upstream_config config;
	union address servers[FORWARD_SERVERS_MAX];
	_Atomic int64_t under_way;
	struct share shares[]; /* for each worker */
};

struct wish {
	const struct upstream_config *config;
	unsigned workers;
};

static void *create(void *context, struct error *error)
{
	const struct wish *wish = context;
	struct pool *pool = memory_zero(1, sizeof(*pool) + wish->workers * sizeof(struct share));

	(void)error;
	pool->config = *wish->config;
	memcpy(pool->servers, wish->config->servers, wish->config->server_count * sizeof(*pool->servers));
	pool->config.servers = pool->servers;
	pool->config.under_way = &pool->under_way;
	return pool;
}

/* A file or a host name may stand for other servers than the last time. */
static void add_servers(struct buffer *key, const struct upstream_config *config)
{
	char text[ADDRESS_TEXT_MAX];

	for (size_t i = 0; i < config->server_count; i++) {
		address_text(&config->servers[i], text);
		buffer_format(key, " %s", text);
	}
}

struct pool *pool_take(const struct setup *setup, const struct directive *directive, size_t index,
	const struct upstream_config *config)
{
	struct wish wish = {config, setup->workers};
	struct pool *pool;
	struct error none;
	struct buffer key;

	setup_key(setup, "forward", &key);
	setup_key_add(&key, directive, NULL);
	buffer_format(&key, "\n%zu:", index);
	add_servers(&key, config);
	pool = kept_take(setup->kept, key.bytes, create, &wish, memory_free, &none);
	buffer_finish(&key);
	return pool;
}

void pool_release(const struct setup *setup, const struct pool *pool)
{
	kept_release(setup->kept, pool);
}

struct upstream_group *pool_start(struct pool *pool, struct worker *worker)
{
	struct share *share = &pool->shares[worker->index];

	if (!share->users++)
		share->group = upstream_start(&pool->config, worker);
	return share->group;
}

void pool_stop(struct pool *pool, const struct worker *worker, const void *context)
{
	struct share *share = &pool->shares[worker->index];

	if (--share->users)
		upstream_call_off(share->group, context);
	else
		upstream_stop(share->group);
}
