/* A query allocates nothing: whole chains of plugins are asked everything they can be asked, while every call
 * of malloc() and its like on this thread is counted, those within libraries included.
 *
 * The counters stand in for the C library's functions, or are called by the sanitizer that has done so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <uv.h>

#include <cmocka.h>

#include "../support/whole_chain.h"
#include "svcdns/query.h"

#define ROUNDS_BEFORE                                                                                        \
	3 /* the pool of requests, the cache and the matcher of errors have all they need then */
#define ROUNDS 500

static _Thread_local bool is_counting;
static _Thread_local size_t allocations, frees;

static void on_allocation(void)
{
	allocations += is_counting;
}

static void on_free(void)
{
	frees += is_counting;
}

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HAS_SANITIZER
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAS_SANITIZER
#endif

#ifdef HAS_SANITIZER
int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *block, size_t size),
	void (*on_free)(const volatile void *block));

static void malloc_hook(const volatile void *block, size_t size)
{
	(void)block;
	(void)size;
	on_allocation();
}

static void free_hook(const volatile void *block)
{
	(void)block;
	on_free();
}

static int install_hooks(void **state)
{
	(void)state;
	return __sanitizer_install_malloc_and_free_hooks(malloc_hook, free_hook) ? 0 : -1;
}
#else
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void __libc_free(void *block);

void *malloc(size_t size)
{
	on_allocation();
	return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	on_allocation();
	return __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
	on_allocation();
	return __libc_realloc(old, size);
}

void free(void *block)
{
	on_free();
	__libc_free(block);
}

static int install_hooks(void **state)
{
	(void)state;
	return 0;
}
#endif

/* The worlds that are asked. */

static const char corefile[] = ". {\n"
			       "prometheus 127.0.0.1:0\n"
			       "errors {\nconsolidate 1h .*\n}\n"
			       "search {\nnamespace shop\nfrom client\n}\n"
			       "cache 30\n"
			       "hosts /dev/null {\n10.9.9.9 machine.test\nfallthrough\n}\n"
			       "kubernetes cluster.local in-addr.arpa ip6.arpa {\n"
			       "table %s\npods verified\nzonal\nfallthrough in-addr.arpa ip6.arpa\n}\n"
			       "forward nobody.asks.this.test 127.0.0.1:9\n"
			       "}\n";

static const char table[] =
	"{apiVersion: v1, kind: List, items: [\n"
	"{apiVersion: v1, kind: Namespace, metadata: {name: shop}},\n"
	"{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop}, spec: {\n"
	" clusterIP: 10.96.0.1, clusterIPs: [10.96.0.1, 'fd00::1'], ports: [{name: http, port: 80}]}},\n"
	"{apiVersion: v1, kind: Service, metadata: {name: db, namespace: shop}, spec: {clusterIP: None,\n"
	" clusterIPs: [None], ports: [{name: pg, port: 5432}]}},\n"
	"{apiVersion: v1, kind: Service, metadata: {name: inside, namespace: shop}, spec: {\n"
	" type: ExternalName, externalName: web.shop.svc.cluster.local}},\n"
	"{apiVersion: v1, kind: Service, metadata: {name: outside, namespace: shop}, spec: {\n"
	" type: ExternalName, externalName: www.example.com}},\n"
	"{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: IPv4, metadata: {name: db-1,\n"
	" namespace: shop, labels: {kubernetes.io/service-name: db}}, endpoints: [{addresses: [10.1.0.1],\n"
	" hostname: db-0, zone: a}, {addresses: [10.1.0.2]}], ports: [{name: pg, port: 5432}]},\n"
	"{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: shop}, status: {podIP: 10.1.0.1}}]}\n";

/* The outside: an address for all names, none for those that begin with n, a failure for those with f. */
static enum verdict serve_outside(void *self, struct request *r)
{
	unsigned *asked = self;

	++*asked;
	if (r->question.name.wire[1] == 'f')
		return request_fail(r, RCODE_SERVFAIL, "nobody is there");
	request_reply(r, r->question.name.wire[1] == 'n' ? RCODE_NXDOMAIN : RCODE_NOERROR, FLAG_RA);
	if (r->rcode == RCODE_NOERROR) {
		writer_u16(&r->reply, WRITER_QUESTION);
		writer_address(&r->reply, SECTION_ANSWER, (const uint8_t *)"\12\0\0\1", 4, CLASS_IN, 7);
		return VERDICT_ANSWERED;
	}
	writer_u8(&r->reply, 0);
	writer_open(&r->reply, SECTION_AUTHORITY, TYPE_SOA, CLASS_IN, 60);
	writer_bytes(&r->reply, "\0\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\5", 22);
	writer_close(&r->reply);
	return VERDICT_ANSWERED;
}

static const struct plugin plugin_outside = {
	.name = "outside", .takes_any_class = true, .serve = serve_outside};

struct world {
	uv_loop_t loop;
	struct whole_chain whole;
	unsigned asked; /* the outside */
	char table[64]; /* path */
};

static int start_world(void **state)
{
	struct world *world = memory_zero(1, sizeof(*world));
	char text[1024];

	whole_chain_write_table(table, world->table);
	snprintf(text, sizeof(text), corefile, world->table);
	uv_loop_init(&world->loop);
	whole_chain_start(&world->whole, text, &world->loop, &plugin_outside, &world->asked);
	*state = world;
	return 0;
}

static int stop_world(void **state)
{
	struct world *world = *state;

	whole_chain_stop(&world->whole);
	uv_run(&world->loop, UV_RUN_DEFAULT);
	whole_chain_finish(&world->whole);
	uv_loop_close(&world->loop);
	unlink(world->table);
	memory_free(world);
	return 0;
}

enum { OVER_TCP = 1, WITH_OPT = 2, OF_VERSION_1 = 4, OF_CLASS_CHAOS = 8, AS_STATUS = 16 };

struct query {
	const char *name; /* NULL: a header and nothing else */
	uint16_t type;
	unsigned how;
	uint16_t rcode, answers; /* of the reply */
};

static const struct query queries[] = {
	/* kubernetes */
	{"web.shop.svc.cluster.local", TYPE_A, 0, RCODE_NOERROR, 1},
	{"WEB.shop.SVC.cluster.local", TYPE_AAAA, WITH_OPT, RCODE_NOERROR, 1},
	{"db.shop.svc.cluster.local", TYPE_A, OVER_TCP, RCODE_NOERROR, 2},
	{"db-0.db.shop.svc.cluster.local", TYPE_A, 0, RCODE_NOERROR, 1},
	{"a._zone.db.shop.svc.cluster.local", TYPE_A, 0, RCODE_NXDOMAIN, 0},
	{"_pg._tcp.db.shop.svc.cluster.local", TYPE_SRV, WITH_OPT, RCODE_NOERROR, 2},
	{"_http._tcp.web.shop.svc.cluster.local", TYPE_SRV, 0, RCODE_NOERROR, 1},
	{"10-1-0-1.shop.pod.cluster.local", TYPE_A, 0, RCODE_NOERROR, 1},
	{"1.0.96.10.in-addr.arpa", TYPE_PTR, 0, RCODE_NOERROR, 1},
	{"1.0.1.10.in-addr.arpa", TYPE_PTR, 0, RCODE_NOERROR, 1},
	{"inside.shop.svc.cluster.local", TYPE_A, 0, RCODE_NOERROR, 2},
	{"outside.shop.svc.cluster.local", TYPE_A, 0, RCODE_NOERROR, 2},
	{"outside.shop.svc.cluster.local", TYPE_CNAME, 0, RCODE_NOERROR, 1},
	{"cluster.local", TYPE_SOA, 0, RCODE_NOERROR, 1},
	{"cluster.local", TYPE_NS, 0, RCODE_NOERROR, 1},
	{"dns-version.cluster.local", TYPE_TXT, 0, RCODE_NOERROR, 1},
	{"web.shop.svc.cluster.local", 15, 0, RCODE_NOERROR, 0},
	{"absent.shop.svc.cluster.local", TYPE_A, 0, RCODE_NXDOMAIN, 0},
	/* search: found at the first, second and last try; not at all */
	{"web", TYPE_A, 0, RCODE_NOERROR, 2},
	{"web", TYPE_AAAA, OVER_TCP | WITH_OPT, RCODE_NOERROR, 2},
	{"web.shop", TYPE_A, 0, RCODE_NOERROR, 2},
	{"web.shop.svc", TYPE_A, 0, RCODE_NOERROR, 2},
	{"outside", TYPE_A, 0, RCODE_NOERROR, 3},
	{"nowhere", TYPE_A, 0, RCODE_NXDOMAIN, 0},
	{"www.example.com", TYPE_A, 0, RCODE_NOERROR, 1},
	{"failing", TYPE_A, 0, RCODE_SERVFAIL, 0},
	/* hosts, cache */
	{"machine.test", TYPE_A, 0, RCODE_NOERROR, 1},
	{"a.name.with.many.labels.test", TYPE_A, 0, RCODE_NOERROR, 1},
	{"a.NAME.with.many.labels.test", TYPE_A, WITH_OPT, RCODE_NOERROR, 1},
	{"no.name.with.many.labels.test", TYPE_A, 0, RCODE_NXDOMAIN, 0},
	{"failing.name.with.many.labels.test", TYPE_A, 0, RCODE_SERVFAIL, 0},
	{"4.3.2.1.in-addr.arpa", TYPE_A, 0, RCODE_NOERROR, 1},
	/* what is refused */
	{"web.shop.svc.cluster.local", TYPE_AXFR, 0, RCODE_REFUSED, 0},
	{"web.shop.svc.cluster.local", TYPE_A, OF_CLASS_CHAOS, RCODE_NOERROR, 1},
	{"web.shop.svc.cluster.local", TYPE_A, WITH_OPT | OF_VERSION_1, RCODE_BADVERS & 15, 0},
	{"web.shop.svc.cluster.local", TYPE_A, AS_STATUS, RCODE_NOTIMP, 0},
	{NULL, TYPE_A, 0, RCODE_SERVFAIL, 0},
};

static size_t write_query(const struct query *query, uint8_t *wire)
{
	uint8_t opt[] = {0, 0, TYPE_OPT, 4, 208, 0, !!(query->how & OF_VERSION_1), 0, 0, 0, 0};
	struct name name;
	struct writer w;

	writer_init(&w, wire, 0, 1024);
	writer_u16(&w, 0x1234);
	writer_u16(&w, query->how & AS_STATUS ? 2 << 11 : FLAG_RD);
	writer_u16(&w, 1);
	writer_u32(&w, 0);
	writer_u16(&w, !!(query->how & WITH_OPT));
	if (!query->name)
		return w.length;
	assert_true(name_from_text(query->name, &name));
	writer_bytes(&w, name.wire, name.length);
	writer_u16(&w, query->type);
	writer_u16(&w, query->how & OF_CLASS_CHAOS ? 3 : CLASS_IN);
	if (query->how & WITH_OPT)
		writer_bytes(&w, opt, sizeof(opt));
	return w.length;
}

static void deliver(struct request *r, enum verdict verdict)
{
	(void)r;
	(void)verdict;
	fail_msg("nothing waits here");
}

/* What the worker does with a query, counted, and what came of it. */
static enum verdict answer(
	struct whole_chain *whole, const struct query *query, uint16_t *ret_rcode, uint16_t *ret_answers)
{
	struct request *r;
	enum verdict verdict;

	is_counting = true;
	r = request_take(&whole->worker);
	r->router = &whole->router;
	r->transport = query->how & OVER_TCP ? TRANSPORT_TCP : TRANSPORT_UDP;
	r->client.in = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a010001)};
	r->local = r->client;
	r->received = whole->worker.now;
	r->deliver = deliver;
	verdict = query_answer(r, write_query(query, r->wire));
	*ret_rcode = message_flags(r->wire) & FLAG_RCODE;
	*ret_answers = message_count(r->wire, 1);
	request_release(r);
	whole_chain_refresh(whole);
	is_counting = false;
	return verdict;
}

static void ask(struct whole_chain *whole, const struct query *query)
{
	const char *name = query->name ? query->name : "a header";
	size_t before = allocations + frees;
	uint16_t rcode, answers;

	assert_int_equal(answer(whole, query, &rcode, &answers), VERDICT_ANSWERED);
	if (rcode != query->rcode || answers != query->answers)
		fail_msg("%s: rcode %u, %u answers", name, rcode, answers);
	if (allocations + frees != before)
		print_message("%s: %zu\n", name, allocations + frees - before);
}

static void ask_everything(struct whole_chain *whole)
{
	for (size_t i = 0; i < ARRAY_LENGTH(queries); i++)
		ask(whole, &queries[i]);
}

static void test_that_the_counters_count(void **state)
{
	void *volatile block;

	(void)state;
	allocations = frees = 0;
	is_counting = true;
	block = memory_alloc(10);
	block = memory_resize(block, 100000);
	memory_free(block);
	block = memory_zero(10, 10);
	memory_free(block);
	is_counting = false;
	assert_true(allocations >= 3);
	assert_true(frees >= 2);
}

static void test_that_a_query_allocates_nothing(void **state)
{
	struct world *world = *state;
	unsigned requests, asked;

	for (unsigned i = 0; i < ROUNDS_BEFORE; i++)
		ask_everything(&world->whole);
	requests = world->whole.worker.requests;
	asked = world->asked;
	allocations = frees = 0;
	for (unsigned i = 0; i < ROUNDS; i++)
		ask_everything(&world->whole);
	assert_int_equal(allocations, 0);
	assert_int_equal(frees, 0);
	assert_int_equal(world->whole.worker.requests, requests); /* nothing was mapped either */
	/* All but the two failures came from memory. */
	assert_int_equal(world->asked - asked, 2 * ROUNDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_that_the_counters_count),
		cmocka_unit_test_setup_teardown(test_that_a_query_allocates_nothing, start_world, stop_world),
	};

	return cmocka_run_group_tests(tests, install_hooks, NULL);
}
