/* dns64: which answers are replaced, by what. Below it stands a plugin with a few names; every case is run
 * with answers at once and with answers that come later. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../support/plugin_lab.h"

extern const struct plugin plugin_dns64;

#define IPV4	     "192.0.2.1"
#define IPV6	     "2001:db8::7"
#define NO_SOA	     0
#define WITH_ALIAS   1
#define WITH_GLUE    2
#define TRUNCATED    4
#define BARE	     8
#define WITH_ADDRESS 16

struct answer { /* to one type of question */
	uint16_t rcode;
	unsigned parts;
	uint32_t soa_ttl; /* NO_SOA: none */
	uint32_t ttl;	  /* of its addresses */
};

struct world {
	struct answer a, aaaa;
	bool is_late;
	unsigned questions;
	struct request *waiting;
};

static void write_soa(struct writer *w, uint32_t ttl)
{
	writer_u8(w, 0);
	writer_open(w, SECTION_AUTHORITY, TYPE_SOA, CLASS_IN, ttl);
	writer_bytes(w, "\0\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\5", 22);
	writer_close(w);
}

/* Owners point to the alias' target, where there is one. */
static void write_addresses(struct writer *w, const struct answer *answer, bool is_ipv4, size_t owner)
{
	static const uint8_t ipv4[2][4] = {{192, 0, 2, 33}, {192, 0, 2, 34}}, ipv6[16] = {0x20, 1, 0xd, 0xb8};

	for (int i = 0; i < (is_ipv4 ? 2 : 1); i++) {
		writer_pointer(w, owner);
		writer_address(
			w, SECTION_ANSWER, is_ipv4 ? ipv4[i] : ipv6, is_ipv4 ? 4 : 16, CLASS_IN, answer->ttl);
	}
}

static void answer(const struct world *world, struct request *r)
{
	const struct answer *answer = r->question.type == TYPE_A ? &world->a : &world->aaaa;
	struct writer *w = &r->reply;
	size_t owner = MESSAGE_HEADER;

	if (answer->parts & BARE) {
		request_fail(r, answer->rcode, "cannot reach anybody");
		return;
	}
	request_reply(
		r, answer->rcode, FLAG_AA | FLAG_RA | FLAG_AD | (answer->parts & TRUNCATED ? FLAG_TC : 0));
	if (answer->parts & WITH_ALIAS) {
		writer_u16(w, WRITER_QUESTION);
		writer_open(w, SECTION_ANSWER, TYPE_CNAME, CLASS_IN, 9);
		owner = w->length;
		writer_bytes(w, "\3ext\7example", 13);
		writer_close(w);
	}
	if (answer->parts & WITH_ADDRESS)
		write_addresses(w, answer, r->question.type == TYPE_A, owner);
	if (answer->soa_ttl)
		write_soa(w, answer->soa_ttl);
	if (answer->parts & WITH_GLUE) {
		writer_u16(w, WRITER_QUESTION);
		writer_address(w, SECTION_ADDITIONAL, (const uint8_t *)"\12\0\0\1", 4, CLASS_IN, 7);
	}
}

static enum verdict serve_world(void *self, struct request *r)
{
	struct world *world = self;

	world->questions++;
	world->waiting = r;
	if (world->is_late)
		return VERDICT_PENDING;
	answer(world, r);
	return VERDICT_ANSWERED;
}

static const struct plugin plugin_world = {.name = "world", .serve = serve_world};

static void start(struct lab *lab, const char *directive, const char *client, struct world *world)
{
	const struct link links[] = {{0}, {&plugin_world, world, 0}};

	if (!lab_read(lab, &plugin_dns64, directive))
		fail_msg("%s", lab->error.message);
	assert_true(plugin_dns64.open(lab->config, &lab->error));
	lab_start(lab, links, ARRAY_LENGTH(links));
	lab->client = client;
	lab->flags = FLAG_RD | FLAG_CD;
}

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

#define SYNTHESIZED(ttl)                                                                                     \
	"NOERROR rd cd: Www.example. " #ttl " AAAA 64:ff9b::c000:221; Www.example. " #ttl                    \
	" AAAA 64:ff9b::c000:222"

struct synthesis {
	const char *directive, *client;
	struct answer aaaa, a;
	const char *reply, *error;
};

static const struct synthesis syntheses[] = {
	/* The TTL is that of the address, of the denial, or ten minutes: the least of them. */
	{"dns64", IPV6, {.soa_ttl = 60}, {.parts = WITH_ADDRESS, .ttl = 61}, SYNTHESIZED(60), ""},
	{"dns64", IPV6, {.soa_ttl = 60}, {.parts = WITH_ADDRESS, .ttl = 59}, SYNTHESIZED(59), ""},
	{"dns64", IPV6, {NO_SOA}, {.parts = WITH_ADDRESS, .ttl = 601}, SYNTHESIZED(600), ""},
	{"dns64", IPV6, {NO_SOA}, {.parts = WITH_ADDRESS, .ttl = 599}, SYNTHESIZED(599), ""},
	/* IPv4 clients only where that is wanted. */
	{"dns64", IPV4, {.soa_ttl = 60}, {.parts = WITH_ADDRESS}, "NOERROR aa rd ra ad cd / . 60 SOA", ""},
	{"dns64 {\nallow_ipv4\n}", IPV4, {.soa_ttl = 60}, {.parts = WITH_ADDRESS, .ttl = 5}, SYNTHESIZED(5),
		""},
	/* Where there is an address, nothing is translated, unless all is. */
	{"dns64", IPV6, {.parts = WITH_ADDRESS, .ttl = 3}, {.parts = WITH_ADDRESS},
		"NOERROR aa rd ra ad cd: Www.example. 3 AAAA 2001:db8::", ""},
	{"dns64", IPV6, {.parts = WITH_ALIAS | WITH_ADDRESS, .ttl = 3}, {.parts = WITH_ADDRESS},
		"NOERROR aa rd ra ad cd: Www.example. 9 CNAME ext.example.; ext.example. 3 AAAA 2001:db8::",
		""},
	{"dns64 {\ntranslate_all\n}", IPV6, {.parts = WITH_ADDRESS}, {.parts = WITH_ADDRESS, .ttl = 5},
		SYNTHESIZED(5), ""},
	/* An alias is followed; the rest of the answer is passed on. */
	{"dns64", IPV6, {.parts = WITH_ALIAS, .soa_ttl = 60}, {.parts = WITH_ALIAS | WITH_ADDRESS, .ttl = 5},
		"NOERROR rd cd: Www.example. 9 CNAME ext.example.; ext.example. 5 AAAA 64:ff9b::c000:221; "
		"ext.example. 5 AAAA 64:ff9b::c000:222",
		""},
	{"dns64", IPV6, {NO_SOA}, {.parts = WITH_ADDRESS | WITH_GLUE | TRUNCATED, .ttl = 5, .soa_ttl = 8},
		"NOERROR tc rd cd: Www.example. 5 AAAA 64:ff9b::c000:221; Www.example. 5 AAAA "
		"64:ff9b::c000:222"
		" / . 8 SOA + Www.example. 7 A 10.0.0.1",
		""},
	/* No address of either kind. */
	{"dns64", IPV6, {.soa_ttl = 60}, {.soa_ttl = 50}, "NOERROR rd cd / . 50 SOA", ""},
	{"dns64", IPV6, {.soa_ttl = 60}, {.parts = WITH_ALIAS, .soa_ttl = 50},
		"NOERROR rd cd: Www.example. 9 CNAME ext.example. / . 50 SOA", ""},
	/* A name that does not exist. */
	{"dns64", IPV6, {.rcode = RCODE_NXDOMAIN, .soa_ttl = 60}, {.parts = WITH_ADDRESS},
		"NXDOMAIN aa rd ra ad cd / . 60 SOA", ""},
	{"dns64 {\ntranslate_all\n}", IPV6, {.rcode = RCODE_NXDOMAIN, .parts = WITH_ALIAS},
		{.parts = WITH_ADDRESS}, "NXDOMAIN aa rd ra ad cd: Www.example. 9 CNAME ext.example.", ""},
	{"dns64", IPV6, {.soa_ttl = 60}, {.rcode = RCODE_NXDOMAIN, .soa_ttl = 50},
		"NXDOMAIN rd cd / . 50 SOA", ""},
	/* Servers that choke on AAAA; errors; failures of ours. */
	{"dns64", IPV6, {.rcode = RCODE_SERVFAIL}, {.parts = WITH_ADDRESS, .ttl = 5}, SYNTHESIZED(5), ""},
	{"dns64", IPV6, {NO_SOA}, {.rcode = RCODE_REFUSED}, "REFUSED rd cd", ""},
	{"dns64", IPV6, {NO_SOA}, {.rcode = RCODE_SERVFAIL, .parts = BARE}, "SERVFAIL rd cd",
		"cannot reach anybody"},
	{"dns64", IPV6, {.rcode = RCODE_SERVFAIL, .parts = BARE}, {.parts = WITH_ADDRESS}, "SERVFAIL rd cd",
		"cannot reach anybody"},
	/* What was cut may have had an address. */
	{"dns64", IPV6, {.parts = TRUNCATED}, {.parts = WITH_ADDRESS}, "NOERROR aa tc rd ra ad cd", ""},
};

static void check(const struct synthesis *s, bool is_late)
{
	struct world world = {.a = s->a, .aaaa = s->aaaa, .is_late = is_late};
	struct lab lab;
	char reply[1024];

	start(&lab, s->directive, s->client, &world);
	assert_string_equal(ask(&lab, &world, "Www.example", TYPE_AAAA, reply), s->reply);
	assert_string_equal(lab.request->error, s->error);
	lab_finish(&lab);
}

static void test_syntheses(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(syntheses); i++)
		check(&syntheses[i], false);
}

static void test_syntheses_that_wait(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(syntheses); i++)
		check(&syntheses[i], true);
}

/* The table of RFC 6052 section 2.4. */
static void test_prefixes(void **state)
{
	static const struct {
		const char *directive, *address;
	} table[] = {
		{"dns64 2001:db8::/32", "2001:db8:c000:221::"},
		{"dns64 2001:db8:100::/40", "2001:db8:1c0:2:21::"},
		{"dns64 2001:db8:122::/48", "2001:db8:122:c000:2:2100::"},
		{"dns64 2001:db8:122:300::/56", "2001:db8:122:3c0:0:221::"},
		{"dns64 2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100:0"},
		{"dns64 2001:db8:122:344::/96", "2001:db8:122:344::c000:221"},
		{"dns64 2001:db8:122:344::/80", "2001:db8:122:344:0:c000:221:0"},
		{"dns64 {\nprefix 2001:db8:122:344::1/96\n}", "2001:db8:122:344::c000:221"},
		{"dns64 64:ff9b:1::/48 {\nallow_ipv4\n}", "64:ff9b:1:c000:2:2100::"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		struct world world = {.a = {.parts = WITH_ADDRESS, .ttl = 5}};
		struct lab lab;
		char reply[1024], expected[128];
		struct ip ip;

		start(&lab, table[i].directive, IPV6, &world);
		ask(&lab, &world, "www.example", TYPE_AAAA, reply);
		assert_true(ip_parse(table[i].address, &ip));
		ip_text(&ip, expected + snprintf(expected, 64, "%s", "NOERROR rd cd: www.example. 5 AAAA "));
		assert_memory_equal(reply, expected, strlen(expected));
		assert_int_equal(reply[strlen(expected)], ';');
		lab_finish(&lab);
	}
}

static void test_other_questions(void **state)
{
	struct world world = {.a = {.parts = WITH_ADDRESS, .ttl = 5}};
	struct lab lab;
	char reply[1024];

	(void)state;
	start(&lab, "dns64 {\ntranslate_all\n}", IPV6, &world);
	lab.router.any_class = true;
	ask(&lab, &world, "www.example", TYPE_A, reply);
	ask(&lab, &world, "www.example", TYPE_MX, reply);
	lab.class = CLASS_CH;
	ask(&lab, &world, "www.example", TYPE_AAAA, reply);
	lab.class = CLASS_IN;
	lab.flags = OPCODE_NOTIFY << 11;
	ask(&lab, &world, "www.example", TYPE_AAAA, reply);
	assert_int_equal(world.questions, 4);
	lab_finish(&lab);
}

static void test_refused(void **state)
{
	static const struct {
		const char *directive, *message;
	} table[] = {
		{"dns64 64:ff9b::/95",
			"Corefile:2 - Error during parsing: invalid prefix length \"64:ff9b::/95\""},
		{"dns64 ::/24", "Corefile:2 - Error during parsing: invalid prefix length \"::/24\""},
		{"dns64 ::1/104", "Corefile:2 - Error during parsing: invalid prefix length \"::/104\""},
		{"dns64 64:ff9b::", "Corefile:2 - Error during parsing: invalid CIDR address: 64:ff9b::"},
		{"dns64 {\nprefix 10.1.2.3/8\n}",
			"Corefile:3 - Error during parsing: invalid netmask 32 IPv6 address: \"10.0.0.0/8\""},
		{"dns64 {\nprefix\n}",
			"Corefile:3 - Error during parsing: Wrong argument count or unexpected "
			"line ending after 'prefix'"},
		{"dns64 {\nupstream\n}", "Corefile:3 - Error during parsing: unknown property 'upstream'"},
		{"dns64 ::/96 ::/96", "Corefile:2 - Error during parsing: Wrong argument count or unexpected "
				      "line ending after '::/96'"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		struct lab lab;

		assert_false(lab_read(&lab, &plugin_dns64, table[i].directive));
		assert_string_equal(lab.error.message, table[i].message);
		lab_finish(&lab);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_syntheses),
		cmocka_unit_test(test_syntheses_that_wait),
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_other_questions),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
