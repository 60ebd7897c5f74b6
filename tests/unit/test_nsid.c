/* nsid: who gets the option, and what becomes of others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../support/plugin_lab.h"

extern const struct plugin plugin_nsid;

#define QUESTION "\7example\3org\0\0\1\0\1"
#define NSID	 "\0\3\0\0"
#define COOKIE	 "\0\12\0\10cookie!!"
#define ERROR	 "\0\17\0\2\0\3"

struct world {
	const char *message; /* of an upstream; NULL: an answer of our own */
	size_t length;
	bool is_bare;
};

static enum verdict serve_world(void *self, struct request *r)
{
	const struct world *world = self;

	if (world->is_bare)
		return request_fail(r, RCODE_SERVFAIL, "%s", "broken");
	if (world->message)
		assert_true(request_reply_message(r, (const uint8_t *)world->message, world->length));
	else
		request_reply(r, RCODE_NOERROR, 0);
	return VERDICT_ANSWERED;
}

static const struct plugin plugin_world = {.name = "world", .serve = serve_world};

#define TEXT(octets) octets, sizeof(octets) - 1
#define UPSTREAM(options, length)                                                                            \
	TEXT("\xab\xcd\x81\x80\0\1\0\0\0\0\0\1" QUESTION "\0\0\x29\x04\xd0\0\0\0\0\0" length options)

static void test_options(void **state)
{
	static const struct {
		const char *directive;
		const char *asked;
		size_t asked_length;
		struct world world;
		const char *options; /* of the reply */
		size_t length;
	} table[] = {
		{"nsid me", TEXT(NSID), {0}, TEXT("\0\3\0\2me")},
		{"nsid Use The Force", TEXT(NSID), {0}, TEXT("\0\3\0\15Use The Force")},
		{"nsid \"\"", TEXT(NSID), {0}, TEXT(NSID)},
		/* Not asked for. */
		{"nsid me", TEXT(""), {0}, TEXT("")},
		{"nsid me", TEXT(COOKIE), {0}, TEXT(COOKIE)},
		/* In place of the client's own options, beside those of an upstream, instead of its NSID. */
		{"nsid me", TEXT(COOKIE NSID), {0}, TEXT("\0\3\0\2me")},
		{"nsid me", TEXT(NSID), {UPSTREAM("", "\0"), false}, TEXT("\0\3\0\2me")},
		{"nsid me", TEXT(COOKIE NSID), {UPSTREAM(ERROR, "\6"), false}, TEXT(ERROR "\0\3\0\2me")},
		{"nsid me", TEXT(NSID), {UPSTREAM("\0\3\0\3you", "\7"), false}, TEXT("\0\3\0\2me")},
		/* Nothing answered. */
		{"nsid me", TEXT(NSID), {NULL, 0, true}, TEXT(NSID)},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		struct world world = table[i].world;
		const struct link links[] = {{0}, {&plugin_world, &world, 0}};
		const struct writer *w;
		size_t begin;
		struct lab lab;

		assert_true(lab_read(&lab, &plugin_nsid, table[i].directive));
		lab_start(&lab, links, ARRAY_LENGTH(links));
		lab.payload = 1232;
		lab.options = table[i].asked;
		lab.options_length = (uint16_t)table[i].asked_length;
		assert_int_equal(lab_ask(&lab, "example.org", TYPE_A), VERDICT_ANSWERED);
		w = &lab.request->reply;
		begin = w->length - table[i].length;
		assert_int_equal(begin, lab.request->question.end + 11); /* one OPT record, nothing else */
		assert_memory_equal(w->wire + begin, table[i].options, table[i].length);
		lab_finish(&lab);
	}
}

/* Without EDNS there is no place for an option. */
static void test_no_edns(void **state)
{
	struct world world = {0};
	const struct link links[] = {{0}, {&plugin_world, &world, 0}};
	struct lab lab;

	(void)state;
	assert_true(lab_read(&lab, &plugin_nsid, "nsid me"));
	lab_start(&lab, links, ARRAY_LENGTH(links));
	lab_ask(&lab, "example.org", TYPE_A);
	assert_int_equal(lab.request->reply.length, lab.request->question.end);
	lab_finish(&lab);
}

static void test_host_name(void **state)
{
	struct world world = {0};
	const struct link links[] = {{0}, {&plugin_world, &world, 0}};
	const struct writer *w;
	char host[256];
	struct lab lab;

	(void)state;
	assert_int_equal(gethostname(host, sizeof(host)), 0);
	assert_true(lab_read(&lab, &plugin_nsid, "nsid"));
	lab_start(&lab, links, ARRAY_LENGTH(links));
	lab.payload = 1232;
	lab.options = NSID;
	lab.options_length = 4;
	lab_ask(&lab, "example.org", TYPE_A);
	w = &lab.request->reply;
	assert_memory_equal(w->wire + w->length - strlen(host), host, strlen(host));
	assert_int_equal(w->length, lab.request->question.end + 15 + strlen(host));
	lab_finish(&lab);
}

/* What an OPT record has room for. */
static void test_longest(void **state)
{
	char directive[1024];

	(void)state;
	snprintf(directive, sizeof(directive), "nsid %0508d", 0);
	lab_assert_setup(&plugin_nsid, directive, NULL);
	snprintf(directive, sizeof(directive), "nsid %0509d", 0);
	lab_assert_setup(
		&plugin_nsid, directive, "Corefile:2 - Error during parsing: data of more than 508 octets");
}

static void test_setup(void **state)
{
	(void)state;
	lab_assert_setup(&plugin_nsid, "nsid", NULL);
	lab_assert_setup(&plugin_nsid, "nsid a b c", NULL);
	lab_assert_setup(&plugin_nsid, "nsid a\nnsid b",
		"Corefile:3 - Error during parsing: this plugin can only be used once per Server Block");
	lab_assert_setup(&plugin_nsid, "nsid a {\n}",
		"Corefile:2 - Error during parsing: this plugin can only be used once per Server Block");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_no_edns),
		cmocka_unit_test(test_host_name),
		cmocka_unit_test(test_longest),
		cmocka_unit_test(test_setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
