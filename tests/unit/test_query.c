/* query_answer(): what is let in, what header and OPT record go back, truncation; with one plugin that says
 * what it is told to. The cases are those of CoreDNS 1.14.7. */
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

#define NAME "\3www\7example\0"

static enum verdict answer_a(void *self, struct request *r)
{
	unsigned records = *(unsigned *)self;

	request_reply(r, RCODE_NOERROR, FLAG_AA);
	for (unsigned i = 0; i < records; i++) {
		writer_u16(&r->reply, WRITER_QUESTION);
		writer_address(&r->reply, SECTION_ANSWER, (const uint8_t *)"\x0a\0\0\1", 4, CLASS_IN, 30);
	}
	return VERDICT_ANSWERED;
}

struct fixture {
	unsigned records;
	struct plugin plugin;
	struct link link;
	struct chain chain;
	struct router router;
	struct worker worker;
	struct request *request;
};

static int setup(void **state)
{
	struct fixture *f = memory_zero(1, sizeof(*f));
	struct route *route = memory_zero(1, sizeof(*route));

	f->records = 1;
	f->plugin = (struct plugin){.name = "fake", .serve = answer_a};
	f->link = (struct link){.plugin = &f->plugin, .self = &f->records};
	f->chain = (struct chain){.links = &f->link, .count = 1};
	chain_lay_out(&f->chain);
	assert_true(name_from_text("example", &route->zone));
	route->chain = &f->chain;
	router_init(&f->router, route, 1);
	worker_init(&f->worker, 0, NULL);
	f->request = request_take(&f->worker);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	request_release(f->request);
	worker_finish(&f->worker);
	router_finish(&f->router);
	memory_free(f);
	return 0;
}

static enum verdict ask(struct fixture *f, enum transport transport, const char *query, size_t length)
{
	f->request->router = &f->router;
	f->request->transport = transport;
	memcpy(f->request->wire, query, length);
	return query_answer(f->request, length);
}

#define ASK(f, query) ask(f, TRANSPORT_UDP, query, sizeof(query) - 1)

static void test_header(void **state)
{
	static const struct {
		const char *query; /* header up to the counts */
		const char *reply; /* the same of the reply; NULL: none */
	} cases[] = {
		{"\x12\x34\x01\x00", "\x12\x34\x85\x00"}, /* RD */
		{"\x12\x34\x00\x00", "\x12\x34\x84\x00"},
		{"\x12\x34\x01\x10", "\x12\x34\x85\x10"}, /* CD comes back */
		{"\x12\x34\x01\x20", "\x12\x34\x85\x00"}, /* AD does not */
		{"\x12\x34\x01\x40", "\x12\x34\x85\x00"}, /* Z neither */
		{"\x12\x34\x05\x8f", "\x12\x34\x85\x00"}, /* nor AA, RA and an rcode */
		{"\x12\x34\x81\x00", NULL},		  /* a reply is no query */
		{"\x12\x34\x09\x00", "\x12\x34\x89\x04"}, /* IQUERY: NOTIMP */
		{"\x12\x34\x79\x00", "\x12\x34\xf9\x04"}, /* opcode 15 */
		{"\x12\x34\x21\x00", "\x12\x34\xa4\x00"}, /* NOTIFY is served like a query */
	};

	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		struct fixture *f = *state;
		char query[64] = {0};
		enum verdict verdict;

		memcpy(query, cases[i].query, 4);
		query[5] = 1;
		memcpy(query + 12, NAME "\0\1\0\1", 17);
		verdict = ask(f, TRANSPORT_UDP, query, 29);
		assert_int_equal(verdict, cases[i].reply ? VERDICT_ANSWERED : VERDICT_DROP);
		if (cases[i].reply)
			assert_memory_equal(f->request->wire, cases[i].reply, 4);
	}
}

static void test_counts(void **state)
{
	static const struct {
		const char counts[9];
		uint8_t rcode;
	} cases[] = {
		{"\0\1\0\0\0\0\0\0", RCODE_NOERROR},
		{"\0\1\0\1\0\0\0\0", RCODE_NOERROR},
		{"\0\1\0\0\0\1\0\0", RCODE_NOERROR},
		{"\0\1\0\0\0\0\0\2", RCODE_NOERROR},
		{"\0\0\0\0\0\0\0\0", RCODE_FORMERR},
		{"\0\2\0\0\0\0\0\0", RCODE_FORMERR},
		{"\0\1\0\2\0\0\0\0", RCODE_FORMERR},
		{"\0\1\0\0\0\2\0\0", RCODE_FORMERR},
		{"\0\1\0\0\0\0\0\3", RCODE_FORMERR},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		char query[64] = "\x12\x34\x01\0";

		memcpy(query + 4, cases[i].counts, 8);
		memcpy(query + 12, NAME "\0\1\0\1", 17);
		assert_int_equal(ask(f, TRANSPORT_UDP, query, 29), VERDICT_ANSWERED);
		assert_int_equal(f->request->wire[3] & 15, cases[i].rcode);
		assert_int_equal(f->request->reply.length, cases[i].rcode ? 12 : 29 + 16);
	}
}

static void test_short_packets(void **state)
{
	static const char query[] = "\x12\x34\x01\0\0\1\0\0\0\0\0\0" NAME "\0\1\0\1";
	struct fixture *f = *state;

	for (size_t length = 0; length < MESSAGE_HEADER; length++)
		assert_int_equal(ask(f, TRANSPORT_UDP, query, length), VERDICT_DROP);
	assert_int_equal(ask(f, TRANSPORT_UDP, query, MESSAGE_HEADER), VERDICT_ANSWERED);
	assert_int_equal(f->request->wire[3] & 15, RCODE_SERVFAIL);
	assert_int_equal(ask(f, TRANSPORT_UDP, query, MESSAGE_HEADER + 3), VERDICT_ANSWERED);
	assert_int_equal(f->request->wire[3] & 15, RCODE_FORMERR);
	assert_int_equal(f->request->reply.length, MESSAGE_HEADER);
}

static void test_class(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ASK(f, "\x12\x34\x01\0\0\1\0\0\0\0\0\0" NAME "\0\1\0\3"), VERDICT_ANSWERED);
	assert_int_equal(f->request->wire[3] & 15, RCODE_REFUSED);
	f->plugin.takes_any_class = f->router.any_class = true;
	assert_int_equal(ASK(f, "\x12\x34\x01\0\0\1\0\0\0\0\0\0" NAME "\0\1\0\3"), VERDICT_ANSWERED);
	assert_int_equal(f->request->wire[3] & 15, RCODE_NOERROR);
}

static void test_no_zone(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ASK(f, "\x12\x34\x01\0\0\1\0\0\0\0\0\0"
				"\3www\4test\0"
				"\0\1\0\1"),
		VERDICT_ANSWERED);
	assert_memory_equal(f->request->wire + 2, "\x81\x05\0\1\0\0\0\0\0\0", 10);
}

#define OPT(size, version, flags, options) "\0\0\x29" size "\0" version flags options

static void test_edns(void **state)
{
	struct fixture *f = *state;
	size_t end = 29 + 16;

	assert_int_equal(ASK(f, "\x12\x34\x01\0\0\1\0\0\0\0\0\1" NAME
				"\0\1\0\1" OPT("\x04\xd0", "\0", "\x80\0", "\0\7\0\3\0\3abc")),
		VERDICT_ANSWERED);
	assert_int_equal(f->request->reply.length, end + 11 + 7);
	assert_memory_equal(f->request->wire + end, OPT("\x04\xd0", "\0", "\x80\0", "\0\7\0\3\0\3abc"), 18);
	assert_int_equal(message_count(f->request->wire, 3), 1);
	/* Another version: BADVERS, nothing of the requestor's comes back. */
	assert_int_equal(ASK(f, "\x12\x34\x01\0\0\1\0\0\0\0\0\1" NAME
				"\0\1\0\1" OPT("\x04\xd0", "\1", "\x80\0", "\0\0")),
		VERDICT_ANSWERED);
	assert_int_equal(f->request->reply.length, 29 + 11);
	assert_memory_equal(f->request->wire + 29, "\0\0\x29\0\0\1\0\0\0\0\0", 11);
	assert_int_equal(f->request->wire[3] & 15, 0);
}

static void test_broken_options_are_refused_with_the_question(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ASK(f, "\x12\x34\x01\0\0\1\0\0\0\0\0\1" NAME
				"\0\1\0\1" OPT("\x04\xd0", "\0", "\0\0", "\0\6\0\3\0\5ab")),
		VERDICT_ANSWERED);
	assert_int_equal(f->request->wire[3] & 15, RCODE_FORMERR);
	assert_int_equal(f->request->reply.length, 29);
}

static void test_truncation(void **state)
{
	static const char plain[] = "\x12\x34\x01\0\0\1\0\0\0\0\0\0" NAME "\0\1\0\1";
	static const char large[] =
		"\x12\x34\x01\0\0\1\0\0\0\0\0\1" NAME "\0\1\0\1" OPT("\x04\xd0", "\0", "\0\0", "\0\0");
	static const char tiny[] =
		"\x12\x34\x01\0\0\1\0\0\0\0\0\1" NAME "\0\1\0\1" OPT("\0\x64", "\0", "\0\0", "\0\0");
	static const struct {
		enum transport transport;
		const char *query;
		size_t length;
		unsigned records, kept;
	} cases[] = {
		{TRANSPORT_UDP, plain, sizeof(plain) - 1, 30, 30}, /* 29 + 480 */
		{TRANSPORT_UDP, plain, sizeof(plain) - 1, 31, 30},
		{TRANSPORT_UDP, large, sizeof(large) - 1, 74, 74}, /* 29 + 11 + 1184 */
		{TRANSPORT_UDP, large, sizeof(large) - 1, 75, 74},
		{TRANSPORT_UDP, tiny, sizeof(tiny) - 1, 30, 29}, /* below 512 is 512 */
		{TRANSPORT_TCP, plain, sizeof(plain) - 1, 4000, 4000},
		{TRANSPORT_TCP, plain, sizeof(plain) - 1, 5000,
			4060}, /* the end of the buffer that OPT leaves */
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		bool is_cut = cases[i].kept < cases[i].records;

		f->records = cases[i].records;
		assert_int_equal(
			ask(f, cases[i].transport, cases[i].query, cases[i].length), VERDICT_ANSWERED);
		assert_int_equal(message_count(f->request->wire, 1), cases[i].kept);
		assert_int_equal(!!(f->request->wire[2] & 2), is_cut);
		assert_int_equal(f->request->reply.length,
			29 + 16 * cases[i].kept + (cases[i].query == plain ? 0 : 11));
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_header),
		TEST(test_counts),
		TEST(test_short_packets),
		TEST(test_class),
		TEST(test_no_zone),
		TEST(test_edns),
		TEST(test_broken_options_are_refused_with_the_question),
		TEST(test_truncation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
