/* Binds the listeners, then runs the workers. Every worker has its own sockets for every listener. */
#include "svcdns/network.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "net_worker.h"
#include "socket.h"
#include "svcdns/memory.h"

#define FAMILIES   2  /* sockets that a wildcard listener needs */
#define PORT_TRIES 32 /* for a port that is free for UDP and TCP alike */

struct network {
	struct network_config config;
	struct network_listener *listeners; /* owned copy, ports filled in; config's */
	struct net_worker *workers;
	pthread_barrier_t begun;
};

/* The sockets of one listener: pairs of one family, for all workers. */
struct binding {
	union address addresses[FAMILIES];
	unsigned families;
	int *udp[FAMILIES], *tcp[FAMILIES]; /* one descriptor per worker; -1: none */
	unsigned workers;
};

static void plan(struct binding *b, const union address *address, unsigned workers)
{
	static const struct ip any6 = {.family = 6}, any4 = {.family = 4};

	*b = (struct binding){.workers = workers};
	if (address_is_wildcard(address)) {
		address_set(&b->addresses[b->families++], &any4, address_port(address));
		if (socket_has_ipv6())
			address_set(&b->addresses[b->families++], &any6, address_port(address));
	} else {
		b->addresses[b->families++] = *address;
	}
	for (unsigned f = 0; f < b->families; f++) {
		b->udp[f] = memory_alloc(workers * sizeof(int));
		b->tcp[f] = memory_alloc(workers * sizeof(int));
		memset(b->udp[f], -1, workers * sizeof(int));
		memset(b->tcp[f], -1, workers * sizeof(int));
	}
}

static void unbind(struct binding *b)
{
	for (unsigned f = 0; f < b->families; f++) {
		for (unsigned w = 0; w < b->workers; w++) {
			if (b->udp[f][w] >= 0)
				close(b->udp[f][w]);
			if (b->tcp[f][w] >= 0)
				close(b->tcp[f][w]);
			b->udp[f][w] = b->tcp[f][w] = -1;
		}
	}
}

static void finish(struct binding *b)
{
	for (unsigned f = 0; f < b->families; f++) {
		memory_free(b->udp[f]);
		memory_free(b->tcp[f]);
	}
}

static void set_port(union address *address, uint16_t port)
{
	if (address->any.sa_family == AF_INET6)
		address->in6.sin6_port = htons(port);
	else
		address->in.sin_port = htons(port);
}

/* As CoreDNS words it. */
static bool bind_error(struct error *error, const char *call, const char *protocol, const char *text)
{
	char reason[128];

	snprintf(reason, sizeof(reason), "%s", strerror(errno));
	reason[0] = (char)tolower((unsigned char)reason[0]);
	return error_set(error, "%s: listen %s %s: bind: %s", call, protocol, text, reason);
}

/* Opens all sockets of one family. A port 0 becomes the one that the first socket got. False: errno is set.
 */
static bool bind_family(struct binding *b, unsigned family, const char *text, struct error *error)
{
	union address *address = &b->addresses[family];
	uint16_t port;

	for (unsigned w = 0; w < b->workers; w++) {
		b->tcp[family][w] = socket_tcp(address);
		if (b->tcp[family][w] < 0)
			return bind_error(error, "Listen", "tcp", text);
		if (!address_port(address) && socket_port(b->tcp[family][w], &port))
			for (unsigned f = 0; f < b->families; f++)
				set_port(&b->addresses[f], port);
		b->udp[family][w] = socket_udp(address);
		if (b->udp[family][w] < 0)
			return bind_error(error, "ListenPacket", "udp", text);
	}
	return true;
}

static bool bind_all(struct binding *b, const char *text, struct error *error)
{
	for (unsigned f = 0; f < b->families; f++)
		if (!bind_family(b, f, text, error))
			return false;
	return true;
}

static bool bind_listener(struct binding *b, struct network_listener *listener, struct error *error)
{
	bool any_port = address_port(&listener->address) == 0;

	for (unsigned tries = any_port ? PORT_TRIES : 1; tries; tries--) {
		for (unsigned f = 0; f < b->families; f++)
			set_port(&b->addresses[f], address_port(&listener->address));
		if (bind_all(b, listener->text, error)) {
			set_port(&listener->address, address_port(&b->addresses[0]));
			return true;
		}
		unbind(b);
	}
	return false;
}

static void hand_over(struct network *network, size_t listener, struct binding *b)
{
	for (unsigned f = 0; f < b->families; f++)
		for (unsigned w = 0; w < b->workers; w++)
			net_worker_add(
				&network->workers[w], listener, &b->addresses[f], b->udp[f][w], b->tcp[f][w]);
}

void tcp_limits_set(struct tcp_limits *limits, const struct tcp_limits *set)
{
	limits->first_ns = set->first_ns ? set->first_ns : limits->first_ns;
	limits->idle_ns = set->idle_ns ? set->idle_ns : limits->idle_ns;
	limits->write_ns = set->write_ns ? set->write_ns : limits->write_ns;
	limits->queries = set->queries ? set->queries : limits->queries;
}

/* What a listener does not say, the network does. */
static void complete(struct network_listener *listener, const struct network_config *config)
{
	struct tcp_limits limits = config->tcp;

	tcp_limits_set(&limits, &listener->tcp);
	listener->tcp = limits;
}

static struct network *create(const struct network_config *config)
{
	struct network *network = memory_zero(1, sizeof(*network));

	network->config = *config;
	if (!network->config.workers)
		network->config.workers = network_default_workers();
	network->listeners = memory_alloc(config->listener_count * sizeof(*network->listeners));
	memcpy(network->listeners, config->listeners, config->listener_count * sizeof(*network->listeners));
	for (size_t i = 0; i < config->listener_count; i++)
		complete(&network->listeners[i], config);
	network->config.listeners = network->listeners;
	network->workers = memory_zero(network->config.workers, sizeof(*network->workers));
	pthread_barrier_init(&network->begun, NULL, network->config.workers + 1);
	return network;
}

static void destroy(struct network *network)
{
	pthread_barrier_destroy(&network->begun);
	memory_free(network->workers);
	memory_free(network->listeners);
	memory_free(network);
}

/* Binds every listener, or none. */
static bool bind_listeners(struct network *network, struct binding *bindings, struct error *error)
{
	size_t count = network->config.listener_count, bound = 0;

	while (bound < count) {
		struct network_listener *listener = &network->listeners[bound];

		plan(&bindings[bound], &listener->address, network->config.workers);
		if (!bind_listener(&bindings[bound++], listener, error))
			break;
		if (bound == count)
			return true;
	}
	while (bound--) {
		unbind(&bindings[bound]);
		finish(&bindings[bound]);
	}
	return false;
}

static void run_workers(struct network *network, struct binding *bindings)
{
	unsigned workers = network->config.workers;
	size_t count = network->config.listener_count;

	for (unsigned w = 0; w < workers; w++)
		net_worker_init(&network->workers[w], w, &network->config, count * FAMILIES);
	for (size_t i = 0; i < count; i++) {
		hand_over(network, i, &bindings[i]);
		finish(&bindings[i]);
	}
	for (unsigned w = 0; w < workers; w++)
		net_worker_start(&network->workers[w], &network->begun);
	pthread_barrier_wait(&network->begun);
}

struct network *network_start(const struct network_config *config, struct error *error)
{
	struct network *network = create(config);
	struct binding *bindings = memory_zero(config->listener_count, sizeof(*bindings));

	if (bind_listeners(network, bindings, error)) {
		run_workers(network, bindings);
	} else {
		destroy(network);
		network = NULL;
	}
	memory_free(bindings);
	return network;
}

uint16_t network_port(const struct network *network, size_t listener)
{
	return address_port(&network->listeners[listener].address);
}

void network_stop(struct network *network, int64_t grace_ns)
{
	for (unsigned w = 0; w < network->config.workers; w++)
		net_worker_stop(&network->workers[w], grace_ns);
	for (unsigned w = 0; w < network->config.workers; w++)
		net_worker_join(&network->workers[w]);
	destroy(network);
}
