/* request_reply_message(): the reply of another server becomes the reply to our client. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "svcdns/chain.h"
#include "svcdns/memory.h"
#include "svcdns/query.h"
#include "svcdns/router.h"
#include "svcdns/worker.h"

#define QUESTION "\3wWw\7Example\0\0\1\0\1"
#define ANSWER	 "\xc0\x0c\0\1\0\1\0\0\1\x2c\0\4\xc0\0\2\1"
#define GLUE	 "\2ns\xc0\x10\0\1\0\1\0\0\1\x2c\0\4\xc0\0\2\x35"
#define OPT(ttl) "\0\0\x29\x04\xd0" ttl "\0\0"

struct message {
	const char *octets;
	size_t length;
};

#define MESSAGE(octets)                                                                                      \
	{                                                                                                    \
		octets, sizeof(octets) - 1                                                                   \
	}

static enum verdict take_message(void *self, struct request *r)
{
	const struct message *message = self;

	if (!request_reply_message(r, (const uint8_t *)message->octets, message->length))
		return request_fail(r, RCODE_SERVFAIL, "no use");
	return VERDICT_ANSWERED;
}

static const struct plugin plugin = {.name = "upstream", .serve = take_message};

/* Asks "wWw.Example A" of a server whose upstream replies with `message`; returns the reply's length, wire in
 * `out`. */
static size_t ask(const struct message *message, bool with_edns, uint8_t out[1024])
{
	static const char query[] = "\x12\x34\x01\0\0\1\0\0\0\0\0\0" QUESTION OPT("\0\0\0\0");
	struct message copy = *message;
	struct link link = {.plugin = &plugin, .self = &copy};
	struct chain chain = {.links = &link, .count = 1};
	struct route *route = memory_zero(1, sizeof(*route));
	struct router router;
	struct worker worker;
	struct request *r;
	size_t length;

	assert_true(name_from_text(".", &route->zone));
	route->chain = &chain;
	router_init(&router, route, 1);
	worker_init(&worker, 0, NULL);
	r = request_take(&worker);
	r->router = &router;
	r->transport = TRANSPORT_UDP;
	memcpy(r->wire, query, sizeof(query) - 1);
	r->wire[11] = with_edns;
	assert_int_equal(query_answer(r, sizeof(query) - 1 - (with_edns ? 0 : 11)), VERDICT_ANSWERED);
	length = r->reply.length;
	memcpy(out, r->wire, length);
	request_release(r);
	worker_finish(&worker);
	router_finish(&router);
	return length;
}

#define HEADER(flags, counts) "\xab\xcd" flags "\0\1" counts

static void test_whole_replies(void **state)
{
	static const struct {
		struct message upstream;
		bool with_edns;
		struct message reply;
	} cases[] = {
		/* id, RD and the question's case are the client's; RA and AD the upstream's */
		{MESSAGE(HEADER("\x81\xa0", "\0\1\0\0\0\0") "\3www\7example\0\0\1\0\1" ANSWER), false,
			MESSAGE("\x12\x34\x81\xa0\0\1\0\1\0\0\0\0" QUESTION ANSWER)},
		/* an OPT record is the upstream's affair; the client gets one if it sent one */
		{MESSAGE(HEADER("\x81\x80", "\0\1\0\0\0\1") QUESTION ANSWER OPT("\0\0\0\0")), false,
			MESSAGE("\x12\x34\x81\x80\0\1\0\1\0\0\0\0" QUESTION ANSWER)},
		{MESSAGE(HEADER("\x81\x80", "\0\1\0\0\0\1") QUESTION ANSWER OPT("\0\0\x80\0")), true,
			MESSAGE("\x12\x34\x81\x80\0\1\0\1\0\0\0\1" QUESTION ANSWER OPT("\0\0\0\0"))},
		/* options of the upstream, here an extended error, are kept */
		{MESSAGE(HEADER("\x81\x82", "\0\0\0\0\0\1") QUESTION
			 "\0\0\x29\x04\xd0\0\0\0\0\0\6\0\x0f\0\2\0\x17"),
			true,
			MESSAGE("\x12\x34\x81\x82\0\1\0\0\0\0\0\1" QUESTION
				"\0\0\x29\x04\xd0\0\0\0\0\0\6\0\x0f\0\2\0\x17")},
		/* OPT between other records: what stands behind it is written anew */
		{MESSAGE(HEADER("\x81\x80", "\0\1\0\0\0\3") QUESTION ANSWER GLUE OPT("\0\0\0\0") GLUE), false,
			MESSAGE("\x12\x34\x81\x80\0\1\0\1\0\0\0\2" QUESTION ANSWER GLUE GLUE)},
		/* high bits of an rcode (here 23) go with the OPT record */
		{MESSAGE(HEADER("\x81\x87", "\0\0\0\0\0\1") QUESTION OPT("\1\0\0\0")), true,
			MESSAGE("\x12\x34\x81\x87\0\1\0\0\0\0\0\1" QUESTION OPT("\1\0\0\0"))},
		/* octets behind the last record are not passed on */
		{MESSAGE(HEADER("\x81\x80", "\0\1\0\0\0\0") QUESTION ANSWER "trailing"), false,
			MESSAGE("\x12\x34\x81\x80\0\1\0\1\0\0\0\0" QUESTION ANSWER)},
	};
	uint8_t reply[1024];

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		size_t length = ask(&cases[i].upstream, cases[i].with_edns, reply);

		assert_int_equal(length, cases[i].reply.length);
		assert_memory_equal(reply, cases[i].reply.octets, length);
	}
}

static void test_refused_messages(void **state)
{
	static const struct message cases[] = {
		MESSAGE(""),
		MESSAGE("\xab\xcd\x81\x80"),
		MESSAGE(HEADER("\x81\x80", "\0\0\0\0\0\0") "\4evil\7example\0\0\1\0\1"),
		MESSAGE(HEADER("\x81\x80", "\0\0\0\0\0\0") "\3www\7example\0\0\x1c\0\1"),
		MESSAGE(HEADER("\x81\x80", "\0\0\0\0\0\0") "\3www\7example\0\0\1\0\3"),
		MESSAGE("\xab\xcd\x81\x80\0\0\0\1\0\0\0\0" ANSWER),
		MESSAGE(HEADER("\x81\x80", "\0\2\0\0\0\0") QUESTION ANSWER),
		MESSAGE(HEADER("\x81\x80", "\0\1\0\0\0\0") QUESTION "\xc0\x0c\0\1\0\1\0\0\1\x2c\0\5abcd"),
		MESSAGE(HEADER("\x81\x80", "\0\1\0\0\0\0") QUESTION "\xc0\x80\0\1\0\1\0\0\1\x2c\0\4abcd"),
	};
	uint8_t reply[1024];

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		assert_int_equal(ask(&cases[i], false, reply), MESSAGE_HEADER + sizeof(QUESTION) - 1);
		assert_int_equal(reply[3] & 15, RCODE_SERVFAIL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_replies),
		cmocka_unit_test(test_refused_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
