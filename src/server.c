/* From a Corefile to workers that serve it.
 *
 * Everything that the configuration is made of lives in the server's arena and is not changed once the
 * workers run. What a worker needs of its own, the chains and what plugins start for it, hangs off
 * workers[index] and is touched by that worker's thread only. */
#include "svcdns/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "sites.h"
#include "svcdns/clock.h"
#include "svcdns/corefile.h"
#include "svcdns/http.h"
#include "svcdns/memory.h"
#include "svcdns/metrics.h"
#include "svcdns/network.h"
#include "svcdns/registry.h"
#include "svcdns/setup.h"
#include "svcdns/traffic.h"

#define TCP_CONNECTIONS 1024 /* per worker */
#define TCP_FIRST_NS	((int64_t)(3 * CLOCK_S))
#define TCP_IDLE_NS	((int64_t)(10 * CLOCK_S))
#define TCP_WRITE_NS	((int64_t)(5 * CLOCK_S))

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
	struct refresher *refreshers;
	size_t refresher_count;
};

struct server {
	struct arena arena;
	struct corefile corefile;
	struct block *blocks;
	size_t block_count;
	struct instance *instances; /* as they were set up: in the order of the registry */
	size_t instance_count;
	struct sites sites;
	unsigned worker_count;
	struct worker_state *workers;
	struct metrics *metrics;
	struct http *http;
	struct network *network; /* NULL until it runs */
};

static bool read_corefile(struct server *server, const struct server_options *options, struct error *error)
{
	const char *path = options->corefile, *text;

	if (!corefile_read(&server->corefile, path && *path ? path : NULL, registry_knows, error))
		return false;
	if (server->corefile.blocks)
		return true;
	corefile_finish(&server->corefile);
	text = arena_format(&server->arena, ".:%s {\nwhoami\nlog\n}\n", options->port);
	return corefile_parse(&server->corefile, "Corefile", text, strlen(text), registry_knows, error);
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
static bool add_key(struct server *server, struct block *block, const struct token *token,
	const char *default_port, struct error *error)
{
	struct zones *zones = &block->setup.zones;
	struct server_key key;
	struct name *names;
	uint16_t *ports, port = 0;

	if (!zones_parse_key(token->text, &server->arena, &key, error))
		return error_prefix(error, "error inspecting server blocks: ");
	if (strcmp(key.scheme, "dns") != 0)
		return error_set(error, "%s:%u - Error during parsing: %s:// is not built into this version",
			token->file, token->line, key.scheme);
	if (!read_port(key.port ? key.port : default_port, &port, error))
		return false;
	names = arena_alloc(&server->arena, (zones->count + key.zones.count) * sizeof(*names));
	ports = arena_alloc(&server->arena, (zones->count + key.zones.count) * sizeof(*ports));
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

static bool read_keys(struct server *server, const char *default_port, struct error *error)
{
	for (size_t i = 0; i < server->block_count; i++) {
		const struct server_block *source = server->blocks[i].source;

		for (size_t key = 0; key < source->key_count; key++)
			if (!add_key(server, &server->blocks[i], &source->keys[key], default_port, error))
				return false;
		server->blocks[i].setup.port = server->blocks[i].ports[0];
	}
	return true;
}

static void make_blocks(struct server *server)
{
	size_t blocks = 0, directives = 0;

	for (const struct server_block *b = server->corefile.blocks; b; b = b->next) {
		blocks++;
		for (const struct directive *d = b->directives; d; d = d->next)
			directives++;
	}
	server->blocks = arena_alloc(&server->arena, blocks * sizeof(*server->blocks));
	server->instances = arena_alloc(&server->arena, directives * sizeof(*server->instances));
	for (const struct server_block *b = server->corefile.blocks; b; b = b->next) {
		struct block *block = &server->blocks[server->block_count++];

		block->source = b;
		block->setup.directives = b->directives;
		block->setup.arena = &server->arena;
		block->setup.bind = &block->bind;
		block->setup.timeouts = &block->timeouts;
		block->setup.place = &block->place;
		block->setup.metrics = server->metrics;
		block->setup.http = server->http;
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

static bool set_up(struct server *server, size_t block_index, const struct registration *registration,
	const struct directive *directive, struct error *error)
{
	const struct token *name = &directive->tokens[0];
	struct block *block = &server->blocks[block_index];
	struct instance *instance = &server->instances[server->instance_count];

	if (!registration->plugin)
		return error_set(error,
			"%s:%u - Error during parsing: directive '%s' is not built into this version",
			name->file, name->line, registration->name);
	block->setup.plugin = registration->plugin;
	block->setup.directive = directive;
	*instance = (struct instance){.plugin = registration->plugin, .block = block_index};
	instance->config = registration->plugin->setup(&block->setup, error);
	if (instance->config) {
		server->instance_count++;
		block->instance_count++;
		return true;
	}
	return blame(registration->plugin, error);
}

/* In the order of the registry, and of the file where a plugin stands in several blocks: so that of two
 * errors the same one is told as by CoreDNS. */
static bool set_up_plugins(struct server *server, struct error *error)
{
	for (const struct registration *r = registry; r->name; r++)
		for (size_t i = 0; i < server->block_count; i++)
			for (const struct directive *d = server->blocks[i].source->directives; d; d = d->next)
				if (strcmp(d->name, r->name) == 0 && !set_up(server, i, r, d, error))
					return false;
	return true;
}

static bool open_plugins(struct server *server, struct error *error)
{
	for (size_t i = 0; i < server->instance_count; i++) {
		const struct instance *instance = &server->instances[i];

		if (instance->plugin->open && !instance->plugin->open(instance->config, error))
			return blame(instance->plugin, error);
		if (instance->plugin->collect)
			metrics_attach(server->metrics, instance->plugin->collect, instance->config);
	}
	return true;
}

static void close_plugins(struct server *server)
{
	while (server->instance_count--) {
		const struct instance *instance = &server->instances[server->instance_count];

		if (instance->plugin->collect)
			metrics_detach(server->metrics, instance->config);
		if (instance->plugin->close)
			instance->plugin->close(instance->config);
	}
}

static void leave_plugins(struct server *server)
{
	for (size_t i = 0; i < server->instance_count; i++)
		if (server->instances[i].plugin->leave)
			server->instances[i].plugin->leave(server->instances[i].config);
}

static size_t host_count(const struct block *block)
{
	return block->bind.count ? block->bind.count : 1;
}

static bool add_sites(struct server *server, size_t block_index, struct error *error)
{
	const struct block *block = &server->blocks[block_index];

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

			if (!sites_add(&server->sites, &site, error))
				return false;
		}
	return true;
}

/* What plugins may know of their block. */
static void describe(struct server *server, size_t block_index)
{
	struct block *block = &server->blocks[block_index];
	struct place *place = &block->place;
	struct place_plugin *plugins = arena_alloc(&server->arena, block->instance_count * sizeof(*plugins));

	for (size_t i = 0; i < server->instance_count; i++) {
		const struct instance *instance = &server->instances[i];

		if (instance->block == block_index)
			plugins[place->plugin_count++] =
				(struct place_plugin){instance->plugin, instance->config};
	}
	place->plugins = plugins;
	place->view = "";
	place->sites = sites_describe(&server->sites, block_index, &place->site_count);
}

/* Every zone at every address of its block. */
static bool make_sites(struct server *server, struct error *error)
{
	size_t count = 0;

	for (size_t i = 0; i < server->block_count; i++)
		count += server->blocks[i].setup.zones.count * host_count(&server->blocks[i]);
	sites_init(&server->sites, &server->arena, count);
	for (size_t i = 0; i < server->block_count; i++) {
		if (!add_sites(server, i, error))
			return false;
		describe(server, i);
	}
	return true;
}

static void start_plugins(struct server *server, struct worker *worker, struct worker_state *state)
{
	for (size_t i = 0; i < server->block_count; i++)
		state->chains[i].links =
			memory_zero(server->blocks[i].instance_count, sizeof(*state->chains[i].links));
	for (size_t i = 0; i < server->instance_count; i++) {
		const struct instance *instance = &server->instances[i];
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
	for (size_t i = 0; i < server->block_count; i++)
		chain_lay_out(&state->chains[i]);
}

static void fill_router(
	const struct server *server, size_t listener, const struct chain *chains, struct router *ret)
{
	struct route *routes = memory_alloc(server->sites.count * sizeof(*routes));
	unsigned count = 0;

	for (size_t i = 0; i < server->sites.count; i++) {
		const struct site *site = &server->sites.sites[i];

		if (site->listener == listener)
			routes[count++] = (struct route){*site->zone, &chains[site->block], site->index};
	}
	router_init(ret, routes, count);
}

/* What is asked for at an address but belongs to no zone there. */
static struct traffic *count_refused(const struct server *server, size_t listener, unsigned worker)
{
	const struct site *site = server->sites.sites;
	struct traffic_labels labels = {.zone = "dropped", .view = ""};

	while (site->listener != listener)
		site++;
	labels.server = server->blocks[site->block].place.sites[site->index].server;
	return traffic_create(server->metrics, worker, &labels);
}

static void begin(void *context, struct worker *worker, struct router *routers)
{
	struct server *server = context;
	struct worker_state *state = &server->workers[worker->index];

	state->chains = memory_zero(server->block_count, sizeof(*state->chains));
	state->selves = memory_zero(server->instance_count, sizeof(*state->selves));
	state->refreshers = memory_zero(server->instance_count, sizeof(*state->refreshers));
	state->refused = memory_zero(server->sites.listener_count, sizeof(struct traffic *));
	start_plugins(server, worker, state);
	for (size_t i = 0; i < server->sites.listener_count; i++) {
		fill_router(server, i, state->chains, &routers[i]);
		state->refused[i] = count_refused(server, i, worker->index);
		routers[i].refused = state->refused[i];
	}
}

static void refresh(void *context, struct worker *worker)
{
	const struct server *server = context;
	const struct worker_state *state = &server->workers[worker->index];

	for (size_t i = 0; i < state->refresher_count; i++)
		state->refreshers[i].refresh(state->refreshers[i].self);
}

/* Plugins stop from the last to the first of the registry, in all blocks: what is under way upstream is
 * answered then, and goes back through those that stand above. */
static void end(void *context, struct worker *worker, struct router *routers)
{
	struct server *server = context;
	struct worker_state *state = &server->workers[worker->index];

	for (size_t i = server->instance_count; i-- > 0;)
		if (server->instances[i].plugin->stop)
			server->instances[i].plugin->stop(state->selves[i]);
	for (size_t i = 0; i < server->sites.listener_count; i++)
		router_finish(&routers[i]);
}

static void free_workers(struct server *server)
{
	for (unsigned w = 0; server->workers && w < server->worker_count; w++) {
		struct worker_state *state = &server->workers[w];

		for (size_t i = 0; state->chains && i < server->block_count; i++)
			memory_free(state->chains[i].links);
		for (size_t i = 0; state->refused && i < server->sites.listener_count; i++)
			traffic_destroy(state->refused[i]);
		memory_free(state->refused);
		memory_free(state->chains);
		memory_free(state->selves);
		memory_free(state->refreshers);
	}
}

static bool run(struct server *server, struct error *error)
{
	struct network_config config = {
		.listeners = server->sites.listeners,
		.listener_count = server->sites.listener_count,
		.tcp_connections = TCP_CONNECTIONS,
		.tcp = {.first_ns = TCP_FIRST_NS, .idle_ns = TCP_IDLE_NS, .write_ns = TCP_WRITE_NS},
		.begin = begin,
		.refresh = refresh,
		.end = end,
		.context = server,
	};

	config.workers = server->worker_count;
	server->workers = arena_alloc(&server->arena, config.workers * sizeof(*server->workers));
	server->network = network_start(&config, error);
	return server->network;
}

/* Connections are descriptors; the usual soft limit of 1024 is for programs that still use select(). */
static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* Families without labels are shown whether their plugin is configured or not, as CoreDNS does. */
static void declare_families(struct metrics *metrics)
{
	for (const struct registration *r = registry; r->name; r++)
		if (r->plugin && r->plugin->families)
			metrics_declare(metrics, r->plugin->families);
}

struct server *server_start(const struct server_options *options, struct error *error)
{
	struct server *server = memory_zero(1, sizeof(*server));
	bool ok;

	raise_file_limit();
	arena_init(&server->arena);
	server->worker_count = options->workers ? options->workers : network_default_workers();
	server->metrics = metrics_create(server->worker_count);
	declare_families(server->metrics);
	server->http = http_create();
	ok = read_corefile(server, options, error);
	if (ok)
		make_blocks(server);
	ok = ok && read_keys(server, options->port, error) && set_up_plugins(server, error) &&
	     make_sites(server, error) && open_plugins(server, error) && run(server, error);
	if (!ok) {
		server_stop(server, 0);
		return NULL;
	}
	sites_print(&server->sites, server->network);
	return server;
}

void server_stop(struct server *server, int64_t grace_ns)
{
	if (!server)
		return;
	if (server->network) {
		leave_plugins(server);
		network_stop(server->network, grace_ns);
	}
	http_stop(server->http); /* nobody asks plugins any more while they are closed */
	free_workers(server);
	close_plugins(server);
	http_destroy(server->http);
	metrics_destroy(server->metrics);
	corefile_finish(&server->corefile);
	arena_finish(&server->arena);
	memory_free(server);
}
