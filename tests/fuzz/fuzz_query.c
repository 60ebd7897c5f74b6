/* Any octets as a packet, over UDP or TCP, to a whole chain: errors, log, search, cache, kubernetes with a
 * small table, and an upstream that answers, waits, drops or never existed. What comes out has to be a
 * message of the right size. */
#include "../support/whole_chain.h"
#include "svcdns/query.h"

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

static struct whole_chain whole;
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

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char path[64], text[2048];

	(void)argc;
	(void)argv;
	whole_chain_write_table(table_text, path);
	snprintf(text, sizeof(text), corefile_text, path);
	whole_chain_start(&whole, text, NULL, &plugin_upstream, NULL);
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
	whole.worker.now += data[1] * CLOCK_S;
	r = request_take(&whole.worker);
	r->router = &whole.router;
	r->transport = data[0] & 0x80 ? TRANSPORT_TCP : TRANSPORT_UDP;
	r->client.in = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a010001)};
	r->local = r->client;
	r->received = whole.worker.now;
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
