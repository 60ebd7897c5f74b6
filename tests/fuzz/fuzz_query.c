/* Any octets as a packet, over UDP or TCP, to a whole chain: errors, log, search, cache, kubernetes with a
 * small table, and an upstream that answers, waits, drops or never existed. What comes out has to be a
 * message of the right size. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "svcdns/chain.h"
#include "svcdns/clock.h"
#include "svcdns/corefile.h"
#include "svcdns/memory.h"
#include "svcdns/query.h"
#include "svcdns/registry.h"
#include "svcdns/router.h"
#include "svcdns/setup.h"
#include "svcdns/worker.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char corefile_text[] =
	". {\nerrors {\nconsolidate 1h .*\n}\nsearch {\nnamespace shop\nfrom client\n}\n"
	"cache 30 {\nprefetch 1\nserve_stale\n}\n"
	"kubernetes cluster.local in-addr.arpa ip6.arpa {\ntable %s\npods verified\nzonal\n"
	"fallthrough in-addr.arpa\n}\n}\n";
static const char table_text[] =
	"{apiVersion: v1, kind: List, items: [\n"
	"{apiVersion: v1, kind: Namespace, metadata: {name: shop}},\n"
	"{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop}, spec: {clusterIP: "
	"10.96.0.1,\n"
	" clusterIPs: [10.96.0.1, 'fd00::1'], ports: [{name: http, port: 80}]}},\n"
	"{apiVersion: v1, kind: Service, metadata: {name: db, namespace: shop}, spec: {clusterIP: None,\n"
	" clusterIPs: [None], ports: [{name: pg, port: 5432}]}},\n"
	"{apiVersion: v1, kind: Service, metadata: {name: ext, namespace: shop}, spec: {type: ExternalName,\n"
	" externalName: www.example.com}},\n"
	"{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: IPv4, metadata: {name: db-1,\n"
	" namespace: shop, labels: {kubernetes.io/service-name: db}}, endpoints: [{addresses: [10.1.0.1],\n"
	" hostname: db-0, zone: a.b}, {addresses: [10.1.0.2]}], ports: [{name: pg, port: 5432}]},\n"
	"{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: shop}, status: {podIP: 10.1.0.1}}]}\n";

static struct corefile corefile;
static struct worker worker;
static struct chain chain;
static struct router router;
static struct request *waiting;
static unsigned behaviour; /* of the upstream, chosen by the input */

/* Answers in the way the input asks for; a request that waits is resumed by the fuzz target. */
static enum verdict upstream(void *self, struct request *r)
{
	(void)self;
	switch (behaviour % 5) {
	case 0:
		request_reply(r, RCODE_NOERROR, FLAG_RA);
		writer_u16(&r->reply, WRITER_QUESTION);
		writer_address(&r->reply, SECTION_ANSWER, (const uint8_t *)"abcd", 4, CLASS_IN, 7);
		return VERDICT_ANSWERED;
	case 1:
		waiting = r;
		return VERDICT_PENDING;
	case 2:
		return VERDICT_DROP;
	case 3:
		return request_fail(r, RCODE_SERVFAIL, "no upstream");
	default:
		return VERDICT_NEXT;
	}
}

static const struct plugin plugin_upstream = {.name = "upstream", .takes_any_class = true, .serve = upstream};

static void add_link(const struct plugin *plugin, void *self)
{
	chain.links = memory_resize(chain.links, (chain.count + 1) * sizeof(*chain.links));
	chain.links[chain.count++] = (struct link){.plugin = plugin, .self = self};
}

static void set_up(const struct registration *registration, struct setup *setup, struct error *error)
{
	const struct directive *directive = corefile.blocks->directives;
	void *config;

	while (directive && strcmp(directive->name, registration->name) != 0)
		directive = directive->next;
	if (!directive)
		return;
	setup->plugin = registration->plugin;
	setup->directive = directive;
	config = registration->plugin->setup(setup, error);
	if (!config || (registration->plugin->open && !registration->plugin->open(config, error)))
		abort();
	add_link(registration->plugin,
		registration->plugin->start ? registration->plugin->start(config, &worker) : config);
}

static void build(const char *table_path)
{
	static struct bind no_bind;
	struct setup setup = {.bind = &no_bind};
	struct route *route = memory_zero(1, sizeof(*route));
	struct error error = {""};
	char text[2048];

	snprintf(text, sizeof(text), corefile_text, table_path);
	if (!corefile_parse(&corefile, "Corefile", text, strlen(text), registry_knows, &error))
		abort();
	setup.arena = &corefile.arena;
	zones_add(&setup.zones, setup.arena, ".");
	worker_init(&worker, 0, NULL);
	worker.now = clock_monotonic();
	for (const struct registration *r = registry; r->name; r++)
		set_up(r, &setup, &error);
	add_link(&plugin_upstream, NULL);
	chain_lay_out(&chain);
	route->zone = setup.zones.names[0];
	route->chain = &chain;
	router_init(&router, route, 1);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char path[] = "/tmp/svcdns-fuzz-XXXXXX.yaml";
	int fd = mkstemps(path, 5);

	(void)argc;
	(void)argv;
	if (fd < 0 || write(fd, table_text, sizeof(table_text) - 1) != sizeof(table_text) - 1)
		abort();
	close(fd);
	build(path);
	unlink(path);
	return 0;
}

static void check_reply(const struct request *r)
{
	size_t length = r->reply.length;

	if (length < MESSAGE_HEADER || length > MESSAGE_MAX || !(r->wire[2] & 0x80))
		abort();
	if (r->transport == TRANSPORT_UDP && length > 512 && !(r->edns.present && length <= r->edns.payload))
		abort();
}

static void deliver(struct request *r, enum verdict verdict)
{
	if (verdict == VERDICT_ANSWERED)
		check_reply(r);
	request_release(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct request *r;
	enum verdict verdict;

	if (size < 2 || size > 4098)
		return 0;
	behaviour = data[0];
	worker.now += data[1] * CLOCK_S;
	r = request_take(&worker);
	r->router = &router;
	r->transport = data[0] & 0x80 ? TRANSPORT_TCP : TRANSPORT_UDP;
	r->client.in = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a010001)};
	r->local = r->client;
	r->received = worker.now;
	r->deliver = deliver;
	memcpy(r->wire, data + 2, size - 2);
	waiting = NULL;
	verdict = query_answer(r, size - 2);
	if (verdict != VERDICT_PENDING)
		deliver(r, verdict);
	while (waiting) {
		struct request *next = waiting;

		waiting = NULL;
		behaviour = data[0] >> 3;
		if (behaviour % 5 == 1)
			behaviour = 0;
		request_resume(next, upstream(NULL, next));
	}
	return 0;
}
