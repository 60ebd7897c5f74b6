/* From a Corefile to chains that serve.
 *
 * Everything that the configuration is made of lives in the generation's arena and is not changed once it is
 * served. What a worker needs of its own, the chains and what plugins start for it, hangs off workers[index]
 * and is touched by that worker's thread only. */
#include "generation.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sites.h"
#include "svcdns/clock.h"
#include "svcdns/memory.h"
#include "svcdns/registry.h"
#include "svcdns/setup.h"
#include "svcdns/traffic.h"

struct instance { /* one plugin in one server block */
	const struct plugin *plugin;
	void *config;
	size_t block;
};

struct block {
	const struct server_block *source;
	struct setup setup; /* plugin and directive change from one to the next; the rest is the block's */
	struct bind bind;
	struct timeouts timeouts;
	struct place place;
	struct needs needs;
	uint16_t *ports; /* one for each of setup.zones */
	unsigned instance_count;
};

struct refresher {
	void (*refresh)(void *self);
	void *self;
};

struct worker_state {
	struct chain *chains;	  /* one for each block */
	void **selves;		  /* one for each instance */
	struct traffic **refused; /* one for each listener */
	unsigned waiting;	  /* requests in its chains */
	struct refresher *refreshers;
	size_t refresher_count;
};

struct generation {
	const struct generation_config *config;
	struct arena arena;
	struct corefile corefile;
	struct block *blocks;
	size_t block_count;
	struct instance *instances; /* as they were set up: in the order of the registry */
	size_t instance_count;
	struct sites sites;
	struct worker_state *workers;
	struct metrics_collector *collectors; /* of the plugins that are open */
	size_t collector_count;
	struct reload reload;
	struct network_generation served;
};

static bool read_corefile(struct generation *g, struct error *error)
{
	const char *path = g->config->corefile, *text;

	if (!corefile_read(&g->corefile, path && *path ? path : NULL, registry_knows, error))
		return false;
	if (g->corefile.blocks)
		return true;
	corefile_finish(&g->corefile);
	text = arena_format(&g->arena, ".:%s {\nwhoami\nlog\n}\n", g->config->port);
	return corefile_parse(&g->corefile, "Corefile", text, strlen(text), registry_knows, error);
}

static bool read_port(const char *text, uint16_t *ret, struct error *error)
{
	char *end;
	unsigned long port;

	errno = 0;
	port = strtoul(text, &end, 10);
	if (errno || *end || end == text || port > UINT16_MAX || *text == '-')
		return error_set(error, "address %s: invalid port", text);
	*ret = (uint16_t)port;
	return true;
}

/* Puts the zones of one key behind those that the block has. */
static bool add_key(struct generation *g, struct block *block, const struct token *token,
	const char *default_port, struct error *error)
{
	struct zones *zones = &block->setup.zones;
	struct server_key key;
	struct name *names;
	uint16_t *ports, port = 0;

	if (!zones_parse_key(token->text, &g->arena, &key, error))
		return error_prefix(error, "error inspecting server blocks: ");
	if (strcmp(key.scheme, "dns") != 0)
		return error_set(error, "%s:%u - Error during parsing: %s:// is not built into this version",
			token->file, token->line, key.scheme);
	if (!read_port(key.port ? key.port : default_port, &port, error))
		return false;
	names = arena_alloc(&g->arena, (zones->count + key.zones.count) * sizeof(*names));
	ports = arena_alloc(&g->arena, (zones->count + key.zones.count) * sizeof(*ports));
	if (zones->count) {
		memcpy(names, zones->names, zones->count * sizeof(*names));
		memcpy(ports, block->ports, zones->count * sizeof(*ports));
	}
	for (size_t i = 0; i < key.zones.count; i++) {
		names[zones->count + i] = key.zones.names[i];
		ports[zones->count + i] = port;
	}
	*zones = (struct zones){names, zones->count + key.zones.count};
	block->ports = ports;
	return true;
}

static bool read_keys(struct generation *g, struct error *error)
{
	for (size_t i = 0; i < g->block_count; i++) {
		const struct server_block *source = g->blocks[i].source;

		for (size_t key = 0; key < source->key_count; key++)
			if (!add_key(g, &g->blocks[i], &source->keys[key], g->config->port, error))
				return false;
		g->blocks[i].setup.port = g->blocks[i].ports[0];
	}
	return true;
}

static void make_blocks(struct generation *g)
{
	size_t blocks = 0, directives = 0;

	for (const struct server_block *b = g->corefile.blocks; b; b = b->next) {
		blocks++;
		for (const struct directive *d = b->directives; d; d = d->next)
			directives++;
	}
	g->blocks = arena_alloc(&g->arena, blocks * sizeof(*g->blocks));
	g->instances = arena_alloc(&g->arena, directives * sizeof(*g->instances));
	for (const struct server_block *b = g->corefile.blocks; b; b = b->next) {
		struct block *block = &g->blocks[g->block_count++];

		block->source = b;
		block->setup.directives = b->directives;
		block->setup.arena = &g->arena;
		block->setup.bind = &block->bind;
		block->setup.timeouts = &block->timeouts;
		block->setup.place = &block->place;
		block->setup.metrics = g->config->metrics;
		block->setup.http = g->config->http;
		block->setup.kept = g->config->kept;
		block->setup.workers = g->config->workers;
		block->setup.reload = &g->reload;
		block->setup.needs = &block->needs;
	}
}

/* Says which plugin it was, unless the message does so itself, or is about an address that is taken. */
static bool blame(const struct plugin *plugin, struct error *error)
{
	static const char *const whole[] = {"plugin/", "listen tcp"};

	for (size_t i = 0; i < ARRAY_LENGTH(whole); i++)
		if (strncmp(error->message, whole[i], strlen(whole[i])) == 0)
			return false;
	return error_prefix(error, "plugin/%s: ", plugin->name);
}

static bool set_up(struct generation *g, size_t block_index, const struct registration *registration,
	const struct directive *directive, struct error *error)
{
	const struct token *name = &directive->tokens[0];
	struct block *block = &g->blocks[block_index];
	struct instance *instance = &g->instances[g->instance_count];

	if (!registration->plugin)
		return error_set(error,
			"%s:%u - Error during parsing: directive '%s' is not built into this version",
			name->file, name->line, registration->name);
	block->setup.plugin = registration->plugin;
	block->setup.directive = directive;
	*instance = (struct instance){.plugin = registration->plugin, .block = block_index};
	instance->config = registration->plugin->setup(&block->setup, error);
	if (instance->config) {
		g->instance_count++;
		block->instance_count++;
		return true;
	}
	return blame(registration->plugin, error);
}

/* In the order of the registry, and of the file where a plugin stands in several blocks: so that of two
 * errors the same one is told as by CoreDNS. */
static bool set_up_plugins(struct generation *g, struct error *error)
{
	for (const struct registration *r = registry; r->name; r++)
		for (size_t i = 0; i < g->block_count; i++)
			for (const struct directive *d = g->blocks[i].source->directives; d; d = d->next)
				if (strcmp(d->name, r->name) == 0 && !set_up(g, i, r, d, error))
					return false;
	return true;
}

static void add_collector(struct generation *g, const struct instance *instance)
{
	if (instance->plugin->collect)
		g->collectors[g->collector_count++] =
			(struct metrics_collector){instance->plugin->collect, instance->config};
}

void generation_show(struct generation *g)
{
	metrics_set_collectors(g->config->metrics, g->collectors, g->collector_count);
	http_release(g->config->http);
}

static bool open_plugins(struct generation *g, bool is_first, struct error *error)
{
	for (size_t i = 0; i < g->instance_count; i++) {
		const struct instance *instance = &g->instances[i];

		if (instance->plugin->open && !instance->plugin->open(instance->config, error))
			return blame(instance->plugin, error);
		add_collector(g, instance);
		if (is_first)
			generation_show(g);
	}
	return true;
}

static void close_plugins(struct generation *g)
{
	while (g->instance_count--) {
		const struct instance *instance = &g->instances[g->instance_count];

		if (instance->plugin->close)
			instance->plugin->close(instance->config);
	}
}

void generation_leave(struct generation *g)
{
	for (size_t i = 0; i < g->instance_count; i++)
		if (g->instances[i].plugin->leave)
			g->instances[i].plugin->leave(g->instances[i].config);
}

static size_t host_count(const struct block *block)
{
	return block->bind.count ? block->bind.count : 1;
}

static bool add_sites(struct generation *g, size_t block_index, struct error *error)
{
	const struct block *block = &g->blocks[block_index];

	for (size_t zone = 0; zone < block->setup.zones.count; zone++)
		for (size_t host = 0; host < host_count(block); host++) {
			struct site site = {.zone = &block->setup.zones.names[zone],
				.port = block->ports[zone],
				.host = block->bind.count ? block->bind.addresses[host] : "",
				.block = block_index,
				.index = (unsigned)(zone * host_count(block) + host),
				.tcp = {.first_ns = block->timeouts.read,
					.idle_ns = block->timeouts.idle,
					.write_ns = block->timeouts.write,
					.queries = block->timeouts.tcp_queries}};

			if (!sites_add(&g->sites, &site, error))
				return false;
		}
	return true;
}

/* The same for a block that has the same keys and addresses in the next configuration. */
static const char *identify(struct generation *g, size_t block_index)
{
	const struct block *block = &g->blocks[block_index];
	struct buffer text;
	const char *ret;
	unsigned alike = 0;

	buffer_init(&text);
	for (size_t i = 0; i < block->source->key_count; i++)
		buffer_format(&text, "%s ", block->source->keys[i].text);
	for (size_t i = 0; i < block->bind.count; i++)
		buffer_format(&text, "on %s ", block->bind.addresses[i]);
	for (size_t i = 0; i < block_index; i++) {
		const char *other = g->blocks[i].place.identity;

		alike += strncmp(other, text.bytes, text.length) == 0 && other[text.length] == '#';
	}
	ret = arena_format(&g->arena, "%s#%u", text.bytes, alike);
	buffer_finish(&text);
	return ret;
}

/* What plugins may know of their block. */
static void describe(struct generation *g, size_t block_index)
{
	struct block *block = &g->blocks[block_index];
	struct place *place = &block->place;
	struct place_plugin *plugins = arena_alloc(&g->arena, block->instance_count * sizeof(*plugins));

	for (size_t i = 0; i < g->instance_count; i++) {
		const struct instance *instance = &g->instances[i];

		if (instance->block == block_index)
			plugins[place->plugin_count++] =
				(struct place_plugin){instance->plugin, instance->config};
	}
	place->plugins = plugins;
	place->view = "";
	place->identity = identify(g, block_index);
	place->sites = sites_describe(&g->sites, block_index, &place->site_count);
}

/* Every zone at every address of its block. */
static bool make_sites(struct generation *g, struct error *error)
{
	size_t count = 0;

	for (size_t i = 0; i < g->block_count; i++)
		count += g->blocks[i].setup.zones.count * host_count(&g->blocks[i]);
	sites_init(&g->sites, &g->arena, count);
	for (size_t i = 0; i < g->block_count; i++) {
		if (!add_sites(g, i, error))
			return false;
		describe(g, i);
	}
	return true;
}

static void start_plugins(struct generation *g, struct worker *worker, struct worker_state *state)
{
	for (size_t i = 0; i < g->block_count; i++)
		state->chains[i].links =
			memory_zero(g->blocks[i].instance_count, sizeof(*state->chains[i].links));
	for (size_t i = 0; i < g->instance_count; i++) {
		const struct instance *instance = &g->instances[i];
		const struct plugin *plugin = instance->plugin;
		struct chain *chain = &state->chains[instance->block];
		void *self = plugin->start ? plugin->start(instance->config, worker) : instance->config;

		state->selves[i] = self;
		if (plugin->serve)
			chain->links[chain->count++] = (struct link){.plugin = plugin, .self = self};
		if (plugin->refresh)
			state->refreshers[state->refresher_count++] =
				(struct refresher){plugin->refresh, self};
	}
	for (size_t i = 0; i < g->block_count; i++) {
		chain_lay_out(&state->chains[i]);
		state->chains[i].waiting = &state->waiting;
	}
}

static void fill_router(
	const struct generation *g, size_t listener, const struct chain *chains, struct router *ret)
{
	struct route *routes = memory_alloc(g->sites.count * sizeof(*routes));
	unsigned count = 0;

	for (size_t i = 0; i < g->sites.count; i++) {
		const struct site *site = &g->sites.sites[i];

		if (site->listener == listener)
			routes[count++] = (struct route){*site->zone, &chains[site->block], site->index};
	}
	router_init(ret, routes, count);
}

/* What is asked for at an address but belongs to no zone there. */
static struct traffic *count_refused(const struct generation *g, size_t listener, unsigned worker)
{
	const struct site *site = g->sites.sites;
	struct traffic_labels labels = {.zone = "dropped", .view = ""};

	while (site->listener != listener)
		site++;
	labels.server = g->blocks[site->block].place.sites[site->index].server;
	return traffic_create(g->config->metrics, worker, &labels);
}

static void begin(void *context, struct worker *worker, struct router *routers)
{
	struct generation *g = context;
	struct worker_state *state = &g->workers[worker->index];

	state->chains = memory_zero(g->block_count, sizeof(*state->chains));
	state->selves = memory_zero(g->instance_count, sizeof(*state->selves));
	state->refreshers = memory_zero(g->instance_count, sizeof(*state->refreshers));
	state->refused = memory_zero(g->sites.listener_count, sizeof(struct traffic *));
	start_plugins(g, worker, state);
	for (size_t i = 0; i < g->sites.listener_count; i++) {
		fill_router(g, i, state->chains, &routers[i]);
		state->refused[i] = count_refused(g, i, worker->index);
		routers[i].refused = state->refused[i];
	}
}

static void refresh(void *context, struct worker *worker)
{
	const struct generation *g = context;
	const struct worker_state *state = &g->workers[worker->index];

	for (size_t i = 0; i < state->refresher_count; i++)
		state->refreshers[i].refresh(state->refreshers[i].self);
}

static bool is_idle(void *context, const struct worker *worker)
{
	const struct generation *g = context;

	return g->workers[worker->index].waiting == 0;
}

/* Plugins stop from the last to the first of the registry, in all blocks: what is under way upstream is
 * answered then, and goes back through those that stand above. */
static void end(void *context, struct worker *worker, struct router *routers)
{
	struct generation *g = context;
	struct worker_state *state = &g->workers[worker->index];

	for (size_t i = g->instance_count; i-- > 0;)
		if (g->instances[i].plugin->stop)
			g->instances[i].plugin->stop(state->selves[i]);
	for (size_t i = 0; i < g->sites.listener_count; i++)
		router_finish(&routers[i]);
}

static void free_workers(struct generation *g)
{
	for (unsigned w = 0; g->workers && w < g->config->workers; w++) {
		struct worker_state *state = &g->workers[w];

		for (size_t i = 0; state->chains && i < g->block_count; i++)
			memory_free(state->chains[i].links);
		for (size_t i = 0; state->refused && i < g->sites.listener_count; i++)
			traffic_destroy(state->refused[i]);
		memory_free(state->refused);
		memory_free(state->chains);
		memory_free(state->selves);
		memory_free(state->refreshers);
	}
}

struct generation *generation_create(const struct generation_config *config, struct error *error)
{
	struct generation *g = memory_zero(1, sizeof(*g));

	g->config = config;
	arena_init(&g->arena);
	g->served = (struct network_generation){
		.begin = begin, .refresh = refresh, .is_idle = is_idle, .end = end, .context = g};
	if (read_corefile(g, error)) {
		make_blocks(g);
		if (read_keys(g, error) && set_up_plugins(g, error) && make_sites(g, error))
			return g;
	}
	generation_destroy(g);
	return NULL;
}

bool generation_open(struct generation *g, bool is_first, struct error *error)
{
	g->workers = arena_alloc(&g->arena, g->config->workers * sizeof(*g->workers));
	g->collectors = arena_alloc(&g->arena, g->instance_count * sizeof(*g->collectors));
	if (!is_first)
		http_hold(g->config->http);
	return open_plugins(g, is_first, error);
}

const struct network_generation *generation_served(struct generation *g)
{
	g->served.listeners = g->sites.listeners;
	g->served.listener_count = g->sites.listener_count;
	return &g->served;
}

void generation_print(const struct generation *g, const struct network *network)
{
	sites_print(&g->sites, network);
}

const struct corefile *generation_corefile(const struct generation *g)
{
	return &g->corefile;
}

const struct reload *generation_reload(const struct generation *g)
{
	return &g->reload;
}

void generation_destroy(struct generation *g)
{
	if (!g)
		return;
	free_workers(g);
	close_plugins(g);
	corefile_finish(&g->corefile);
	arena_finish(&g->arena);
	memory_free(g);
}
