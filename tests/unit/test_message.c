/* Messages: what is read of a query, what the writer writes (read back by ldns), how a reply is cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <ldns/ldns.h>

#include "svcdns/message.h"
#include "svcdns/writer.h"

#define HEADER(additional) "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00" additional
#define QUESTION	   "\3WwW\7eXample\0\0\1\0\1"

static bool read_query(const char *wire, size_t length, struct question *question, struct edns *edns)
{
	return message_read_query((const uint8_t *)wire, length, question, edns);
}

static void test_question_is_folded(void **state)
{
	static const char wire[] = HEADER("\0") QUESTION;
	struct question question;
	struct edns edns;
	char text[NAME_TEXT_MAX];

	(void)state;
	assert_true(read_query(wire, sizeof(wire) - 1, &question, &edns));
	name_to_text(&question.name, text);
	assert_string_equal(text, "www.example.");
	assert_int_equal(question.type, TYPE_A);
	assert_int_equal(question.class, CLASS_IN);
	assert_int_equal(question.end, sizeof(wire) - 1);
	assert_int_equal(question.name.labels, 2);
	assert_false(edns.present);
}

/* Every octet value in a label: only A-Z change. */
static void test_folding_changes_letters_only(void **state)
{
	(void)state;
	for (unsigned octet = 0; octet < 256; octet++) {
		uint8_t wire[] = HEADER("\0") "\x9xxxxxxxxx\0\0\1\0\1";
		struct question question;
		struct edns edns;

		wire[MESSAGE_HEADER + 4] = (uint8_t)octet;
		assert_true(message_read_query(wire, sizeof(wire) - 1, &question, &edns));
		assert_int_equal(question.name.wire[4], octet >= 'A' && octet <= 'Z' ? octet + 32 : octet);
	}
}

static void test_short_questions(void **state)
{
	static const char wire[] = HEADER("\0") QUESTION;
	const size_t name_end = sizeof(wire) - 1 - 4;
	struct question question;
	struct edns edns;

	(void)state;
	for (size_t length = MESSAGE_HEADER; length < sizeof(wire); length++) {
		bool expected = length == name_end || length == name_end + 2 || length == name_end + 4;

		assert_int_equal(read_query(wire, length, &question, &edns), expected);
		if (!expected && length < name_end)
			assert_int_equal(question.end, MESSAGE_HEADER);
	}
	assert_true(read_query(wire, name_end + 2, &question, &edns));
	assert_int_equal(question.type, TYPE_A);
	assert_int_equal(question.class, 0);
}

static void test_bad_names(void **state)
{
	static const struct {
		const char *wire;
		size_t length;
	} cases[] = {
		{HEADER("\0") "\xc0\x0c\0\1\0\1", 18},
		{HEADER("\0") "\100abc\0\0\1\0\1", 21},
		{HEADER("\0") "\77abc", 16},
	};
	struct question question;
	struct edns edns;

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		assert_false(read_query(cases[i].wire, cases[i].length, &question, &edns));
		assert_int_equal(question.end, MESSAGE_HEADER);
	}
}

static void test_edns(void **state)
{
	static const char wire[] = HEADER("\1") QUESTION "\0\0\x29\x04\xd0\0\0\x80\0\0\x10"
							 "\0\x0a\0\2zz\0\x08\0\2yy\0\3\0\0";
	struct question question;
	struct edns edns;

	(void)state;
	assert_true(read_query(wire, sizeof(wire) - 1, &question, &edns));
	assert_true(edns.present);
	assert_true(edns.dnssec_ok);
	assert_int_equal(edns.payload, 1232);
	assert_int_equal(edns.version, 0);
	assert_int_equal(edns.options_length, 10); /* COOKIE and NSID go back, the client subnet does not */
	assert_memory_equal(edns.options, "\0\x0a\0\2zz\0\3\0\0", 10);
}

static void test_broken_options(void **state)
{
	static const char wire[] = HEADER("\1") QUESTION "\0\0\x29\x04\xd0\0\0\0\0\0\6\0\3\0\5ab";
	struct question question;
	struct edns edns;

	(void)state;
	assert_false(read_query(wire, sizeof(wire) - 1, &question, &edns));
	assert_int_not_equal(question.end, MESSAGE_HEADER);
}

static struct name name_of(const char *text)
{
	struct name name;

	assert_true(name_from_text(text, &name));
	return name;
}

static size_t begin_message(struct writer *w, uint8_t *wire, size_t capacity)
{
	static const char query[] = HEADER("\0") QUESTION;

	memcpy(wire, query, sizeof(query) - 1);
	writer_init(w, wire, sizeof(query) - 1, capacity);
	return w->length;
}

static void finish_message(const struct writer *w)
{
	for (int i = 0; i < 3; i++)
		writer_put_u16_at(w->wire + 6 + 2 * i, w->count[i]);
}

/* The message as ldns reads it, records in presentation form one a line. */
static char *as_ldns_sees_it(const struct writer *w)
{
	ldns_pkt *packet = NULL;
	char *text;

	finish_message(w);
	assert_int_equal(ldns_wire2pkt(&packet, w->wire, w->length), LDNS_STATUS_OK);
	text = ldns_rr_list2str(ldns_pkt_answer(packet));
	ldns_pkt_free(packet);
	return text;
}

static void test_written_records(void **state)
{
	uint8_t wire[512];
	struct writer w;
	struct name target = name_of("sub.wWw.example"), other = name_of("other.test");
	char *text;

	(void)state;
	begin_message(&w, wire, sizeof(wire));
	writer_u16(&w, WRITER_QUESTION);
	writer_address(&w, SECTION_ANSWER, (const uint8_t *)"\x0a\x60\x0a\x02", 4, CLASS_IN, 30);
	writer_u16(&w, WRITER_QUESTION);
	writer_open(&w, SECTION_ANSWER, TYPE_CNAME, CLASS_IN, 5);
	writer_name_compressed(&w, &target);
	writer_close(&w);
	writer_name_compressed(&w, &other);
	writer_open(&w, SECTION_ANSWER, TYPE_SRV, CLASS_IN, 5);
	writer_u16(&w, 0);
	writer_u16(&w, 100);
	writer_u16(&w, 80);
	writer_name(&w, &other);
	writer_close(&w);
	assert_false(w.overflow);
	text = as_ldns_sees_it(&w);
	assert_string_equal(text, "WwW.eXample.\t30\tIN\tA\t10.96.10.2\n"
				  "WwW.eXample.\t5\tIN\tCNAME\tsub.wWw.example.\n"
				  "other.test.\t5\tIN\tSRV\t0 100 80 other.test.\n");
	free(text);
}

static void test_names_are_compressed(void **state)
{
	uint8_t wire[512];
	struct writer w;
	struct name same = name_of("WwW.eXample"), deep = name_of("a.b.eXample"),
		    again = name_of("c.b.eXample");
	size_t at;

	(void)state;
	at = begin_message(&w, wire, sizeof(wire));
	writer_name_compressed(&w, &same);
	assert_int_equal(w.length, at + 2);
	writer_name_compressed(&w, &deep); /* a, b, pointer */
	assert_int_equal(w.length, at + 2 + 6);
	writer_name(&w, &again); /* whole: 1+1 1+1 1+7 1 */
	assert_int_equal(w.length, at + 8 + 13);
	writer_name_compressed(&w, &again);
	assert_int_equal(w.length, at + 21 + 2);
}

static void test_overflow_is_sticky(void **state)
{
	uint8_t wire[64];
	struct writer w;
	size_t length;

	(void)state;
	length = begin_message(&w, wire, 40);
	writer_bytes(&w, "0123456789abcdef", 40 - length + 1);
	assert_true(w.overflow);
	assert_int_equal(w.length, length);
	writer_u8(&w, 1);
	assert_int_equal(w.length, length);
}

/* Records of another message, with compressed names in their RDATA, come out whole. */
static void test_record_copy(void **state)
{
	static const struct {
		const char *type, *text;
	} cases[] = {
		{"SOA", "ns.www.example. root.example. 1 7200 1800 86400 60"},
		{"MX", "10 mail.www.example."},
		{"SRV", "1 2 443 www.example."},
		{"NS", "ns.www.example."},
		{"TXT", "\"v=1\" \"x\""},
		{"NAPTR", "10 20 \"u\" \"E2U\" \"!a!b!\" x.www.example."},
		{"AAAA", "2001:db8::1"},
		{"CAA", "0 issue \"ca.example.net\""},
		{"RP", "a.www.example. b.www.example."},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		char line[256], expected[256];
		ldns_rr *rr = NULL;
		ldns_pkt *packet;
		uint8_t *from;
		size_t length;
		uint8_t wire[512];
		struct writer w;
		struct reader reader;
		struct record record;
		char *text;

		snprintf(line, sizeof(line), "www.example. 60 IN %s %s", cases[i].type, cases[i].text);
		snprintf(expected, sizeof(expected), "www.example.\t60\tIN\t%s\t%s\n", cases[i].type,
			cases[i].text);
		assert_int_equal(ldns_rr_new_frm_str(&rr, line, 0, NULL, NULL), LDNS_STATUS_OK);
		packet = ldns_pkt_query_new(
			ldns_dname_new_frm_str("www.example."), LDNS_RR_TYPE_A, LDNS_RR_CLASS_IN, 0);
		ldns_pkt_push_rr(packet, LDNS_SECTION_ANSWER, rr);
		assert_int_equal(ldns_pkt2wire(&from, packet, &length), LDNS_STATUS_OK);
		begin_message(&w, wire, sizeof(wire));
		reader_init(&reader, from, length, w.length);
		assert_true(reader_record(&reader, &record));
		assert_true(writer_record(&w, SECTION_ANSWER, from, length, &record));
		text = as_ldns_sees_it(&w);
		assert_string_equal(text, expected);
		free(text);
		free(from);
		ldns_pkt_free(packet);
	}
}

static void test_malformed_record_is_not_copied(void **state)
{
	static const uint8_t from[] = "\0\0\2\0\1\0\0\0\1\0\2\xc0\x40";
	uint8_t wire[128];
	struct writer w;
	struct reader reader;
	struct record record;
	size_t length;

	(void)state;
	length = begin_message(&w, wire, sizeof(wire));
	reader_init(&reader, from, sizeof(from) - 1, 0);
	assert_true(reader_record(&reader, &record));
	assert_false(writer_record(&w, SECTION_ANSWER, from, sizeof(from) - 1, &record));
	assert_int_equal(w.length, length);
	assert_int_equal(w.count[0], 0);
}

static void test_record_without_its_owner(void **state)
{
	static const uint8_t wire[] = "\1a\1b\xc0\0"
				      "\0\2\0\1\0\0\0\7\0\3xyz"
				      "\0\0\1";
	struct reader reader;
	struct record record;

	(void)state;
	reader_init(&reader, wire, sizeof(wire) - 1, 0);
	assert_true(reader_pass_record(&reader, &record));
	assert_int_equal(record.begin, 0);
	assert_int_equal(record.type, TYPE_NS);
	assert_int_equal(record.class, CLASS_IN);
	assert_int_equal(record.ttl, 7);
	assert_int_equal(record.ttl_at, 10);
	assert_int_equal(record.rdata, 16);
	assert_int_equal(record.end, 19);
	assert_false(reader_pass_record(&reader, &record)); /* it is cut off */
}

static void test_pointer_loops_end(void **state)
{
	static const struct {
		const char *wire;
		size_t length, at;
	} cases[] = {{"\xc0\0", 2, 0}, {"\1a\xc0\0", 4, 0}, {"\xc0\2\xc0\0", 4, 2}, {"\xc0\4xx", 4, 0},
		{"\1a\xc0", 3, 0}};
	struct reader reader;
	struct name name;

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		reader_init(&reader, (const uint8_t *)cases[i].wire, cases[i].length, cases[i].at);
		assert_false(reader_name(&reader, &name));
		assert_true(reader.failed);
		assert_int_equal(reader_u16(&reader), 0);
	}
}

static void test_cut(void **state)
{
	uint8_t wire[512];
	struct writer w;
	uint16_t kept[3];
	size_t length;

	(void)state;
	length = begin_message(&w, wire, sizeof(wire));
	for (int i = 0; i < 6; i++) {
		writer_u16(&w, WRITER_QUESTION);
		writer_address(&w, i < 4 ? SECTION_ANSWER : SECTION_AUTHORITY, (const uint8_t *)"abcd", 4,
			CLASS_IN, 1);
	}
	assert_int_equal(message_cut(wire, w.length, w.length, w.count, kept), w.length);
	assert_int_equal(kept[0], 4);
	assert_int_equal(kept[1], 2);
	assert_int_equal(message_cut(wire, w.length, length + 5 * 16 + 15, w.count, kept), length + 5 * 16);
	assert_int_equal(kept[1], 1);
	assert_int_equal(message_cut(wire, w.length, length + 3, w.count, kept), length);
	assert_int_equal(kept[0] + kept[1] + kept[2], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_question_is_folded),
		cmocka_unit_test(test_folding_changes_letters_only),
		cmocka_unit_test(test_short_questions),
		cmocka_unit_test(test_bad_names),
		cmocka_unit_test(test_edns),
		cmocka_unit_test(test_broken_options),
		cmocka_unit_test(test_written_records),
		cmocka_unit_test(test_names_are_compressed),
		cmocka_unit_test(test_overflow_is_sticky),
		cmocka_unit_test(test_record_copy),
		cmocka_unit_test(test_malformed_record_is_not_copied),
		cmocka_unit_test(test_record_without_its_owner),
		cmocka_unit_test(test_pointer_loops_end),
		cmocka_unit_test(test_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
