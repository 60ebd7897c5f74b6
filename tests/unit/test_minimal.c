/* minimal: which replies lose what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../support/plugin_lab.h"

extern const struct plugin plugin_minimal;

/* A reply with some records of each section, as numbers of A records and a type of authority. */
struct world {
	uint16_t rcode;
	unsigned answers;
	uint16_t authority; /* type of one record; 0: none */
	bool is_bare, is_full;
};

static void write_records(struct writer *w, enum section section, uint16_t type, unsigned count)
{
	static const uint8_t data[40] = {0};

	while (count--) {
		writer_u16(w, WRITER_QUESTION);
		writer_open(w, section, type, CLASS_IN, 30);
		writer_bytes(w, data, type == TYPE_A ? 4 : type == TYPE_NS ? 1 : 22);
		writer_close(w);
	}
}

static enum verdict serve_world(void *self, struct request *r)
{
	const struct world *world = self;

	if (world->is_bare)
		return request_fail(r, world->rcode, "%s", "broken");
	request_reply(r, world->rcode, 0);
	write_records(&r->reply, SECTION_ANSWER, TYPE_A, world->answers);
	if (world->authority)
		write_records(&r->reply, SECTION_AUTHORITY, world->authority, 1);
	write_records(&r->reply, SECTION_ADDITIONAL, TYPE_A, world->is_full ? 5000 : 1);
	return VERDICT_ANSWERED;
}

static const struct plugin plugin_world = {.name = "world", .serve = serve_world};

static void start(struct lab *lab, struct world *world)
{
	const struct link links[] = {{0}, {&plugin_world, world, 0}};

	assert_true(lab_read(lab, &plugin_minimal, "minimal"));
	lab_start(lab, links, ARRAY_LENGTH(links));
}

#define A   "w. 30 A 0.0.0.0"
#define ADD " + " A

static void test_replies(void **state)
{
	static const struct {
		struct world world;
		uint16_t type;
		const char *reply;
	} table[] = {
		{{RCODE_NOERROR, 1, TYPE_NS, false, false}, TYPE_A, "NOERROR rd: " A},
		{{RCODE_NOERROR, 2, TYPE_NS, false, false}, TYPE_A, "NOERROR rd: " A "; " A},
		{{RCODE_NOERROR, 1, TYPE_NONE, false, false}, TYPE_A, "NOERROR rd: " A},
		{{RCODE_NOERROR, 0, TYPE_NONE, false, false}, TYPE_A, "NOERROR rd"},
		/* NODATA, NXDOMAIN, delegations and failures need what they have. */
		{{RCODE_NOERROR, 0, TYPE_SOA, false, false}, TYPE_A, "NOERROR rd / w. 30 SOA" ADD},
		{{RCODE_NXDOMAIN, 0, TYPE_SOA, false, false}, TYPE_A, "NXDOMAIN rd / w. 30 SOA" ADD},
		{{RCODE_NXDOMAIN, 1, TYPE_SOA, false, false}, TYPE_A, "NXDOMAIN rd: " A " / w. 30 SOA" ADD},
		{{RCODE_NOERROR, 0, TYPE_NS, false, false}, TYPE_A, "NOERROR rd / w. 30 NS ." ADD},
		{{RCODE_REFUSED, 0, TYPE_NS, false, false}, TYPE_A, "REFUSED rd / w. 30 NS ." ADD},
		{{RCODE_SERVFAIL, 0, TYPE_NS, false, false}, TYPE_A, "SERVFAIL rd / w. 30 NS ." ADD},
		{{RCODE_SERVFAIL, 0, TYPE_NONE, true, false}, TYPE_A, "SERVFAIL rd"},
		{{RCODE_NOERROR, 1, TYPE_SOA, false, false}, TYPE_AXFR, "NOERROR rd: " A " / w. 30 SOA" ADD},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		struct world world = table[i].world;
		struct lab lab;
		char reply[512];

		start(&lab, &world);
		assert_int_equal(lab_ask(&lab, "w", table[i].type), VERDICT_ANSWERED);
		assert_string_equal(lab_reply(&lab, reply, sizeof(reply)), table[i].reply);
		lab_finish(&lab);
	}
}

/* A reply that would be truncated is not any more. */
static void test_no_truncation(void **state)
{
	struct world world = {RCODE_NOERROR, 20, TYPE_NS, false, false};
	struct lab lab;
	char reply[2048];

	(void)state;
	start(&lab, &world);
	lab_ask(&lab, "w", TYPE_A);
	assert_int_equal(lab.request->reply.count[SECTION_ANSWER], 20);
	assert_null(strstr(lab_reply(&lab, reply, sizeof(reply)), " tc"));
	lab_finish(&lab);
}

/* The OPT record of an upstream is an additional record like others; the client's own is not. */
static enum verdict serve_upstream(void *self, struct request *r)
{
	static const uint8_t message[] = "\xab\xcd\x81\x80\0\1\0\1\0\0\0\1\1w\0\0\1\0\1"
					 "\xc0\x0c\0\1\0\1\0\0\0\x1e\0\4\0\0\0\0"
					 "\0\0\x29\x04\xd0\0\0\0\0\0\6\0\17\0\2\0\3";

	(void)self;
	assert_true(request_reply_message(r, message, sizeof(message) - 1));
	return VERDICT_ANSWERED;
}

static const struct plugin plugin_upstream = {.name = "upstream", .serve = serve_upstream};

static void test_options(void **state)
{
	struct world world = {RCODE_NOERROR, 1, TYPE_NONE, false, false};
	const struct {
		struct link below;
		uint16_t options;
	} table[] = {{{&plugin_upstream, NULL, 0}, 0}, {{&plugin_world, &world, 0}, 4}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		const struct link links[] = {{0}, table[i].below};
		struct lab lab;
		char reply[512];

		assert_true(lab_read(&lab, &plugin_minimal, "minimal"));
		lab_start(&lab, links, ARRAY_LENGTH(links));
		lab.payload = 1232;
		lab.options = "\0\3\0\0";
		lab.options_length = 4;
		lab_ask(&lab, "w", TYPE_A);
		assert_non_null(strstr(lab_reply(&lab, reply, sizeof(reply)), ": " A " + . "));
		assert_int_equal(lab.request->edns.options_length, table[i].options);
		assert_int_equal(
			lab.request->reply.length, lab.request->question.end + 16u + 11u + table[i].options);
		lab_finish(&lab);
	}
}

/* More than a message holds: left to truncation. */
static void test_overflow(void **state)
{
	struct world world = {RCODE_NOERROR, 1, TYPE_NS, false, true};
	struct lab lab;
	char reply[2048];

	(void)state;
	start(&lab, &world);
	lab_ask(&lab, "w", TYPE_A);
	assert_non_null(strstr(lab_reply(&lab, reply, sizeof(reply)), "NOERROR tc rd: " A " / w. 30 NS ."));
	lab_finish(&lab);
}

static void test_setup(void **state)
{
	(void)state;
	lab_assert_setup(&plugin_minimal, "minimal", NULL);
	lab_assert_setup(&plugin_minimal, "minimal example.org",
		"Corefile:2 - Error during parsing: Wrong argument count or unexpected line ending after "
		"'example.org'");
	lab_assert_setup(&plugin_minimal, "minimal {\nanything\n}",
		"Corefile:2 - Error during parsing: Unexpected token '{', expecting argument");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_replies),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_no_truncation),
		cmocka_unit_test(test_overflow),
		cmocka_unit_test(test_setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
