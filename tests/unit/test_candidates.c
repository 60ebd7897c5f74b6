/* Candidates: what kubernetes rules out without being asked is what it answers NXDOMAIN, and who else has a
 * say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <uv.h>

#include "../support/whole_chain.h"

#define TABLE                                                                                                \
	"apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n---\n"                                     \
	"apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\n"                            \
	"spec: {clusterIP: 10.96.0.1, ports: [{name: http, port: 80}]}\n---\n"                               \
	"apiVersion: v1\nkind: Service\nmetadata: {name: outside, namespace: shop}\n"                        \
	"spec: {type: ExternalName, externalName: www.example.org}\n---\n"                                   \
	"apiVersion: v1\nkind: Service\nmetadata: {name: hidden, namespace: absent}\n"                       \
	"spec: {clusterIP: 10.96.0.2, ports: [{name: http, port: 80}]}\n"

struct site {
	struct whole_chain whole;
	struct request *parent;
	uv_loop_t loop;
	char table[64];
};

static enum verdict serve_rest(void *self, struct request *r)
{
	(void)self;
	request_reply(r, RCODE_REFUSED, 0);
	return VERDICT_ANSWERED;
}

static const struct plugin rest = {.name = "rest", .serve = serve_rest};

/* errors stands first: it is the one that asks. */
static void start(struct site *site, const char *between, const char *options)
{
	char corefile[1024];

	whole_chain_write_table(TABLE, site->table);
	snprintf(corefile, sizeof(corefile),
		". {\nerrors\n%s\nkubernetes cluster.local 96.10.in-addr.arpa {\ntable %s\n%s\n}\n}\n",
		between, site->table, options);
	uv_loop_init(&site->loop);
	whole_chain_start(&site->whole, corefile, &site->loop, &rest, NULL);
	site->parent = request_own(&site->whole.worker, &(struct name){.length = 1}, TYPE_A);
	site->parent->router = &site->whole.router;
	site->parent->route = site->whole.router.routes;
	site->parent->chain = &site->whole.chain;
	site->parent->position = 0;
}

static void finish(struct site *site)
{
	request_release(site->parent);
	whole_chain_stop(&site->whole);
	uv_run(&site->loop, UV_RUN_DEFAULT);
	whole_chain_finish(&site->whole);
	uv_loop_close(&site->loop);
	unlink(site->table);
}

static bool is_ruled_out(struct site *site, const char *name, uint16_t type, uint16_t *ret_rcode)
{
	struct request *candidate = request_candidate(site->parent, type);
	bool is_out;

	assert_true(name_from_text(name, &candidate->question.name));
	is_out = request_is_ruled_out(candidate);
	assert_int_equal(request_ask_below(candidate), VERDICT_ANSWERED);
	*ret_rcode = candidate->rcode;
	request_release(candidate);
	return is_out;
}

static const struct {
	const char *name;
	bool is_out;
} names[] = {
	{"absent.shop.svc.cluster.local.", true},
	{"web.absent.svc.cluster.local.", true},
	{"x.absent.shop.svc.cluster.local.", true},
	{"_http._tcp.absent.shop.svc.cluster.local.", true},
	{"a.b.c.d.web.shop.svc.cluster.local.", true},
	{"web.shop.cluster.local.", true},
	{"web.cluster.local.", true},
	{"web.shop.svc.cluster.local.", false},
	{"_http._tcp.web.shop.svc.cluster.local.", false},
	{"outside.shop.svc.cluster.local.", false},
	{"shop.svc.cluster.local.", false},
	{"svc.cluster.local.", false},
	{"cluster.local.", false},
	{"ns.dns.cluster.local.", false},
	{"10-0-0-1.shop.pod.cluster.local.", false},
	{"web.shop.svc.example.org.", false},
	{".", false},
};

static void test_names(void **state)
{
	struct site site;
	uint16_t rcode;

	(void)state;
	start(&site, "", "pods insecure");
	for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
		bool is_out = is_ruled_out(&site, names[i].name, TYPE_A, &rcode);

		if (is_out != names[i].is_out || (is_out && rcode != RCODE_NXDOMAIN))
			fail_msg("%s: %d, rcode %u", names[i].name, is_out, rcode);
		assert_int_equal(is_ruled_out(&site, names[i].name, TYPE_AAAA, &rcode), is_out);
	}
	finish(&site);
}

/* Those of other types may exist where addresses do not: "dns-version" has a TXT record. */
static void test_other_types(void **state)
{
	static const uint16_t types[] = {TYPE_TXT, TYPE_PTR, TYPE_SOA, TYPE_NS, TYPE_SRV};
	struct site site;
	uint16_t rcode;

	(void)state;
	start(&site, "", "");
	for (size_t i = 0; i < ARRAY_LENGTH(types); i++)
		assert_false(is_ruled_out(&site, "dns-version.cluster.local.", types[i], &rcode));
	assert_false(is_ruled_out(&site, "1.0.96.10.in-addr.arpa.", TYPE_PTR, &rcode));
	assert_int_equal(rcode, RCODE_NOERROR);
	finish(&site);
}

static void check_absent(const char *between, const char *options, bool is_out, uint16_t rcode)
{
	struct site site;
	uint16_t found;

	start(&site, between, options);
	assert_int_equal(is_ruled_out(&site, "absent.shop.svc.cluster.local.", TYPE_A, &found), is_out);
	assert_int_equal(found, rcode);
	finish(&site);
}

/* cache, header and minimal have no names of their own; acl and hosts may know better than kubernetes. */
static void test_plugins_between(void **state)
{
	(void)state;
	check_absent("cache 30\nheader {\nresponse set ra\n}\nminimal", "", true, RCODE_NXDOMAIN);
	check_absent("acl {\nblock\n}", "", false, RCODE_REFUSED);
	check_absent(
		"hosts /dev/null {\n192.0.2.1 absent.shop.svc.cluster.local\n}", "", false, RCODE_NOERROR);
}

static void test_fallthrough(void **state)
{
	(void)state;
	check_absent("", "fallthrough", false, RCODE_REFUSED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_other_types),
		cmocka_unit_test(test_plugins_between),
		cmocka_unit_test(test_fallthrough),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
