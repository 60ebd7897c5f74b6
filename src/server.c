/* A configuration is served, and in its time another one takes its place.
 *
 * What all of them share, the network and its workers, metrics, HTTP and what is kept from one to the next,
 * belongs to the server; the rest is the generation's. */
#include "svcdns/server.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "corefile_watch.h"
#include "generation.h"
#include "svcdns/clock.h"
#include "svcdns/log.h"
#include "svcdns/memory.h"
#include "svcdns/registry.h"

#define TCP_CONNECTIONS 1024 /* per worker */
#define TCP_FIRST_NS	((int64_t)(3 * CLOCK_S))
#define TCP_IDLE_NS	((int64_t)(10 * CLOCK_S))
#define TCP_WRITE_NS	((int64_t)(5 * CLOCK_S))
#define RETIRE_NS	((int64_t)(5 * CLOCK_S)) /* for queries that were under way when the Corefile changed */
#define STDIN		"stdin"

struct server {
	struct generation_config config;
	struct generation *current;
	struct network *network; /* NULL until it runs */
	struct corefile_watch *watch;
};

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
	metrics_declare(metrics, corefile_watch_families);
}

static struct server *create(const struct server_options *options)
{
	struct server *server = memory_zero(1, sizeof(*server));

	server->config = (struct generation_config){
		.corefile = options->corefile,
		.port = options->port,
		.workers = options->workers ? options->workers : network_default_workers(),
		.http = http_create(),
		.kept = kept_create(),
	};
	server->config.metrics = metrics_create(server->config.workers);
	declare_families(server->config.metrics);
	return server;
}

static void destroy(struct server *server)
{
	http_stop(server->config.http); /* nobody asks plugins any more while they are closed */
	metrics_set_collectors(server->config.metrics, NULL, 0);
	generation_destroy(server->current);
	corefile_watch_destroy(server->watch);
	http_destroy(server->config.http);
	kept_destroy(server->config.kept);
	metrics_destroy(server->config.metrics);
	memory_free(server);
}

static bool start_network(struct server *server, struct error *error)
{
	const struct network_config config = {
		.workers = server->config.workers,
		.tcp_connections = TCP_CONNECTIONS,
		.tcp = {.first_ns = TCP_FIRST_NS, .idle_ns = TCP_IDLE_NS, .write_ns = TCP_WRITE_NS},
	};

	server->network = network_start(&config, generation_served(server->current), error);
	return server->network;
}

bool server_validate(const struct server_options *options, struct error *error)
{
	struct server *server = create(options);
	bool ok;

	server->current = generation_create(&server->config, error);
	ok = server->current;
	destroy(server);
	return ok;
}

struct server *server_start(const struct server_options *options, struct error *error)
{
	struct server *server = create(options);

	raise_file_limit();
	server->current = generation_create(&server->config, error);
	if (!server->current || !generation_open(server->current, true, error) ||
		!start_network(server, error)) {
		destroy(server);
		return NULL;
	}
	generation_print(server->current, server->network);
	server->watch = corefile_watch_create(&server->config);
	corefile_watch_adopt(server->watch, server->current);
	return server;
}

/* False: the next generation is not served, and everything is as it was. */
static bool begin_next(struct server *server, struct generation *next, struct error *error)
{
	bool ok = generation_open(next, false, error) &&
		  network_switch(server->network, generation_served(next), error);

	generation_show(ok ? next : server->current);
	return ok;
}

static bool replace(struct server *server, struct error *error)
{
	struct generation *next = generation_create(&server->config, error);

	if (!next)
		return false;
	if (!begin_next(server, next, error)) {
		generation_destroy(next);
		return false;
	}
	network_retire(server->network, RETIRE_NS);
	generation_destroy(server->current);
	server->current = next;
	return true;
}

static bool reload(struct server *server, struct error *error)
{
	log_line(LOG_INFO, NULL, "Reloading");
	if (!replace(server, error)) {
		log_line(LOG_ERROR, NULL, "Restart failed: %s", error->message);
		return error_prefix(error, "starting with listener file descriptors: ");
	}
	log_line(LOG_INFO, NULL, "Reloading complete");
	corefile_watch_adopt(server->watch, server->current);
	return true;
}

/* What was started from stdin cannot be read again. */
static bool can_read(const char *path, struct error *error)
{
	char reason[ERROR_REASON_MAX];

	if (!path || !*path)
		return true; /* without a Corefile there is the built-in default */
	if (strcmp(path, STDIN) == 0)
		return error_set(error, "the Corefile came from stdin");
	if (access(path, R_OK) == 0)
		return true;
	return error_set(error, "open %s: %s", path, error_reason(errno, reason));
}

bool server_reread(struct server *server, struct error *error)
{
	if (!can_read(server->config.corefile, error))
		return error_prefix(error, "loading updated Caddyfile: ");
	return reload(server, error);
}

uint64_t server_next_look(const struct server *server)
{
	return corefile_watch_due(server->watch);
}

void server_look(struct server *server)
{
	struct error error = {0};

	if (can_read(server->config.corefile, &error) && corefile_watch_look(server->watch) &&
		!reload(server, &error))
		corefile_watch_fail(server->watch, &error);
}

void server_stop(struct server *server, int64_t grace_ns)
{
	if (!server)
		return;
	generation_leave(server->current);
	network_stop(server->network, grace_ns);
	destroy(server);
}
