/* erratic: what is answered, and what is dropped, cut and delayed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../support/plugin_lab.h"
#include "svcdns/clock.h"

extern const struct plugin plugin_erratic;

static const struct link links[] = {{0}};

#define NEVER "erratic {\ndrop 0\n}"

static void test_answers(void **state)
{
	static const struct {
		const char *directive, *name;
		uint16_t type;
		const char *reply;
	} table[] = {
		{NEVER, "Www.example", TYPE_A, "NOERROR aa rd: Www.example. 0 A 192.0.2.53"},
		{NEVER, "www.example", TYPE_AAAA, "NOERROR aa rd: www.example. 0 AAAA 2001:db8::53"},
		{NEVER, "www.example", TYPE_MX, "SERVFAIL rd"},
		{"erratic {\ntruncate 1\n}", "www.example", TYPE_A,
			"NOERROR aa tc rd: www.example. 0 A 192.0.2.53"},
		{"erratic {\ntruncate 1\n}", "www.example", TYPE_MX, "SERVFAIL rd"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		struct lab lab;
		char reply[512];

		assert_true(lab_read(&lab, &plugin_erratic, table[i].directive));
		lab_start(&lab, links, ARRAY_LENGTH(links));
		assert_int_equal(lab_ask(&lab, table[i].name, table[i].type), VERDICT_ANSWERED);
		assert_string_equal(lab_reply(&lab, reply, sizeof(reply)), table[i].reply);
		lab_finish(&lab);
	}
}

/* The zone as octets: each record is what it says. One that is cut ends early. */
static void test_zone(void **state)
{
#define SOA                                                                                                  \
	"\xc0\x0c\0\6\0\1\0\0\0\0\0\x3a\3sns\3dns\5icann\3org\0\3noc\3dns\5icann\3org\0\x78\x49\3\x09"       \
	"\0\0\x1c\x20\0\0\x0e\x10\0\x12\x75\0\0\0\x0e\x10"
	static const char zone[] =
		SOA "\xc0\x0c\0\2\0\1\0\0\0\0\0\4\1a\xc0\x0c\xc0\x0c\0\2\0\1\0\0\0\0\0\4\1b\xc0\x0c"
		    "\1a\xc0\x0c\0\x1c\0\1\0\0\0\0\0\x10\x20\1\x0b\xd8\0\0\0\0\0\0\0\0\0\0\0\x53"
		    "\1b\xc0\x0c\0\x1c\0\1\0\0\0\0\0\x10\x20\1\5\0\0\0\0\0\0\0\0\0\0\0\0\x54" SOA;
	static const struct {
		const char *directive;
		size_t length;
	} table[] = {
		{NEVER, sizeof(zone) - 1},
		{"erratic {\ntruncate 1\n}", sizeof(zone) - sizeof(SOA)},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		struct lab lab;

		assert_true(lab_read(&lab, &plugin_erratic, table[i].directive));
		lab_start(&lab, links, ARRAY_LENGTH(links));
		assert_int_equal(lab_ask(&lab, "example", TYPE_AXFR), VERDICT_ANSWERED);
		assert_int_equal(lab.request->reply_flags, FLAG_AA | FLAG_RD);
		assert_int_equal(lab.request->reply.length, lab.request->question.end + table[i].length);
		assert_memory_equal(lab.request->wire + lab.request->question.end, zone, table[i].length);
		lab_finish(&lab);
	}
}

static void test_large(void **state)
{
	struct lab lab;

	(void)state;
	assert_true(lab_read(&lab, &plugin_erratic, "erratic {\ndrop 0\nlarge\n}"));
	lab_start(&lab, links, ARRAY_LENGTH(links));
	lab.transport = TRANSPORT_TCP;
	assert_int_equal(lab_ask(&lab, "www.example", TYPE_A), VERDICT_ANSWERED);
	assert_int_equal(lab.request->reply.count[SECTION_ANSWER], 30);
	assert_int_equal(lab_ask(&lab, "www.example", TYPE_AAAA), VERDICT_ANSWERED);
	assert_int_equal(lab.request->reply.count[SECTION_ANSWER], 1);
	lab_finish(&lab);
}

/* Lets the delayed request go on when its time has come. */
static void wait(struct lab *lab)
{
	lab->worker.now = timers_next(&lab->worker);
	timers_run(&lab->worker);
	assert_int_equal(lab->delivered, VERDICT_ANSWERED);
}

/* One letter for each of seven queries: "x" dropped, "t" cut, "l" late, "b" both, "." none of them. */
static void test_one_in_so_many(void **state)
{
	static const struct {
		const char *directive, *fates;
	} table[] = {
		{"erratic", "x.x.x.x"},
		{"erratic {\ndrop\n}", "x.x.x.x"},
		{"erratic {\ndrop 3\n}", "x..x..x"},
		{"erratic {\ndrop 1\n}", "xxxxxxx"},
		{"erratic {\ndrop 0\n}", "......."},
		{"erratic {\ndrop 3\n}\nerratic {\ndrop 2\n}", "x.x.x.x"},
		{"erratic {\nlarge\n}", "x.x.x.x"},
		/* Nothing is dropped when something else is asked for, unless that is asked for as well. */
		{"erratic {\ntruncate\n}", "t.t.t.t"},
		{"erratic {\ntruncate 3\n}", "t..t..t"},
		{"erratic {\ntruncate 0\n}", "x.x.x.x"},
		{"erratic {\ndelay\n}", "l.l.l.l"},
		{"erratic {\ndelay 3 1s\n}", "l..l..l"},
		{"erratic {\ndelay 3\ntruncate 2\n}", "b.tlt.b"},
		{"erratic {\ndrop\ndelay 3\n}", "x.xlx.x"},
		{"erratic {\ndrop 3\ntruncate 2\n}", "x.txt.x"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		struct lab lab;
		char fates[8] = "";

		if (!lab_read(&lab, &plugin_erratic, table[i].directive))
			fail_msg("%s", lab.error.message);
		lab_start(&lab, links, ARRAY_LENGTH(links));
		for (size_t n = 0; n < sizeof(fates) - 1; n++) {
			enum verdict verdict = lab_ask(&lab, "www.example", TYPE_A);
			bool is_late = verdict == VERDICT_PENDING, is_cut;

			if (is_late)
				wait(&lab);
			is_cut = lab.request->reply_flags & FLAG_TC;
			fates[n] = verdict == VERDICT_DROP ? 'x'
				   : is_late && is_cut	   ? 'b'
				   : is_late		   ? 'l'
				   : is_cut		   ? 't'
							   : '.';
		}
		assert_string_equal(fates, table[i].fates);
		lab_finish(&lab);
	}
}

static void check_delay(const char *directive, uint64_t expected)
{
	struct lab lab;

	assert_true(lab_read(&lab, &plugin_erratic, directive));
	lab_start(&lab, links, ARRAY_LENGTH(links));
	lab.worker.now = 1000;
	assert_int_equal(lab_ask(&lab, "www.example", TYPE_A), VERDICT_PENDING);
	assert_int_equal(timers_next(&lab.worker), 1000 + expected);
	lab.worker.now = 1000 + expected - 1;
	timers_run(&lab.worker);
	assert_int_equal(lab.delivered, VERDICT_NEXT);
	wait(&lab);
	lab_finish(&lab);
}

static void test_delays(void **state)
{
	(void)state;
	check_delay("erratic {\ndelay\n}", 100 * CLOCK_MS);
	check_delay("erratic {\ndelay 1\n}", 100 * CLOCK_MS);
	check_delay("erratic {\ndelay 1 50ms\n}", 50 * CLOCK_MS);
}

/* Several that wait: each goes on at its own time. What still waits at the end is let go. */
static void test_queue(void **state)
{
	struct request *requests[3], *first;
	struct lab lab;

	(void)state;
	assert_true(lab_read(&lab, &plugin_erratic, "erratic {\ndelay 1 10ns\n}"));
	lab_start(&lab, links, ARRAY_LENGTH(links));
	first = lab.request;
	for (size_t i = 0; i < ARRAY_LENGTH(requests); i++) {
		requests[i] = lab.request = request_take(&lab.worker);
		lab.worker.now = 100 + 5 * i;
		assert_int_equal(lab_ask(&lab, "www.example", TYPE_A), VERDICT_PENDING);
	}
	assert_int_equal(lab.worker.waiting, 3);
	lab.worker.now = 115;
	timers_run(&lab.worker);
	assert_int_equal(lab.worker.waiting, 1);
	assert_int_equal(timers_next(&lab.worker), 120);
	plugin_erratic.stop(lab.self);
	lab.self = NULL;
	assert_int_equal(lab.worker.waiting, 0);
	for (size_t i = 0; i < ARRAY_LENGTH(requests); i++)
		request_release(requests[i]);
	lab.request = first;
	lab_finish(&lab);
}

static void test_too_many_wait(void **state)
{
	struct lab lab;
	char reply[256];

	(void)state;
	assert_true(lab_read(&lab, &plugin_erratic, "erratic {\ndelay 1\n}"));
	lab_start(&lab, links, ARRAY_LENGTH(links));
	lab.worker.waiting = WORKER_WAITING_MAX;
	assert_int_equal(lab_ask(&lab, "www.example", TYPE_A), VERDICT_ANSWERED);
	assert_string_equal(lab_reply(&lab, reply, sizeof(reply)), "SERVFAIL rd");
	lab.worker.waiting = 0;
	lab_finish(&lab);
}

static void test_refused(void **state)
{
	static const struct {
		const char *directive, *message;
	} table[] = {
		{"erratic {\ndrop -1\n}", "illegal amount value given \"-1\""},
		{"erratic {\ndelay -1\n}", "illegal amount value given \"-1\""},
		{"erratic {\ntruncate x\n}",
			"Corefile:3 - Error during parsing: strconv.ParseInt: parsing \"x\": invalid syntax"},
		{"erratic {\ntruncate 2 3\n}", "Corefile:3 - Error during parsing: Wrong argument count or "
					       "unexpected line ending after '3'"},
		{"erratic {\ndelay 1 5\n}",
			"Corefile:3 - Error during parsing: time: missing unit in duration \"5\""},
		{"erratic {\ndelay 1 -5s\n}", "Corefile:3 - Error during parsing: negative duration \"-5s\""},
		{"erratic {\ndelay 1 5s 6\n}", "Corefile:3 - Error during parsing: Wrong argument count or "
					       "unexpected line ending after '6'"},
		{"erratic {\nfail\n}", "Corefile:3 - Error during parsing: unknown property 'fail'"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		struct lab lab;

		assert_false(lab_read(&lab, &plugin_erratic, table[i].directive));
		assert_string_equal(lab.error.message, table[i].message);
		lab_finish(&lab);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_zone),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_one_in_so_many),
		cmocka_unit_test(test_delays),
		cmocka_unit_test(test_queue),
		cmocka_unit_test(test_too_many_wait),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
