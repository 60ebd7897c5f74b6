/* Binds the listeners, then runs the workers. Every worker has its own sockets for every listener.
 *
 * To serve another generation is a change that each worker makes between two batches. It is told what of its
 * sockets goes on, and is given those that come new; nothing is bound twice, so that whatever the kernel
 * holds is read by one generation or the other. */
#include "svcdns/network.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "net_worker.h"
#include "socket.h"
#include "svcdns/memory.h"

#define PAIRS	   10 /* that a wildcard listener may have: one for each family, some for single addresses */
#define PORT_TRIES 32 /* for a port that is free for UDP and TCP alike */

struct network {
	struct network_config config;
	struct net_worker *workers;
	sem_t reports;			    /* of workers that have done what they were told */
	union address *asked;		    /* where each listener was to be; owned, as the next */
	struct network_listener *listeners; /* of the generation that is served, complete */
	size_t listener_count;
};

/* On the way from one generation to the next. */
struct transition {
	struct network_listener *listeners; /* of the next one */
	union address *asked;
	size_t listener_count;
	size_t *kept;		  /* see struct net_change */
	struct binding *bindings; /* for each listener of the next; none where the sockets are there */
};

/* The sockets of one listener, for all workers. */
struct binding {
	union address addresses[PAIRS];
	unsigned pairs;		      /* of sockets, for UDP and TCP */
	unsigned needed;	      /* without the first of them there is no listener; others may fail */
	int *udp[PAIRS], *tcp[PAIRS]; /* one descriptor per worker; -1: none */
	unsigned workers;
};

static bool is_listener(const struct transition *t, const union address *address)
{
	for (size_t i = 0; i < t->listener_count; i++)
		if (address_equal(&t->asked[i], address))
			return true;
	return false;
}

/* If an address of this machine has sockets of its own, the kernel need not tell where a datagram was sent
 * to, nor be told from where its reply is to leave, which takes 3 % off an answer, nor be asked about a
 * connection. Other addresses come to the wildcard sockets. */
static void add_local(struct binding *b, const struct transition *t, uint16_t port)
{
	struct ip local[PAIRS];
	unsigned count = socket_local_addresses(local, PAIRS - b->pairs);

	for (unsigned i = 0; i < count; i++) {
		address_set(&b->addresses[b->pairs], &local[i], port);
		if (!is_listener(t, &b->addresses[b->pairs]))
			b->pairs++;
	}
}

static void plan(
	struct binding *b, const struct transition *t, const union address *address, unsigned workers)
{
	static const struct ip any6 = {.family = 6}, any4 = {.family = 4};

	*b = (struct binding){.workers = workers};
	if (address_is_wildcard(address)) {
		address_set(&b->addresses[b->needed++], &any4, address_port(address));
		if (socket_has_ipv6())
			address_set(&b->addresses[b->needed++], &any6, address_port(address));
		b->pairs = b->needed;
		add_local(b, t, address_port(address));
	} else {
		b->addresses[0] = *address;
		b->needed = b->pairs = 1;
	}
	for (unsigned f = 0; f < b->pairs; f++) {
		b->udp[f] = memory_alloc(workers * sizeof(int));
		b->tcp[f] = memory_alloc(workers * sizeof(int));
		memset(b->udp[f], -1, workers * sizeof(int));
		memset(b->tcp[f], -1, workers * sizeof(int));
	}
}

static void unbind_one(struct binding *b, unsigned at)
{
	for (unsigned w = 0; w < b->workers; w++) {
		if (b->udp[at][w] >= 0)
			close(b->udp[at][w]);
		if (b->tcp[at][w] >= 0)
			close(b->tcp[at][w]);
		b->udp[at][w] = b->tcp[at][w] = -1;
	}
}

static void unbind(struct binding *b)
{
	for (unsigned f = 0; f < b->pairs; f++)
		unbind_one(b, f);
}

static void finish(struct binding *b)
{
	for (unsigned f = 0; f < b->pairs; f++) {
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
	char reason[ERROR_REASON_MAX];

	return error_set(
		error, "%s: listen %s %s: bind: %s", call, protocol, text, error_reason(errno, reason));
}

/* Opens all sockets of one address. A port 0 becomes the one that the first socket got. */
static bool bind_pair(struct binding *b, unsigned at, const char *text, struct error *error)
{
	union address *address = &b->addresses[at];
	uint16_t port;

	for (unsigned w = 0; w < b->workers; w++) {
		b->tcp[at][w] = socket_tcp(address);
		if (b->tcp[at][w] < 0)
			return bind_error(error, "Listen", "tcp", text);
		if (!address_port(address) && socket_port(b->tcp[at][w], &port))
			for (unsigned f = 0; f < b->pairs; f++)
				set_port(&b->addresses[f], port);
		b->udp[at][w] = socket_udp(address);
		if (b->udp[at][w] < 0)
			return bind_error(error, "ListenPacket", "udp", text);
	}
	return true;
}

static bool bind_all(struct binding *b, const char *text, struct error *error)
{
	struct error ignored;

	for (unsigned f = 0; f < b->needed; f++)
		if (!bind_pair(b, f, text, error))
			return false;
	for (unsigned f = b->needed; f < b->pairs; f++)
		if (!bind_pair(b, f, text, &ignored))
			unbind_one(b, f);
	return true;
}

static bool bind_listener(struct binding *b, struct network_listener *listener, struct error *error)
{
	bool any_port = address_port(&listener->address) == 0;

	for (unsigned tries = any_port ? PORT_TRIES : 1; tries; tries--) {
		for (unsigned f = 0; f < b->pairs; f++)
			set_port(&b->addresses[f], address_port(&listener->address));
		if (bind_all(b, listener->text, error)) {
			set_port(&listener->address, address_port(&b->addresses[0]));
			return true;
		}
		unbind(b);
	}
	return false;
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
	network->workers = memory_zero(network->config.workers, sizeof(*network->workers));
	sem_init(&network->reports, 0, 0);
	return network;
}

static void destroy(struct network *network)
{
	sem_destroy(&network->reports);
	memory_free(network->workers);
	memory_free(network->asked);
	memory_free(network->listeners);
	memory_free(network);
}

/* The listener of the generation that is served whose sockets will do for this address. */
static size_t find_listener(
	const struct network *network, const struct transition *t, const union address *asked)
{
	for (size_t i = 0; i < network->listener_count; i++)
		if (t->kept[i] == NET_WORKER_NOWHERE && address_equal(&network->asked[i], asked))
			return i;
	return NET_WORKER_NOWHERE;
}

static bool bind_or_keep(
	const struct network *network, struct transition *t, size_t index, struct error *error)
{
	struct network_listener *listener = &t->listeners[index];
	size_t before = find_listener(network, t, &listener->address);

	if (before != NET_WORKER_NOWHERE) {
		t->kept[before] = index;
		listener->address = network->listeners[before].address;
		return true;
	}
	plan(&t->bindings[index], t, &listener->address, network->config.workers);
	return bind_listener(&t->bindings[index], listener, error);
}

static void plan_transition(
	const struct network *network, const struct network_generation *next, struct transition *ret)
{
	size_t count = next->listener_count;

	*ret = (struct transition){.listener_count = count};
	ret->listeners = memory_alloc(count * sizeof(*ret->listeners));
	ret->asked = memory_alloc(count * sizeof(*ret->asked));
	ret->bindings = memory_zero(count, sizeof(*ret->bindings));
	ret->kept = memory_alloc(network->listener_count * sizeof(*ret->kept));
	memset(ret->kept, 0xff, network->listener_count * sizeof(*ret->kept)); /* NET_WORKER_NOWHERE */
	for (size_t i = 0; i < count; i++) {
		ret->listeners[i] = next->listeners[i];
		ret->asked[i] = next->listeners[i].address;
		complete(&ret->listeners[i], &network->config);
	}
}

static void free_transition(struct transition *t)
{
	for (size_t i = 0; i < t->listener_count; i++)
		finish(&t->bindings[i]);
	memory_free(t->bindings);
	memory_free(t->kept);
}

/* Binds every listener that is new, or none. */
static bool bind_new(const struct network *network, struct transition *t, struct error *error)
{
	for (size_t i = 0; i < t->listener_count; i++) {
		if (bind_or_keep(network, t, i, error))
			continue;
		for (size_t bound = 0; bound <= i; bound++)
			unbind(&t->bindings[bound]);
		return false;
	}
	return true;
}

static size_t count_sockets(const struct transition *t)
{
	size_t count = 0;

	for (size_t i = 0; i < t->listener_count; i++)
		count += t->bindings[i].pairs;
	return count;
}

/* What one worker gets of the new sockets. */
static void share_out(const struct transition *t, unsigned worker, struct net_change *ret)
{
	struct net_sockets *sockets = memory_alloc(count_sockets(t) * sizeof(*sockets));

	ret->sockets = sockets;
	ret->kept = t->kept;
	ret->listeners = t->listeners;
	for (size_t i = 0; i < t->listener_count; i++) {
		const struct binding *b = &t->bindings[i];

		for (unsigned f = 0; f < b->pairs; f++)
			if (b->udp[f][worker] >= 0)
				sockets[ret->socket_count++] = (struct net_sockets){.listener = i,
					.address = b->addresses[f],
					.udp = b->udp[f][worker],
					.tcp = b->tcp[f][worker]};
	}
}

static void await_reports(struct network *network)
{
	for (unsigned w = 0; w < network->config.workers; w++)
		while (sem_wait(&network->reports) != 0)
			;
}

typedef void tell_function(struct network *network, unsigned worker, const struct net_change *change);

static void start_worker(struct network *network, unsigned worker, const struct net_change *first)
{
	net_worker_init(&network->workers[worker], worker, &network->config, &network->reports);
	net_worker_start(&network->workers[worker], first);
}

static void change_worker(struct network *network, unsigned worker, const struct net_change *change)
{
	net_worker_change(&network->workers[worker], change);
}

/* Has every worker make the change, and waits until they have. */
static void carry_out(struct network *network, const struct transition *t,
	const struct network_generation *next, tell_function *tell)
{
	unsigned workers = network->config.workers;
	struct net_change *changes = memory_zero(workers, sizeof(*changes));

	for (unsigned w = 0; w < workers; w++) {
		changes[w].generation = next;
		share_out(t, w, &changes[w]);
		tell(network, w, &changes[w]);
	}
	await_reports(network);
	for (unsigned w = 0; w < workers; w++)
		memory_free((void *)changes[w].sockets);
	memory_free(changes);
}

static bool serve(struct network *network, const struct network_generation *next, tell_function *tell,
	struct error *error)
{
	struct transition t;
	bool ok;

	plan_transition(network, next, &t);
	ok = bind_new(network, &t, error);
	if (ok) {
		carry_out(network, &t, next, tell);
		memory_free(network->listeners);
		memory_free(network->asked);
		network->listeners = t.listeners;
		network->asked = t.asked;
		network->listener_count = t.listener_count;
	} else {
		memory_free(t.listeners);
		memory_free(t.asked);
	}
	free_transition(&t);
	return ok;
}

struct network *network_start(
	const struct network_config *config, const struct network_generation *first, struct error *error)
{
	struct network *network = create(config);

	if (serve(network, first, start_worker, error))
		return network;
	destroy(network);
	return NULL;
}

bool network_switch(struct network *network, const struct network_generation *next, struct error *error)
{
	return serve(network, next, change_worker, error);
}

void network_retire(struct network *network, int64_t grace_ns)
{
	for (unsigned w = 0; w < network->config.workers; w++)
		net_worker_retire(&network->workers[w], grace_ns);
	await_reports(network);
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
