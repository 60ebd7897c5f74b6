/* log: every placeholder of a format, scopes and classes; the lines are those of CoreDNS 1.14.7. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/plugins/log/format.h"
#include "../support/plugin_lab.h"
#include "svcdns/clock.h"

extern const struct plugin plugin_log;

static void write_address(struct request *r, uint16_t rcode, uint16_t flags)
{
	request_reply(r, rcode, flags);
	writer_u16(&r->reply, WRITER_QUESTION);
	writer_address(&r->reply, SECTION_ANSWER, (const uint8_t *)"\12\0\0\1", 4, r->question.class, 5);
}

static void write_authority(struct request *r, uint16_t rcode, uint16_t type)
{
	request_reply(r, rcode, 0);
	writer_u16(&r->reply, WRITER_QUESTION);
	writer_open(&r->reply, SECTION_AUTHORITY, type, CLASS_IN, 5);
	writer_u8(&r->reply, 0);
	if (type == TYPE_SOA)
		writer_bytes(&r->reply, "\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\5", 21);
	writer_close(&r->reply);
}

/* An alias whose target is compressed: "a.alias." */
static void write_alias(struct request *r)
{
	struct name target;

	request_reply(r, RCODE_NOERROR, FLAG_AA | FLAG_TC | FLAG_RA | FLAG_AD);
	writer_u16(&r->reply, WRITER_QUESTION);
	writer_open(&r->reply, SECTION_ANSWER, TYPE_CNAME, CLASS_IN, 5);
	assert_true(name_from_text("a.alias.", &target));
	writer_name_compressed(&r->reply, &target);
	writer_close(&r->reply);
}

/* What an upstream would say, with an OPT record. */
static void take_message(struct request *r)
{
	static const char message[] = "\x12\x34\x81\x80\0\1\0\1\0\0\0\1\2up\0\0\1\0\1"
				      "\xc0\x0c\0\1\0\1\0\0\0\5\0\4\12\0\0\1"
				      "\0\0\x29\x10\0\0\0\0\0\0\0";

	assert_true(request_reply_message(r, (const uint8_t *)message, sizeof(message) - 1));
}

/* The first label says what the answer is. */
static enum verdict serve_world(void *self, struct request *r)
{
	char name[NAME_TEXT_MAX];

	(void)self;
	name_to_text(&r->question.name, name);
	if (strncmp(name, "drop.", 5) == 0)
		return VERDICT_DROP;
	if (strncmp(name, "bad.", 4) == 0)
		return request_fail(r, RCODE_SERVFAIL, "bad");
	if (strncmp(name, "refused.", 8) == 0)
		return request_fail(r, RCODE_REFUSED, "refused");
	if (strncmp(name, "odd.", 4) == 0)
		return request_fail(r, 12, "odd");
	if (strncmp(name, "none.", 5) == 0)
		write_authority(r, RCODE_NXDOMAIN, TYPE_SOA);
	else if (strncmp(name, "empty.", 6) == 0)
		write_authority(r, RCODE_NOERROR, TYPE_SOA);
	else if (strncmp(name, "child.", 6) == 0)
		write_authority(r, RCODE_NOERROR, TYPE_NS);
	else if (strncmp(name, "alias.", 6) == 0)
		write_alias(r);
	else if (strncmp(name, "up.", 3) == 0)
		take_message(r);
	else
		write_address(r, RCODE_NOERROR, FLAG_AA);
	return VERDICT_ANSWERED;
}

static const struct plugin plugin_world = {.name = "world", .serve = serve_world};

static void start(struct lab *lab, const char *directive)
{
	const struct link links[] = {{0}, {&plugin_world, NULL, 0}};

	if (!lab_read(lab, &plugin_log, directive))
		fail_msg("%s", lab->error.message);
	lab_start(lab, links, ARRAY_LENGTH(links));
}

/* The line that a format makes of a query. Of `query`, only what lab_ask() sends counts. */
static void check(
	const struct lab *query, const char *name, uint16_t type, const char *format, const char *expected)
{
	char directive[512], line[1024];
	struct capture capture;
	struct lab lab;

	snprintf(directive, sizeof(directive), "log . \"%s\"", format);
	snprintf(line, sizeof(line), "[INFO] %s\n", expected);
	start(&lab, directive);
	lab.router.any_class = true;
	lab.client = query->client ? query->client : lab.client;
	lab.transport = query->transport;
	lab.flags = query->flags;
	lab.class = query->class ? query->class : CLASS_IN;
	lab.payload = query->payload;
	lab.dnssec_ok = query->dnssec_ok;
	capture_begin(&capture);
	lab_ask(&lab, name, type);
	assert_string_equal(capture_end(&capture), line);
	lab_finish(&lab);
}

static const struct lab plain = {.flags = FLAG_RD};

static void test_text(void **state)
{
	static const struct {
		const char *format, *line;
	} table[] = {
		{"plain{", "plain{"},
		{"{type}", "A"},
		{"{type}{name}", "Awww."},
		{" {type} - {name} ", " A - www. "},
		/* What is no label stays. */
		{"{nope} {>nope} {} - {type} {Type} {when}", "{nope} {>nope} {} - A {Type} {when}"},
		{"{ {type} }", "{ A }"},
		{"} {type}", "} A"},
		{"{type", "{type"},
		{"{type{type}", "{typeA"},
		{"{{type}}", "{A}"},
		/* Metadata that nobody provides. */
		{"{/forward/upstream}", "-"},
		{"{/}", "-"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++)
		check(&plain, "www", TYPE_A, table[i].format, table[i].line);
}

#define ALL                                                                                                  \
	"{type} {class} {name} {proto} {remote} {port} {local} {size} {>id} {>opcode} {>do} {>bufsize} "     \
	"{rcode} {rsize} {>rflags}"

static void test_query(void **state)
{
	(void)state;
	check(&plain, "WWW.Example", TYPE_A, ALL,
		"A IN www.example. udp 192.0.2.1 40000 192.0.2.53 29 4660 0 false 512 NOERROR 56 qr,aa,rd");
	check(&plain, "a\\.b\\\"c\\200", 65280, "{type} {name}", "TYPE65280 a\\.b\\\"c\\200.");
	check(&plain, ".", TYPE_NS, "{type} {name}", "NS .");
	check(&(struct lab){.class = CLASS_CH}, "www", TYPE_TXT, "{type} {class}", "TXT CH");
	check(&(struct lab){.class = 17}, "www", TYPE_TXT, "{class}", "CLASS17");
	check(&(struct lab){.flags = OPCODE_NOTIFY << 11}, "www", TYPE_SOA, "{>opcode}", "4");
}

static void test_transport(void **state)
{
	(void)state;
	check(&(struct lab){.client = "2001:db8::1"}, "www", TYPE_A, "{remote}:{port} {local}",
		"[2001:db8::1]:40000 [2001:db8::53]");
	check(&(struct lab){.transport = TRANSPORT_TCP}, "www", TYPE_A, "{proto} {>bufsize}", "tcp 65535");
}

static void test_edns(void **state)
{
	(void)state;
	/* Our own OPT record is not counted. */
	check(&(struct lab){.payload = 1400, .dnssec_ok = true}, "www", TYPE_A,
		"{size} {>do} {>bufsize} {rsize}", "32 true 1400 40");
	check(&(struct lab){.payload = 100}, "www", TYPE_A, "{size} {>do} {>bufsize}", "32 false 512");
}

static void test_reply(void **state)
{
	(void)state;
	check(&(struct lab){.flags = 0}, "none", TYPE_A, "{rcode} {>rflags} {rsize}", "NXDOMAIN qr 60");
	check(&plain, "bad", TYPE_A, "{rcode} {>rflags} {rsize}", "SERVFAIL qr,rd 21");
	check(&plain, "odd", TYPE_A, "{rcode}", "12");
	check(&plain, "drop", TYPE_A, "{name} {rcode} {>rflags} {rsize}", "drop. - - 0");
	/* Names count in full: 2 octets of a compressed owner are 7, 4 of a target are 9. */
	check(&(struct lab){.flags = FLAG_RD | FLAG_CD}, "alias", TYPE_A, "{>rflags} {rsize}",
		"qr,aa,tc,rd,ra,ad,cd 49");
	/* An upstream's reply counts as it came, with its OPT record. */
	check(&plain, "up", TYPE_A, "{>rflags} {rsize}", "qr,rd,ra 49");
}

static void test_duration(void **state)
{
	static const struct {
		uint64_t ns;
		const char *text;
	} table[] = {
		{0, "0s"},
		{1, "0.000000001s"},
		{120000, "0.00012s"},
		{250 * CLOCK_MS, "0.25s"},
		{CLOCK_S, "1s"},
		{10 * CLOCK_S + 500 * CLOCK_MS, "10.5s"},
		{UINT64_C(4000000123), "4.000000123s"},
	};
	struct lab lab;

	(void)state;
	start(&lab, "log none");
	lab_ask(&lab, "www", TYPE_A);
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		char text[64];
		size_t length = format_write(format_parse("{duration}", &lab.arena), lab.request,
			lab.request->received + table[i].ns, text, sizeof(text) - 1);

		text[length] = '\0';
		assert_string_equal(text, table[i].text);
	}
	lab_finish(&lab);
}

/* A line that does not fit is cut, never overrun. */
static void test_small_buffer(void **state)
{
	char line[] = "............";
	struct lab lab;

	(void)state;
	start(&lab, "log none");
	lab_ask(&lab, "www", TYPE_A);
	assert_int_equal(
		format_write(format_parse("{name} {name} {name}", &lab.arena), lab.request, 1, line, 7), 7);
	assert_string_equal(line, "www. ww.....");
	lab_finish(&lab);
}

/* Asks for some names, and returns what was logged. */
static const char *log_of(const char *directive, const char *names, struct capture *capture)
{
	char copy[256], *rest;
	struct lab lab;

	start(&lab, directive);
	snprintf(copy, sizeof(copy), "%s", names);
	capture_begin(capture);
	for (const char *name = strtok_r(copy, " ", &rest); name; name = strtok_r(NULL, " ", &rest))
		lab_ask(&lab, name, TYPE_A);
	capture_end(capture);
	lab_finish(&lab);
	return capture->text;
}

#define NAMES "www none empty child bad refused drop"

static void test_lines(void **state)
{
	static const struct {
		const char *directive, *names, *lines;
	} table[] = {
		{"log . {name}", "www WWW.example", "[INFO] www.\n[INFO] www.example.\n"},
		/* Classes. */
		{"log . {name} {\nclass all\n}", NAMES,
			"[INFO] www.\n[INFO] none.\n[INFO] empty.\n[INFO] child.\n[INFO] bad.\n[INFO] "
			"refused.\n[INFO] drop.\n"},
		{"log . {name} {\nclass success\n}", NAMES, "[INFO] www.\n[INFO] child.\n"},
		{"log . {name} {\nclass denial\n}", NAMES, "[INFO] none.\n[INFO] empty.\n"},
		{"log . {name} {\nclass error\n}", NAMES, "[INFO] bad.\n[INFO] refused.\n[INFO] drop.\n"},
		{"log . {name} {\nclass denial\nclass error\n}", NAMES,
			"[INFO] none.\n[INFO] empty.\n[INFO] bad.\n[INFO] refused.\n[INFO] drop.\n"},
		{"log . {name} {\nclass denial all\n}", "www", "[INFO] www.\n"},
		/* Scopes: names in any of them; the first rule that has the name decides. */
		{"log A.test b.test {name}", "www x.a.test b.test ab.test",
			"[INFO] x.a.test.\n[INFO] b.test.\n"},
		{"log a.test one {name} {\nclass error\n}\nlog . two", "x.a.test bad.a.test",
			"[INFO] bad.a.test.\n"},
		{"log b.test \"second {name}\"\nlog . {name}", "x.b.test www",
			"[INFO] second x.b.test.\n[INFO] www.\n"},
		/* One word is a scope, whatever it looks like; without a brace there is no format. */
		{"log {name}", "www", ""},
		{"log a..test", "www", ""},
		{"log a..test b {name}", "b", "[INFO] b.\n"},
	};
	struct capture capture;

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++)
		assert_string_equal(log_of(table[i].directive, table[i].names, &capture), table[i].lines);
}

/* The formats that have a name, also within others; their last word is how long it took. */
static void test_named_formats(void **state)
{
#define COMMON "192.0.2.1:40000 - 4660 \"A IN www. udp 21 false 512\" NOERROR qr,aa,rd 40 "
	static const struct {
		const char *directive, *begin, *end;
	} table[] = {
		{"log", "[INFO] " COMMON, "s\n"},
		{"log .", "[INFO] " COMMON, "s\n"},
		{"log www", "[INFO] " COMMON, "s\n"},
		{"log a www", "[INFO] " COMMON, "s\n"},
		{"log . {common}", "[INFO] " COMMON, "s\n"},
		{"log . {combined}", "[INFO] " COMMON, "s \"0\"\n"},
		{"log . \"x {common} y\"", "[INFO] x " COMMON, "s y\n"},
	};
	struct capture capture;

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		const char *text = log_of(table[i].directive, "www", &capture);

		assert_true(strncmp(text, table[i].begin, strlen(table[i].begin)) == 0);
		assert_string_equal(text + strlen(text) - strlen(table[i].end), table[i].end);
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *directive, *message;
	} table[] = {
		{"log {\nclass warning\n}", "Corefile:3 - Error during parsing: invalid Class: warning"},
		{"log {\nclass\n}",
			"Corefile:3 - Error during parsing: Wrong argument count or unexpected line "
			"ending after 'class'"},
		{"log {\nformat combined\n}", "Corefile:3 - Error during parsing: unknown property 'format'"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		struct lab lab;

		assert_false(lab_read(&lab, &plugin_log, table[i].directive));
		assert_string_equal(lab.error.message, table[i].message);
		lab_finish(&lab);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_query),
		cmocka_unit_test(test_transport),
		cmocka_unit_test(test_edns),
		cmocka_unit_test(test_reply),
		cmocka_unit_test(test_duration),
		cmocka_unit_test(test_small_buffer),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_named_formats),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
