/* search: which names are asked in which order, what comes back, and what is left alone. Below it stands a
 * plugin that knows a few names; every case is run with answers at once and with answers that come later. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../support/plugin_lab.h"

extern const struct plugin plugin_search;

#define CLUSTER                                                                                              \
	"search {\n"                                                                                         \
	"namespace default\n"                                                                                \
	"}"

/* What exists below: names with one address, TTL 5, and a SOA record, TTL 60, for all other questions. */
struct world {
	const char *names;  /* that exist, a blank behind each */
	const char *broken; /* that fail */
	uint16_t flags;	    /* of its answers */
	bool is_late;
	char asked[1024];
	struct request *waiting;
};

static bool holds(const char *names, const char *name)
{
	char word[NAME_TEXT_MAX + 1];

	snprintf(word, sizeof(word), "%s ", name);
	return names && strstr(names, word);
}

static void answer(const struct world *world, struct request *r)
{
	char text[NAME_TEXT_MAX];

	name_to_text(&r->question.name, text);
	if (holds(world->broken, text)) {
		request_fail(r, RCODE_SERVFAIL, "cannot reach anybody");
		return;
	}
	request_reply(r, holds(world->names, text) ? RCODE_NOERROR : RCODE_NXDOMAIN, world->flags);
	if (r->rcode == RCODE_NOERROR && r->question.type == TYPE_A) {
		writer_u16(&r->reply, WRITER_QUESTION);
		writer_address(&r->reply, SECTION_ANSWER, (const uint8_t *)"\12\0\0\1", 4, CLASS_IN, 5);
		return;
	}
	writer_u8(&r->reply, 0);
	writer_open(&r->reply, SECTION_AUTHORITY, TYPE_SOA, CLASS_IN, 60);
	writer_bytes(&r->reply, "\0\0", 2);
	writer_bytes(&r->reply, "\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\5", 20);
	writer_close(&r->reply);
}

static enum verdict serve_world(void *self, struct request *r)
{
	struct world *world = self;
	char text[NAME_TEXT_MAX];
	size_t length = strlen(world->asked);

	name_to_text(&r->question.name, text);
	snprintf(world->asked + length, sizeof(world->asked) - length, "%s ", text);
	world->waiting = r;
	if (world->is_late)
		return VERDICT_PENDING;
	answer(world, r);
	return VERDICT_ANSWERED;
}

static bool find_namespace(void *self, const struct ip *client, uint8_t ret_label[63], uint8_t *ret_length)
{
	(void)self;
	if (client->family != 4 || client->bytes[3] != 7)
		return false;
	memcpy(ret_label, "shop", 4);
	*ret_length = 4;
	return true;
}

static const struct plugin plugin_world = {
	.name = "world", .serve = serve_world, .find_namespace = find_namespace};

static void start(struct lab *lab, const char *directive, struct world *world)
{
	const struct link links[] = {{0}, {&plugin_world, world, 0}};

	if (!lab_read(lab, &plugin_search, directive))
		fail_msg("%s", lab->error.message);
	lab_start(lab, links, ARRAY_LENGTH(links));
}

/* Asks, and lets the world answer as long as it is asked. */
static const char *ask(struct lab *lab, struct world *world, const char *name, uint16_t type, char out[1024])
{
	enum verdict verdict = lab_ask(lab, name, type);

	assert_int_equal(verdict, world->is_late ? VERDICT_PENDING : VERDICT_ANSWERED);
	while (world->is_late && lab->delivered == VERDICT_NEXT) {
		struct request *waiting = world->waiting;

		answer(world, waiting);
		request_resume(waiting, VERDICT_ANSWERED);
	}
	return lab_reply(lab, out, 1024);
}

struct look_up {
	const char *directive, *names, *broken;
	const char *name;
	uint16_t type;
	const char *asked, *reply, *error;
};

#define NS   "default.svc.cluster.local."
#define SVC  "svc.cluster.local."
#define ZONE "cluster.local."
#define SOA  " / . 60 SOA"

static const struct look_up look_ups[] = {
	/* A bare name, one with its namespace, one with "svc": each on its place in the list. */
	{CLUSTER, "web." NS " ", NULL, "web", TYPE_A, "web." NS " ",
		"NOERROR rd: web. 5 CNAME web." NS "; web." NS " 5 A 10.0.0.1", ""},
	{CLUSTER, "web.shop." SVC " ", NULL, "web.shop", TYPE_A, "web.shop." NS " web.shop." SVC " ",
		"NOERROR rd: web.shop. 5 CNAME web.shop." SVC "; web.shop." SVC " 5 A 10.0.0.1", ""},
	{CLUSTER, "web.shop.svc." ZONE " ", NULL, "web.shop.svc", TYPE_A,
		"web.shop.svc." NS " web.shop.svc." SVC " web.shop.svc." ZONE " ",
		"NOERROR rd: web.shop.svc. 5 CNAME web.shop.svc." ZONE "; web.shop.svc." ZONE " 5 A 10.0.0.1",
		""},
	/* The case of the question stays at the owner. */
	{CLUSTER, "web." NS " ", NULL, "WeB", TYPE_A, "web." NS " ",
		"NOERROR rd: WeB. 5 CNAME web." NS "; web." NS " 5 A 10.0.0.1", ""},
	/* No data: still the name for all types. The alias lives as long as the denial. */
	{CLUSTER, "web." NS " web. ", NULL, "web", TYPE_AAAA, "web." NS " ",
		"NOERROR rd: web. 60 CNAME web." NS SOA, ""},
	/* Nowhere on the list: the name as it is, and what is said of it. */
	{CLUSTER, "www.example. ", NULL, "www.example", TYPE_A,
		"www.example." NS " www.example." SVC " www.example." ZONE " www.example. ",
		"NOERROR rd: www.example. 5 A 10.0.0.1", ""},
	{CLUSTER, "", NULL, "web", TYPE_A, "web." NS " web." SVC " web." ZONE " web. ", "NXDOMAIN rd" SOA,
		""},

	/* As many dots as ndots: as it is first. */
	{"search {\nndots 1\nnamespace default\n}", "www.example. ", NULL, "www.example", TYPE_A,
		"www.example. ", "NOERROR rd: www.example. 5 A 10.0.0.1", ""},
	{"search {\nndots 1\nnamespace default\n}", "www.example. www.example." NS " ", NULL, "www.example",
		TYPE_AAAA, "www.example. ", "NOERROR rd" SOA, ""},
	{"search {\nndots 1\nnamespace default\n}", "web.shop." SVC " ", NULL, "Web.shop", TYPE_A,
		"web.shop. web.shop." NS " web.shop." SVC " ",
		"NOERROR rd: Web.shop. 5 CNAME web.shop." SVC "; web.shop." SVC " 5 A 10.0.0.1", ""},
	{"search {\nndots 1\nnamespace default\n}", "", NULL, "web.shop", TYPE_A,
		"web.shop. web.shop." NS " web.shop." SVC " web.shop." ZONE " ", "NXDOMAIN rd" SOA, ""},
	{"search {\nndots 0\ndomains a\n}", "web.a. ", NULL, "web", TYPE_A, "web. web.a. ",
		"NOERROR rd: web. 5 CNAME web.a.; web.a. 5 A 10.0.0.1", ""},

	/* Failures. A candidate that fails is passed over; if nothing is found then, nobody knows. */
	{CLUSTER, "web." SVC " ", "web." NS " ", "web", TYPE_A, "web." NS " web." SVC " ",
		"NOERROR rd: web. 5 CNAME web." SVC "; web." SVC " 5 A 10.0.0.1", ""},
	{CLUSTER, "", "web." SVC " web." ZONE " ", "web", TYPE_A, "web." NS " web." SVC " web." ZONE " web. ",
		"SERVFAIL rd", "plugin/search: no answer for web." SVC},
	{CLUSTER, "web. ", "web." NS " ", "web", TYPE_A, "web." NS " web." SVC " web." ZONE " web. ",
		"NOERROR rd: web. 5 A 10.0.0.1", ""},
	{CLUSTER, "", "web. ", "web", TYPE_A, "web." NS " web." SVC " web." ZONE " web. ", "SERVFAIL rd",
		"cannot reach anybody"},
	/* The name itself failed, or is denied: that stands if the list has nothing. */
	{"search {\nndots 1\ndomains a b\n}", "", "w.x. ", "w.x", TYPE_A, "w.x. w.x.a. w.x.b. ",
		"SERVFAIL rd", "cannot reach anybody"},
	{"search {\nndots 1\ndomains a b\n}", "w.x.b. ", "w.x. ", "w.x", TYPE_A, "w.x. w.x.a. w.x.b. ",
		"NOERROR rd: w.x. 5 CNAME w.x.b.; w.x.b. 5 A 10.0.0.1", ""},
	{"search {\nndots 1\ndomains a b\n}", "", "w.x.a. ", "w.x", TYPE_A, "w.x. w.x.a. w.x.b. ",
		"NXDOMAIN rd" SOA, ""},

	/* Any type is searched. */
	{CLUSTER, "_http._tcp.web." NS " ", NULL, "_http._tcp.web", TYPE_SRV, "_http._tcp.web." NS " ",
		"NOERROR rd: _http._tcp.web. 60 CNAME _http._tcp.web." NS SOA, ""},
	/* Left alone: what ends in a name of the list, names of addresses, the root, transfers, and the type
	 * of the loop plugin's question. */
	{CLUSTER, "", NULL, "web.default.svc.cluster.local", TYPE_A, "web." NS " ", "NXDOMAIN rd" SOA, ""},
	{CLUSTER, "", NULL, "a.CLUSTER.local", TYPE_A, "a." ZONE " ", "NXDOMAIN rd" SOA, ""},
	{CLUSTER, "", NULL, "cluster.local", TYPE_A, ZONE " ", "NXDOMAIN rd" SOA, ""},
	{CLUSTER, "", NULL, "10.in-addr.arpa", TYPE_PTR, "10.in-addr.arpa. ", "NXDOMAIN rd" SOA, ""},
	{CLUSTER, "", NULL, "0.ip6.arpa", TYPE_PTR, "0.ip6.arpa. ", "NXDOMAIN rd" SOA, ""},
	{CLUSTER, "", NULL, ".", TYPE_NS, ". ", "NXDOMAIN rd" SOA, ""},
	{CLUSTER, "", NULL, "web", TYPE_AXFR, "web. ", "NXDOMAIN rd" SOA, ""},
	{CLUSTER, "", NULL, "1.2", TYPE_HINFO, "1.2. ", "NXDOMAIN rd" SOA, ""},
	/* Zones: only names in them. */
	{"search corp {\ndomains a\n}", "", NULL, "web", TYPE_A, "web. ", "NXDOMAIN rd" SOA, ""},
	{"search corp {\ndomains a\n}", "", NULL, "web.corp", TYPE_A, "web.corp.a. web.corp. ",
		"NXDOMAIN rd" SOA, ""},
	/* Zone of the cluster; names in any case. */
	{"search {\nnamespace Shop K8s.Example\n}", "", NULL, "web", TYPE_A,
		"web.shop.svc.k8s.example. web.svc.k8s.example. web.k8s.example. web. ", "NXDOMAIN rd" SOA,
		""},
};

static void check_look_up(const struct look_up *t, bool is_late)
{
	struct world world = {.names = t->names, .broken = t->broken, .is_late = is_late};
	struct lab lab;
	char reply[1024];

	start(&lab, t->directive, &world);
	assert_string_equal(ask(&lab, &world, t->name, t->type, reply), t->reply);
	assert_string_equal(world.asked, t->asked);
	assert_string_equal(lab.request->error, t->error);
	lab_finish(&lab);
}

static void test_look_ups(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(look_ups); i++)
		check_look_up(&look_ups[i], false);
}

static void test_look_ups_that_wait(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(look_ups); i++)
		check_look_up(&look_ups[i], true);
}

static bool rules_out(void *self, struct request *r)
{
	const struct world *world = self;
	char text[NAME_TEXT_MAX];

	name_to_text(&r->question.name, text);
	return !holds(world->names, text);
}

static void look_ahead(void *self, struct request *r, unsigned step)
{
	(void)self, (void)r;
	assert_int_equal(step, 0);
}

/* Candidates that the plugin below rules out are not asked for; the name as it is always is. */
static void test_candidates_that_are_ruled_out(void **state)
{
	static const struct plugin knowing = {
		.name = "knowing", .look_ahead = look_ahead, .rules_out = rules_out, .serve = serve_world};
	struct world world = {.names = "web.x.svc.cluster.local. "};
	struct lab lab;
	char reply[1024];

	(void)state;
	assert_true(lab_read(&lab, &plugin_search, CLUSTER));
	lab_start(&lab, (const struct link[]){{0}, {&knowing, &world, 0}}, 2);
	ask(&lab, &world, "web.x.", TYPE_A, reply);
	assert_string_equal(world.asked, "web.x.svc.cluster.local. ");
	world.asked[0] = '\0';
	assert_string_equal(ask(&lab, &world, "absent.", TYPE_A, reply), "NXDOMAIN rd" SOA);
	assert_string_equal(world.asked, "absent. ");
	lab_finish(&lab);
}

/* What would be longer than 255 octets does not exist: those candidates are passed over. */
static void test_names_that_get_too_long(void **state)
{
#define LABEL60	  "123456789012345678901234567890123456789012345678901234567890"
#define LONG_NAME LABEL60 "." LABEL60 "." LABEL60 ".123456789012345678901234567890123456789012345678901234"
	struct world world = {0};
	struct lab lab;
	char reply[1024];

	(void)state;
	start(&lab, CLUSTER, &world);
	assert_string_equal(ask(&lab, &world, LONG_NAME, TYPE_A, reply), "NXDOMAIN rd" SOA);
	assert_string_equal(world.asked, LONG_NAME "." ZONE " " LONG_NAME ". ");
	lab_finish(&lab);
}

static void test_flags(void **state)
{
	struct world world = {.names = "web." NS " web.x. ", .flags = FLAG_AA | FLAG_TC | FLAG_RA | FLAG_AD};
	struct lab lab;
	char reply[1024];

	(void)state;
	start(&lab, "search {\nnamespace default\nndots 1\n}", &world);
	/* The alias is not signed: no ad. */
	assert_string_equal(ask(&lab, &world, "web", TYPE_A, reply),
		"NOERROR aa tc rd ra: web. 5 CNAME web." NS "; web." NS " 5 A 10.0.0.1");
	assert_string_equal(
		ask(&lab, &world, "web.x", TYPE_A, reply), "NOERROR aa tc rd ra ad: web.x. 5 A 10.0.0.1");
	lab_finish(&lab);
}

static void test_only_queries_of_class_in(void **state)
{
	struct world world = {0};
	struct lab lab;
	char reply[1024];

	(void)state;
	start(&lab, CLUSTER, &world);
	lab.flags = OPCODE_NOTIFY << 11;
	ask(&lab, &world, "web", TYPE_SOA, reply);
	assert_string_equal(world.asked, "web. ");
	lab.flags = FLAG_RD;
	lab.router.any_class = true;
	lab.class = CLASS_CH;
	ask(&lab, &world, "version.bind", TYPE_TXT, reply);
	assert_string_equal(world.asked, "web. version.bind. ");
	lab_finish(&lab);
}

static void test_namespace_of_the_client(void **state)
{
	static const struct {
		const char *directive, *client, *asked;
	} table[] = {
		{"search {\nfrom client\nnamespace default\n}", "192.0.2.7",
			"web.shop." SVC " web." SVC " web." ZONE " web. "},
		{"search {\nnamespace default\nfrom client\n}", "192.0.2.8",
			"web." NS " web." SVC " web." ZONE " web. "},
		{"search {\nfrom client\n}", "2001:db8::7", "web." SVC " web." ZONE " web. "},
		{"search {\nfrom client\nnamespace default k8s.example\n}", "192.0.2.7",
			"web.shop.svc.k8s.example. web.svc.k8s.example. web.k8s.example. web. "},
		{"search {\nnamespace default\n}", "192.0.2.7", "web." NS " web." SVC " web." ZONE " web. "},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		struct world world = {0};
		struct lab lab;
		char reply[1024];

		start(&lab, table[i].directive, &world);
		lab.client = table[i].client;
		ask(&lab, &world, "web", TYPE_A, reply);
		assert_string_equal(world.asked, table[i].asked);
		lab_finish(&lab);
	}
}

/* Stands above or below search, and asks for the same name again: in the rest of the chain, or in the whole
 * server. Its own reply is the child's rcode. */
static enum verdict on_child(void *self, struct request *r, struct request *child)
{
	uint16_t rcode = child->rcode;

	(void)self;
	request_release(child);
	request_reply(r, rcode, 0);
	return VERDICT_ANSWERED;
}

static enum verdict ask_below(void *self, struct request *r)
{
	struct request *child = request_child(r, &r->question.name, TYPE_A);

	assert_int_equal(request_ask_below(child), VERDICT_ANSWERED);
	return on_child(self, r, child);
}

static enum verdict ask_server(void *self, struct request *r)
{
	struct request *child;

	if (r->parent)
		return VERDICT_NEXT;
	child = request_child(r, &r->question.name, TYPE_A);
	assert_int_equal(request_ask_server(child), VERDICT_ANSWERED);
	return on_child(self, r, child);
}

static const struct plugin plugin_below = {.name = "below", .serve = ask_below, .resume = on_child};
static const struct plugin plugin_server = {.name = "server", .serve = ask_server, .resume = on_child};

static const char *ask_through(const struct link *links, struct world *world)
{
	struct lab lab;

	assert_true(lab_read(&lab, &plugin_search, "search {\ndomains a\n}"));
	lab_start(&lab, links, 3);
	assert_int_equal(lab_ask(&lab, "web", TYPE_AAAA), VERDICT_ANSWERED);
	lab_finish(&lab);
	return world->asked;
}

static void test_questions_of_plugins(void **state)
{
	struct world world = {0};
	const struct link above[] = {{&plugin_below, NULL, 0}, {0}, {&plugin_world, &world, 0}};
	const struct link below[] = {{0}, {&plugin_server, NULL, 0}, {&plugin_world, &world, 0}};
	const struct link server_above[] = {{&plugin_server, NULL, 0}, {0}, {&plugin_world, &world, 0}};

	(void)state;
	/* What a plugin above makes of the client's question is searched. */
	assert_string_equal(ask_through(above, &world), "web.a. web. ");
	/* A server-wide question is for a full name. */
	world.asked[0] = '\0';
	assert_string_equal(ask_through(server_above, &world), "web. ");
	/* That of search's own child is below it, and would come back for ever. */
	world.asked[0] = '\0';
	assert_string_equal(ask_through(below, &world), "web.a. web. ");
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void test_resolv_conf(void **state)
{
	static const struct {
		const char *text, *more, *name, *asked;
	} table[] = {
		{"nameserver 10.0.0.53\nsearch a.example b.example\n", "", "web",
			"web.a.example. web.b.example. web. "},
		/* ndots is 1 unless the file, or else the Corefile, says so. */
		{"search a\n", "", "w.x", "w.x. w.x.a. "},
		{"search a\noptions edns0 ndots:2\n", "", "w.x", "w.x.a. w.x. "},
		{"search a\noptions ndots:99\n", "", "w.x", "w.x.a. w.x. "},
		{"search a\noptions ndots:many\n", "", "w.x", "w.x. w.x.a. "},
		{"search a\noptions ndots:5\n", "ndots 1", "w.x", "w.x. w.x.a. "},
		{"search a\n", "ndots 2", "w.x", "w.x.a. w.x. "},
		/* The last line of its kind counts; comments and odd blanks do not. */
		{"search a b\ndomain c\n", "", "w", "w.c. w. "},
		{"# search a\n; search b\n\n \tsearch\tc.  D\r\n", "", "w", "w.c. w.d. w. "},
		{"search a", "", "w", "w.a. w. "},
		/* The root is the name as it is. */
		{"search a .\n", "", "w", "w.a. w. "},
		{"search .\n", "", "w", "w. "},
		{"nameserver 10.0.0.53\n", "", "w", "w. "},
		{"", "", "w", "w. "},
	};
	char path[] = "/tmp/svcdns-test-XXXXXX", directive[256], reply[1024];
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		struct world world = {0};
		struct lab lab;

		write_file(path, table[i].text);
		snprintf(
			directive, sizeof(directive), "search {\nresolv_conf %s\n%s\n}", path, table[i].more);
		start(&lab, directive, &world);
		ask(&lab, &world, table[i].name, TYPE_A, reply);
		assert_string_equal(world.asked, table[i].asked);
		lab_finish(&lab);
	}
	unlink(path);
}

static void test_empty_list_is_told(void **state)
{
	struct capture capture;
	struct error error;
	struct lab lab;

	(void)state;
	assert_true(lab_read(&lab, &plugin_search, "search {\nresolv_conf /dev/null\n}"));
	capture_begin(&capture);
	assert_true(plugin_search.open(lab.config, &error));
	assert_string_equal(capture_end(&capture),
		"[WARNING] plugin/search: /dev/null has no search list: names "
		"are only looked up as they are\n");
	lab_finish(&lab);
}

static void test_refused(void **state)
{
#define LABEL40 "1234567890123456789012345678901234567890"
	static const struct {
		const char *directive, *message;
	} table[] = {
		{"search", "Corefile:2 - Error during parsing: one of domains, resolv_conf, namespace and "
			   "from client "
			   "is needed"},
		{"search {\nndots 2\n}",
			"Corefile:4 - Error during parsing: one of domains, resolv_conf, namespace "
			"and from client is needed"},
		{"search {\ndomains\n}",
			"Corefile:3 - Error during parsing: Wrong argument count or unexpected line "
			"ending after 'domains'"},
		{"search {\ndomains a..b\n}",
			"Corefile:3 - Error during parsing: not a name to search: \"a..b\""},
		{"search {\ndomains .\n}", "Corefile:3 - Error during parsing: not a name to search: \".\""},
		{"search {\nnamespace a.b\n}", "Corefile:3 - Error during parsing: not a namespace: \"a.b\""},
		{"search {\nnamespace a b c\n}", "Corefile:3 - Error during parsing: Wrong argument count or "
						 "unexpected line ending after 'namespace'"},
		{"search {\nnamespace a " LABEL40 LABEL40 "\n}",
			"Corefile:3 - Error during parsing: not a name to search: \"svc." LABEL40 LABEL40
			"\""},
		{"search {\nnamespace " LABEL60 " " LABEL40 "." LABEL40 "." LABEL40 "." LABEL40 "." LABEL40
		 ".a\n}",
			"Corefile:4 - Error during parsing: namespace and zone are too long together"},
		{"search {\nfrom server\n}",
			"Corefile:3 - Error during parsing: from expects 'client', got \"server\""},
		{"search {\ndomains a\nnamespace b\n}",
			"Corefile:4 - Error during parsing: only one of domains, "
			"resolv_conf, namespace and from can name the list"},
		{"search {\nresolv_conf /dev/null\ndomains a\n}",
			"Corefile:4 - Error during parsing: only one of domains, resolv_conf, namespace and "
			"from can "
			"name the list"},
		{"search {\nfrom client\nfrom client\n}",
			"Corefile:4 - Error during parsing: only one of domains, "
			"resolv_conf, namespace and from can name the list"},
		{"search {\nresolv_conf /no/such/file\n}",
			"Corefile:3 - Error during parsing: open /no/such/file: no such file or directory"},
		{"search {\nndots 16\ndomains a\n}",
			"Corefile:3 - Error during parsing: ndots must be in range [0, 15]: 16"},
		{"search {\nndots x\n}",
			"Corefile:3 - Error during parsing: strconv.Atoi: parsing \"x\": invalid syntax"},
		{"search {\nlist a\n}", "Corefile:3 - Error during parsing: unknown property 'list'"},
		{"search {\ndomains a\n}\nsearch {\ndomains a\n}",
			"Corefile:5 - Error during parsing: this plugin can only be used once per Server "
			"Block"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		struct lab lab;

		assert_false(lab_read(&lab, &plugin_search, table[i].directive));
		assert_string_equal(lab.error.message, table[i].message);
		lab_finish(&lab);
	}
}

/* 33 names are one too many. */
static void test_length_of_the_list(void **state)
{
	struct lab lab;

	(void)state;
	assert_true(lab_read(&lab, &plugin_search,
		"search {\ndomains a b c d e f g h a b c d e f g h a b c d e f g h a b c d e f g h\n}"));
	lab_finish(&lab);
	assert_false(lab_read(&lab, &plugin_search,
		"search {\ndomains a b c d e f g h a b c d e f g h a b c d e f g h a b c d e f g h i\n}"));
	assert_string_equal(
		lab.error.message, "Corefile:3 - Error during parsing: more than 32 names to search");
	lab_finish(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_look_ups),
		cmocka_unit_test(test_look_ups_that_wait),
		cmocka_unit_test(test_candidates_that_are_ruled_out),
		cmocka_unit_test(test_names_that_get_too_long),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_only_queries_of_class_in),
		cmocka_unit_test(test_namespace_of_the_client),
		cmocka_unit_test(test_questions_of_plugins),
		cmocka_unit_test(test_resolv_conf),
		cmocka_unit_test(test_empty_list_is_told),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_length_of_the_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
