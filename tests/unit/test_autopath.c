/* autopath: which names are asked in which order, what comes back, and what is left alone. Below it stands a
 * plugin that knows a few names, and a search list for some clients; every case is run with answers at once
 * and with answers that come later. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../support/plugin_lab.h"

extern const struct plugin plugin_autopath;

/* What exists below. All answers have one record, TTL 5, and all denials a SOA record, TTL 60; there are
 * names for everything else that may come back. */
struct world {
	const char *names; /* that exist, a blank behind each */
	uint16_t flags;	   /* of its answers */
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

static void write_address(struct request *r, const char *owner)
{
	struct name name;

	assert_true(name_from_text(owner, &name));
	writer_name(&r->reply, &name);
	writer_address(&r->reply, SECTION_ANSWER, (const uint8_t *)"\12\0\0\1", 4, CLASS_IN, 5);
}

static void write_alias(struct request *r, const char *target)
{
	struct name name;

	assert_true(name_from_text(target, &name));
	writer_u16(&r->reply, WRITER_QUESTION);
	writer_open(&r->reply, SECTION_ANSWER, TYPE_CNAME, CLASS_IN, 7);
	writer_name(&r->reply, &name);
	writer_close(&r->reply);
}

static void write_soa(struct request *r)
{
	writer_u8(&r->reply, 0);
	writer_open(&r->reply, SECTION_AUTHORITY, TYPE_SOA, CLASS_IN, 60);
	writer_bytes(&r->reply, "\0\0", 2);
	writer_bytes(&r->reply, "\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\5", 20);
	writer_close(&r->reply);
}

static void answer(const struct world *world, struct request *r)
{
	char text[NAME_TEXT_MAX];

	name_to_text(&r->question.name, text);
	if (strncmp(text, "broken.x.", 9) == 0) {
		request_fail(r, RCODE_SERVFAIL, "cannot reach anybody");
	} else if (strncmp(text, "mute.", 5) == 0) {
		request_fail(r, RCODE_REFUSED, "%s", "");
	} else if (strcmp(text, "blocked.x.b.") == 0) {
		request_reply(r, RCODE_REFUSED, 0);
		r->extended_error = true;
		r->extended_error_code = 15;
	} else if (strcmp(text, "alias.x.b.") == 0 || strcmp(text, "alias.x.a.") == 0) {
		request_reply(r, RCODE_NOERROR, world->flags);
		write_alias(r, "www.example.");
		write_address(r, "www.example.");
	} else if (strcmp(text, "last.x.b.") == 0) { /* the alias behind what it leads to */
		request_reply(r, RCODE_NOERROR, world->flags);
		write_address(r, "www.example.");
		write_alias(r, "www.example.");
	} else if (strcmp(text, "other.x.b.") == 0) {
		request_reply(r, RCODE_NOERROR, world->flags);
		write_address(r, "another.example.");
	} else if (holds(world->names, text) && r->question.type == TYPE_A) {
		request_reply(r, RCODE_NOERROR, world->flags);
		writer_u16(&r->reply, WRITER_QUESTION);
		writer_address(&r->reply, SECTION_ANSWER, (const uint8_t *)"\12\0\0\1", 4, CLASS_IN, 5);
	} else {
		request_reply(r, holds(world->names, text) ? RCODE_NOERROR : RCODE_NXDOMAIN, world->flags);
		write_soa(r);
	}
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

/* The client 192.0.2.7 has a list. */
static bool find_search_name(void *self, const struct request *request, unsigned index, struct name *ret)
{
	static const char *const names[] = {
		"shop.svc.cluster.local.", "svc.cluster.local.", "cluster.local."};
	struct ip client;

	(void)self;
	address_ip(&request->client, &client);
	return client.bytes[3] == 7 && index < ARRAY_LENGTH(names) && name_from_text(names[index], ret);
}

static const struct plugin plugin_world = {
	.name = "kubernetes", .serve = serve_world, .find_search_name = find_search_name};

static void start(struct lab *lab, const char *directive, struct world *world)
{
	const struct link links[] = {{0}, {&plugin_world, world, 0}};

	if (!lab_read(lab, &plugin_autopath, directive))
		fail_msg("%s", lab->error.message);
	assert_true(plugin_autopath.open(lab->config, &lab->error));
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

static const char *resolv_conf(const char *text)
{
	static char path[] = "/tmp/svcdns-test-XXXXXX";
	static int fd = -1;

	if (fd < 0)
		fd = mkstemp(path);
	assert_true(fd >= 0 && ftruncate(fd, 0) == 0);
	assert_int_equal(pwrite(fd, text, strlen(text), 0), strlen(text));
	return path;
}

struct walk {
	const char *name;
	uint16_t type;
	const char *names; /* that exist */
	const char *asked, *reply, *error;
};

#define SOA " / . 60 SOA"

/* With "search a b.c b". */
static const struct walk walks[] = {
	/* On the first, the second, the last name of the list, and on none. */
	{"w.a", TYPE_A, "w.a. w.b.c. ", "w.a. ", "NOERROR rd: w.a. 5 A 10.0.0.1", ""},
	{"w.a", TYPE_A, "w.b.c. w.b. ", "w.a. w.b.c. ",
		"NOERROR rd: w.a. 5 CNAME w.b.c.; w.b.c. 5 A 10.0.0.1", ""},
	{"w.a", TYPE_A, "w.b. w. ", "w.a. w.b.c. w.b. ", "NOERROR rd: w.a. 5 CNAME w.b.; w.b. 5 A 10.0.0.1",
		""},
	{"www.example.a", TYPE_A, "www.example. ",
		"www.example.a. www.example.b.c. www.example.b. www.example. ",
		"NOERROR rd: www.example.a. 5 CNAME www.example.; www.example. 5 A 10.0.0.1", ""},
	{"w.a", TYPE_A, "", "w.a. w.b.c. w.b. w. ", "NXDOMAIN rd" SOA, ""},
	/* The case of the question comes back. */
	{"Web.A", TYPE_A, "web.a. ", "web.a. ", "NOERROR rd: Web.A. 5 A 10.0.0.1", ""},
	{"Web.A", TYPE_A, "web.b. ", "web.a. web.b.c. web.b. ",
		"NOERROR rd: Web.A. 5 CNAME Web.b.; Web.b. 5 A 10.0.0.1", ""},
	/* A name without data of this type ends the walk. There is nothing to lead to then. */
	{"w.a", TYPE_AAAA, "w.b.c. w.b. ", "w.a. w.b.c. ", "NOERROR rd" SOA, ""},
	{"w.a", TYPE_AAAA, "w.a. w.b. ", "w.a. ", "NOERROR rd" SOA, ""},

	/* Left alone: what does not end in the first name of the list, or is that name. */
	{"w.b.c", TYPE_A, "w.b.c. ", "w.b.c. ", "NOERROR rd: w.b.c. 5 A 10.0.0.1", ""},
	{"a", TYPE_A, "a. ", "a. ", "NOERROR rd: a. 5 A 10.0.0.1", ""},
	{"wa", TYPE_A, "", "wa. ", "NXDOMAIN rd" SOA, ""},
	{".", TYPE_NS, "", ". ", "NXDOMAIN rd" SOA, ""},
	{"w.a", TYPE_AXFR, "", "w.a. ", "NXDOMAIN rd" SOA, ""},

	/* A failure is told at once; a plain refusal, for which nothing was written, is like a name that does
	 * not exist, but one that was written is an answer. */
	{"broken.x.a", TYPE_A, "broken.x.b. ", "broken.x.a. ", "SERVFAIL rd", "cannot reach anybody"},
	{"mute.a", TYPE_A, "mute.b.c. ", "mute.a. mute.b.c. mute.b. mute. ", "REFUSED rd", ""},
	{"blocked.x.a", TYPE_A, "", "blocked.x.a. blocked.x.b.c. blocked.x.b. ", "REFUSED rd + . 32768 OPT",
		""},

	/* Aliases below: ours leads to where theirs begins. */
	{"alias.x.a", TYPE_A, "", "alias.x.a. ",
		"NOERROR rd: alias.x.a. 7 CNAME www.example.; www.example. 5 A 10.0.0.1", ""},
	{"last.x.a", TYPE_A, "", "last.x.a. last.x.b.c. last.x.b. ",
		"NOERROR rd: last.x.a. 7 CNAME last.x.b.; www.example. 5 A 10.0.0.1; "
		"last.x.b. 7 CNAME www.example.",
		""},
	/* Nothing of that name: to what there is. */
	{"other.x.a", TYPE_A, "", "other.x.a. other.x.b.c. other.x.b. ",
		"NOERROR rd: other.x.a. 5 CNAME another.example.; another.example. 5 A 10.0.0.1", ""},
};

static void check_walk(const struct walk *t, bool is_late)
{
	struct world world = {.names = t->names, .is_late = is_late};
	char directive[128], reply[1024];
	struct lab lab;

	snprintf(directive, sizeof(directive), "autopath %s", resolv_conf("search A b.c b\n"));
	start(&lab, directive, &world);
	assert_string_equal(ask(&lab, &world, t->name, t->type, reply), t->reply);
	assert_string_equal(world.asked, t->asked);
	assert_string_equal(lab.request->error, t->error);
	lab_finish(&lab);
}

static void test_walks(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(walks); i++)
		check_walk(&walks[i], false);
}

static void test_walks_that_wait(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(walks); i++)
		check_walk(&walks[i], true);
}

static void test_extended_error(void **state)
{
	struct world world = {0};
	char directive[128], reply[1024];
	struct lab lab;

	(void)state;
	snprintf(directive, sizeof(directive), "autopath %s", resolv_conf("search a b\n"));
	start(&lab, directive, &world);
	ask(&lab, &world, "blocked.x.a", TYPE_A, reply);
	assert_true(lab.request->extended_error);
	assert_int_equal(lab.request->extended_error_code, 15);
	lab_finish(&lab);
}

static void test_flags(void **state)
{
	struct world world = {.names = "w.a. v.b. ", .flags = FLAG_AA | FLAG_TC | FLAG_RA | FLAG_AD};
	char directive[128], reply[1024];
	struct lab lab;

	(void)state;
	snprintf(directive, sizeof(directive), "autopath %s", resolv_conf("search a b\n"));
	start(&lab, directive, &world);
	assert_string_equal(
		ask(&lab, &world, "w.a", TYPE_A, reply), "NOERROR aa tc rd ra ad: w.a. 5 A 10.0.0.1");
	/* The alias is not signed: no ad. */
	assert_string_equal(ask(&lab, &world, "v.a", TYPE_A, reply),
		"NOERROR aa tc rd ra: v.a. 5 CNAME v.b.; v.b. 5 A 10.0.0.1");
	lab_finish(&lab);
}

/* What would be longer than 255 octets does not exist: those names are passed over. */
static void test_names_that_get_too_long(void **state)
{
#define LABEL60 "123456789012345678901234567890123456789012345678901234567890"
#define LABELS	LABEL60 "." LABEL60 "." LABEL60 "." LABEL60
	struct world world = {0};
	char directive[128], reply[1024];
	struct lab lab;

	(void)state;
	snprintf(directive, sizeof(directive), "autopath %s", resolv_conf("search a long.example b\n"));
	start(&lab, directive, &world);
	assert_string_equal(ask(&lab, &world, LABELS ".a", TYPE_A, reply), "NXDOMAIN rd" SOA);
	assert_string_equal(world.asked, LABELS ".a. " LABELS ".b. " LABELS ". ");
	lab_finish(&lab);
}

/* A list that another plugin has for the client goes before that of a file. */
static void test_lists_of_a_plugin(void **state)
{
	static const struct {
		const char *directive, *client, *name, *asked;
	} table[] = {
		{"autopath @kubernetes", "192.0.2.7", "w.shop.svc.cluster.local",
			"w.shop.svc.cluster.local. w.svc.cluster.local. w.cluster.local. w. "},
		{"autopath @kubernetes", "192.0.2.7", "w.svc.cluster.local", "w.svc.cluster.local. "},
		{"autopath @kubernetes", "192.0.2.8", "w.shop.svc.cluster.local",
			"w.shop.svc.cluster.local. "},
		{"autopath %s\nautopath @kubernetes", "192.0.2.7", "w.a", "w.a. "},
		{"autopath %s\nautopath @kubernetes", "192.0.2.8", "w.a", "w.a. "},
		{"autopath %s\nautopath @other", "192.0.2.7", "w.a", "w.a. w.b. w. "},
		{"autopath @other", "192.0.2.7", "w.shop.svc.cluster.local", "w.shop.svc.cluster.local. "},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		const char *path = resolv_conf("search a b\n");
		struct world world = {0};
		char directive[128], reply[1024];
		const char *mark = strstr(table[i].directive, "%s");
		struct lab lab;

		if (mark)
			snprintf(directive, sizeof(directive), "%.*s%s%s", (int)(mark - table[i].directive),
				table[i].directive, path, mark + 2);
		start(&lab, mark ? directive : table[i].directive, &world);
		lab.client = table[i].client;
		ask(&lab, &world, table[i].name, TYPE_A, reply);
		assert_string_equal(world.asked, table[i].asked);
		lab_finish(&lab);
	}
}

static void test_zones_and_empty_lists(void **state)
{
	static const struct {
		const char *zones, *list, *name, *asked;
	} table[] = {
		{"example.org corp", "search corp b\n", "w.corp", "w.corp. w.b. w. "},
		{"example.org", "search corp b\n", "w.corp", "w.corp. "},
		{"x.corp.", "search corp b\n", "w.corp", "w.corp. "},
		{"x.corp.", "search corp b\n", "w.X.corp", "w.x.corp. w.x.b. w.x. "},
		{"", "nameserver 10.0.0.53\n", "w.corp", "w.corp. "},
		{"", "search .\n", "w.corp", "w.corp. "},
		{"", "search corp\n", "w.corp", "w.corp. w. "},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		struct world world = {0};
		char directive[128], reply[1024];
		struct lab lab;

		snprintf(directive, sizeof(directive), "autopath %s %s", table[i].zones,
			resolv_conf(table[i].list));
		start(&lab, directive, &world);
		ask(&lab, &world, table[i].name, TYPE_A, reply);
		assert_string_equal(world.asked, table[i].asked);
		lab_finish(&lab);
	}
}

static void test_refused(void **state)
{
	struct lab lab;

	(void)state;
	assert_false(lab_read(&lab, &plugin_autopath, "autopath"));
	assert_string_equal(lab.error.message, "no resolv-conf specified");
	lab_finish(&lab);
	assert_false(lab_read(&lab, &plugin_autopath, "autopath example.org /no/such/file"));
	assert_string_equal(lab.error.message,
		"failed to parse \"/no/such/file\": open /no/such/file: no such file or directory");
	lab_finish(&lab);
}

/* Whoever is asked for a list has to be in the block, or nothing comes of it, and has to have lists. */
static void test_source(void **state)
{
	static const struct {
		const char *directives, *message;
	} table[] = {
		{"autopath @kubernetes\nkubernetes", NULL},
		{"autopath @kubernetes", NULL},
		{"autopath @nothing", NULL},
		{"autopath @\nhosts", NULL},
		{"autopath @bind\nbind 127.0.0.1", NULL}, /* no part of the chain */
		{"autopath @hosts\nhosts", "hosts does not implement the AutoPather interface"},
		{"autopath @autopath", "autopath does not implement the AutoPather interface"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		struct error error = {0};
		struct lab lab;

		assert_true(lab_read(&lab, &plugin_autopath, table[i].directives));
		assert_int_equal(plugin_autopath.open(lab.config, &error), !table[i].message);
		assert_string_equal(error.message, table[i].message ? table[i].message : "");
		lab_finish(&lab);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_walks),
		cmocka_unit_test(test_walks_that_wait),
		cmocka_unit_test(test_extended_error),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_names_that_get_too_long),
		cmocka_unit_test(test_lists_of_a_plugin),
		cmocka_unit_test(test_zones_and_empty_lists),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_source),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	unlink(resolv_conf(""));
	return failed;
}
