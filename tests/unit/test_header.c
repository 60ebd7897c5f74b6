/* header: flags of the query as the plugins below and an upstream see them, and flags of the reply. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../support/plugin_lab.h"

extern const struct plugin plugin_header;

/* What stands in the query below, in the struct and on the wire, and what comes back. */
struct world {
	uint16_t flags, on_wire;
	uint16_t reply_flags;
	bool is_bare;
};

static enum verdict serve_world(void *self, struct request *r)
{
	struct world *world = self;

	world->flags = r->flags;
	world->on_wire = message_flags(r->wire);
	if (world->is_bare)
		return request_fail(r, RCODE_SERVFAIL, "%s", "broken");
	request_reply(r, RCODE_NOERROR, world->reply_flags);
	return VERDICT_ANSWERED;
}

static const struct plugin plugin_world = {.name = "world", .serve = serve_world};

static void test_flags(void **state)
{
	static const struct {
		const char *rules;
		uint16_t flags, reply_flags;
		uint16_t below; /* the query as it arrives there */
		const char *reply;
	} table[] = {
		{"query set rd", 0, 0, FLAG_RD, "NOERROR rd"},
		{"query set rd", FLAG_CD, 0, FLAG_RD | FLAG_CD, "NOERROR rd cd"},
		{"query clear rd", FLAG_RD, 0, 0, "NOERROR"},
		{"query set aa ra", FLAG_RD, 0, FLAG_AA | FLAG_RA | FLAG_RD, "NOERROR rd"},
		{"query set aa ra\nquery clear aa", 0, 0, FLAG_RA, "NOERROR"},
		{"query clear aa\nquery set aa", 0, 0, FLAG_AA, "NOERROR"},
		{"response set ra", FLAG_RD, 0, FLAG_RD, "NOERROR rd ra"},
		{"response clear aa rd", FLAG_RD, FLAG_AA | FLAG_AD, FLAG_RD, "NOERROR ad"},
		{"Response Set AA\nQUERY CLEAR RD", FLAG_RD, 0, 0, "NOERROR aa"},
		{"response set rd", 0, 0, 0, "NOERROR rd"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		struct world world = {.reply_flags = table[i].reply_flags};
		const struct link links[] = {{0}, {&plugin_world, &world, 0}};
		char directive[256], reply[512];
		struct lab lab;

		snprintf(directive, sizeof(directive), "header {\n%s\n}", table[i].rules);
		assert_true(lab_read(&lab, &plugin_header, directive));
		lab_start(&lab, links, ARRAY_LENGTH(links));
		lab.flags = table[i].flags;
		assert_int_equal(lab_ask(&lab, "example.org", TYPE_A), VERDICT_ANSWERED);
		assert_int_equal(world.flags, table[i].below);
		assert_int_equal(world.on_wire, table[i].below);
		assert_string_equal(lab_reply(&lab, reply, sizeof(reply)), table[i].reply);
		lab_finish(&lab);
	}
}

static void test_bare(void **state)
{
	struct world world = {.is_bare = true};
	const struct link links[] = {{0}, {&plugin_world, &world, 0}};
	struct lab lab;
	char reply[512];

	(void)state;
	assert_true(lab_read(&lab, &plugin_header, "header {\nresponse set ra aa\n}"));
	lab_start(&lab, links, ARRAY_LENGTH(links));
	lab_ask(&lab, "example.org", TYPE_A);
	assert_string_equal(lab_reply(&lab, reply, sizeof(reply)), "SERVFAIL rd");
	lab_finish(&lab);
}

static void test_setup(void **state)
{
	(void)state;
	lab_assert_setup(&plugin_header, "header\nheader {\nquery set rd\n}", NULL);
	lab_assert_setup(&plugin_header, "header {\nquery set rd\n}\nheader {\nnonsense\n}", NULL);
	lab_assert_setup(&plugin_header, "header",
		"Corefile:2 - Error during parsing: Wrong argument count or unexpected line ending after "
		"'header'");
	lab_assert_setup(&plugin_header, "header {\n}",
		"Corefile:3 - Error during parsing: Wrong argument count or unexpected line ending after "
		"'}'");
	lab_assert_setup(&plugin_header, "header {\nquery\n}",
		"Corefile:3 - Error during parsing: setting up rule: no flag action provided");
	lab_assert_setup(&plugin_header, "header {\nquery set\n}",
		"Corefile:3 - Error during parsing: setting up rule: invalid length for flags, at least one "
		"should be provided");
	lab_assert_setup(&plugin_header, "header {\nquery flip rd\n}",
		"Corefile:3 - Error during parsing: setting up rule: unknown flag action=flip, should be set "
		"or clear");
	lab_assert_setup(&plugin_header, "header {\nresponse set ad\n}",
		"Corefile:3 - Error during parsing: setting up rule: unknown/unsupported flag=ad");
	lab_assert_setup(&plugin_header, "header {\nset ra\n}",
		"Corefile:3 - Error during parsing: setting up rule: invalid selector=set should be query or "
		"response");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_bare),
		cmocka_unit_test(test_setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
