/* One server block as a whole chain, without sockets: the plugins that a Corefile names, in the order of the
 * registry, and behind them one of the caller's own, for what would be asked of the world outside. */
#ifndef SVCDNS_TESTS_WHOLE_CHAIN_H
#define SVCDNS_TESTS_WHOLE_CHAIN_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "svcdns/chain.h"
#include "svcdns/clock.h"
#include "svcdns/corefile.h"
#include "svcdns/http.h"
#include "svcdns/kept.h"
#include "svcdns/memory.h"
#include "svcdns/metrics.h"
#include "svcdns/registry.h"
#include "svcdns/router.h"
#include "svcdns/setup.h"
#include "svcdns/worker.h"

#define WHOLE_CHAIN_LINKS_MAX 16

struct whole_chain {
	struct corefile corefile;
	struct bind bind;
	struct needs needs;
	struct setup setup;
	struct place_site site;
	struct place_plugin plugins[WHOLE_CHAIN_LINKS_MAX];
	struct place place;
	struct link links[WHOLE_CHAIN_LINKS_MAX];
	void *configs[WHOLE_CHAIN_LINKS_MAX]; /* one for each link */
	struct chain chain;
	struct router router;
	struct worker worker;
};

static inline void whole_chain_add(struct whole_chain *whole, const struct plugin *plugin, void *config)
{
	struct chain *chain = &whole->chain;

	if (chain->count == WHOLE_CHAIN_LINKS_MAX)
		abort();
	whole->configs[chain->count] = config;
	whole->plugins[whole->place.plugin_count++] = (struct place_plugin){plugin, config};
	chain->links[chain->count++] = (struct link){
		.plugin = plugin, .self = plugin->start ? plugin->start(config, &whole->worker) : config};
}

static inline void whole_chain_set_up(
	struct whole_chain *whole, const struct registration *registration, struct error *error)
{
	const struct directive *directive = whole->corefile.blocks->directives;
	void *config;

	while (directive && strcmp(directive->name, registration->name) != 0)
		directive = directive->next;
	if (!directive)
		return;
	whole->setup.plugin = registration->plugin;
	whole->setup.directive = directive;
	config = registration->plugin->setup(&whole->setup, error);
	if (!config || (registration->plugin->open && !registration->plugin->open(config, error))) {
		fprintf(stderr, "%s\n", error->message);
		abort();
	}
	whole_chain_add(whole, registration->plugin, config);
}

/* The block is the first of `corefile`; its zone is the root. loop: for forward; NULL: it is not in there. */
static inline void whole_chain_start(struct whole_chain *whole, const char *corefile, struct uv_loop_s *loop,
	const struct plugin *last, void *self)
{
	struct route *route = memory_zero(1, sizeof(*route));
	struct error error = {""};

	*whole = (struct whole_chain){
		.setup.bind = &whole->bind, .setup.needs = &whole->needs, .chain.links = whole->links};
	if (!corefile_parse(&whole->corefile, "Corefile", corefile, strlen(corefile), registry_knows, &error))
		abort();
	whole->setup.arena = &whole->corefile.arena;
	whole->setup.directives = whole->corefile.blocks->directives;
	whole->site = (struct place_site){"dns://:53", "."};
	whole->place = (struct place){.sites = &whole->site,
		.site_count = 1,
		.view = "",
		.identity = ". #0",
		.plugins = whole->plugins};
	whole->setup.place = &whole->place;
	whole->setup.metrics = metrics_create(1);
	whole->setup.http = http_create();
	whole->setup.kept = kept_create();
	whole->setup.workers = 1;
	zones_add(&whole->setup.zones, whole->setup.arena, ".");
	worker_init(&whole->worker, 0, loop);
	whole->worker.now = clock_monotonic();
	for (const struct registration *r = registry; r->name; r++)
		whole_chain_set_up(whole, r, &error);
	whole_chain_add(whole, last, self);
	chain_lay_out(&whole->chain);
	route->zone = whole->setup.zones.names[0];
	route->chain = &whole->chain;
	router_init(&whole->router, route, 1);
}

/* What the worker does between two batches of queries. */
static inline void whole_chain_refresh(struct whole_chain *whole)
{
	for (unsigned i = 0; i < whole->chain.count; i++)
		if (whole->links[i].plugin->refresh)
			whole->links[i].plugin->refresh(whole->links[i].self);
}

/* Ends what the workers own; whole_chain_finish() follows when their loop has run out. */
static inline void whole_chain_stop(struct whole_chain *whole)
{
	for (unsigned i = whole->chain.count; i-- > 0;)
		if (whole->links[i].plugin->stop)
			whole->links[i].plugin->stop(whole->links[i].self);
}

static inline void whole_chain_finish(struct whole_chain *whole)
{
	for (unsigned i = whole->chain.count; i-- > 0;)
		if (whole->links[i].plugin->close)
			whole->links[i].plugin->close(whole->configs[i]);
	http_destroy(whole->setup.http);
	kept_destroy(whole->setup.kept);
	metrics_destroy(whole->setup.metrics);
	router_finish(&whole->router);
	worker_finish(&whole->worker);
	corefile_finish(&whole->corefile);
}

/* Writes a file under /tmp, "….yaml", for the caller to unlink(). */
static inline void whole_chain_write_table(const char *text, char path[64])
{
	int fd;

	strcpy(path, "/tmp/svcdns-table-XXXXXX.yaml");
	fd = mkstemps(path, 5);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		abort();
	close(fd);
}

#endif
