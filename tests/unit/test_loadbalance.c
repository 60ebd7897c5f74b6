/* loadbalance: the order of records, and that chance is fair. A reply is written as "c1 t1 a1 a2 m1 / a3 +
 * a4": its answer, authority and additional records, each by a letter for its kind and a number of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../support/plugin_lab.h"
#include "svcdns/clock.h"

extern const struct plugin plugin_loadbalance;

#define ROUNDS 64 /* an order that should change and did not in so many rounds: 1 in 2^64 */

struct world {
	const char *records;
	uint16_t rcode;
};

static void write_exchange(struct writer *w, enum section section, uint8_t number)
{
	writer_open(w, section, TYPE_MX, CLASS_IN, 5);
	writer_u16(w, number);
	writer_bytes(w, "\4mail", 5);
	writer_u16(w, WRITER_QUESTION);
	writer_close(w);
}

static void write_record(struct writer *w, enum section section, char kind, uint8_t number)
{
	uint8_t ipv4[4] = {kind == 'a' ? 10 : 192, 0, 2, number}, ipv6[16] = {0xfd, [15] = number};

	writer_u16(w, WRITER_QUESTION);
	if (kind == 'a' || kind == 'b') {
		writer_address(w, section, ipv4, 4, CLASS_IN, 5);
	} else if (kind == 'x') {
		writer_address(w, section, ipv6, 16, CLASS_IN, 5);
	} else if (kind == 'm') {
		write_exchange(w, section, number);
	} else {
		writer_open(w, section, kind == 'c' ? TYPE_CNAME : TYPE_TXT, CLASS_IN, 5);
		writer_label(w, &number, 1);
		if (kind == 'c')
			writer_u16(w, WRITER_QUESTION);
		writer_close(w);
	}
}

static enum verdict serve_world(void *self, struct request *r)
{
	const struct world *world = self;
	enum section section = SECTION_ANSWER;

	request_reply(r, world->rcode, FLAG_AA);
	for (const char *at = world->records; *at; at++) {
		if (*at == '/')
			section = SECTION_AUTHORITY;
		else if (*at == '+')
			section = SECTION_ADDITIONAL;
		else if (*at >= 'a' && *at <= 'z')
			write_record(&r->reply, section, *at, (uint8_t)atoi(at + 1));
	}
	return VERDICT_ANSWERED;
}

static const struct plugin plugin_world = {.name = "world", .serve = serve_world};

static void describe(const uint8_t *wire, const struct record *record, char *out, size_t size)
{
	const uint8_t *rdata = wire + record->rdata, *last = wire + record->end - 1;

	switch (record->type) {
	case TYPE_A:
		snprintf(out, size, "%c%u", rdata[0] == 10 ? 'a' : 'b', *last);
		break;
	case TYPE_AAAA:
		snprintf(out, size, "x%u", *last);
		break;
	case TYPE_MX:
		snprintf(out, size, "m%u", message_u16(rdata));
		break;
	default:
		snprintf(out, size, "%c%u", record->type == TYPE_CNAME ? 'c' : 't', rdata[1]);
	}
}

static const char *order(const struct request *r, char out[1024])
{
	static const char marks[] = {' ', '/', '+'};
	struct reader reader;
	struct record record;
	size_t at = 0;

	reader_init(&reader, r->wire, r->reply.length, r->question.end);
	for (unsigned section = 0; section < 3; section++) {
		if (section && r->reply.count[section])
			at += (size_t)snprintf(out + at, 1024 - at, "%c ", marks[section]);
		for (unsigned i = 0; i < r->reply.count[section]; i++) {
			char text[16];

			assert_true(reader_record(&reader, &record));
			describe(r->wire, &record, text, sizeof(text));
			at += (size_t)snprintf(out + at, 1024 - at, "%s ", text);
		}
	}
	assert_int_equal(reader_left(&reader), 0);
	out[at ? at - 1 : 0] = '\0';
	return out;
}

static void start(struct lab *lab, const char *directive, struct world *world)
{
	const struct link links[] = {{0}, {&plugin_world, world, 0}};

	if (!lab_read(lab, &plugin_loadbalance, directive))
		fail_msg("%s", lab->error.message);
	if (!plugin_loadbalance.open(lab->config, &lab->error))
		fail_msg("%s", lab->error.message);
	lab_start(lab, links, ARRAY_LENGTH(links));
	lab->transport = TRANSPORT_TCP;
}

static const char *ask(struct lab *lab, uint16_t type, char out[1024])
{
	assert_int_equal(lab_ask(lab, "Www.example", type), VERDICT_ANSWERED);
	return order(lab->request, out);
}

/* What does not change, whatever chance says. */
static void test_order_of_kinds(void **state)
{
	static const struct {
		const char *directive, *records, *order;
	} table[] = {
		{"loadbalance", "", ""},
		{"loadbalance", "a1", "a1"},
		{"loadbalance", "c2 c1 a1", "c2 c1 a1"},
		{"loadbalance", "a1 c2 c1", "c2 c1 a1"},
		{"loadbalance", "m1 a1 t2 t1 c1", "c1 t2 t1 a1 m1"},
		{"loadbalance round_robin", "t1 c1 / m1 t1 + m2 a2", "c1 t1 / t1 m1 + a2 m2"},
		{"loadbalance", "t3 t1 t2 / t5 t4 + t7 t6", "t3 t1 t2 / t5 t4 + t7 t6"},
		{"loadbalance {\nprefer 10.0.0.0/8\n}", "m1 b1 a1 t2 t1 c1", "c1 a1 b1 m1 t2 t1"},
		{"loadbalance {\nprefer 192.0.2.0/24 10.0.0.0/8\n}", "x1 a1 b1", "b1 a1 x1"},
		{"loadbalance {\nprefer fd00::/8\nprefer 10.0.0.0/8\n}", "b1 a1 x1 t1", "x1 a1 b1 t1"},
		{"loadbalance {\nprefer 10.0.2.1/32 10.0.0.0/8\n}", "a2 a1", "a1 a2"},
		/* Authority is none of its business. */
		{"loadbalance {\nprefer 10.0.2.0/24\n}", "/ t1 a1 + t2 a2", "/ t1 a1 + a2 t2"},
		{"loadbalance {\nprefer 10.0.0.0/8\n}\nloadbalance {\nprefer 192.0.0.0/8\n}", "x1 b1 a1",
			"a1 b1 x1"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		struct world world = {.records = table[i].records};
		struct lab lab;
		char text[1024];

		start(&lab, table[i].directive, &world);
		for (int round = 0; round < 10; round++)
			assert_string_equal(ask(&lab, TYPE_A, text), table[i].order);
		lab_finish(&lab);
	}
}

/* Asks `rounds` times, and returns how often this order came. */
static unsigned count_order(struct lab *lab, const char *expected, unsigned rounds)
{
	unsigned count = 0;
	char text[1024];

	while (rounds--)
		count += strcmp(ask(lab, TYPE_A, text), expected) == 0;
	return count;
}

static void test_left_alone(void **state)
{
	static const struct {
		uint16_t rcode, type;
	} table[] = {{RCODE_NXDOMAIN, TYPE_A}, {RCODE_SERVFAIL, TYPE_A}, {RCODE_REFUSED, TYPE_A},
		{RCODE_NOERROR, TYPE_AXFR}, {RCODE_NOERROR, TYPE_IXFR}};
	const char *records = "a1 a2 c1 / a3 a4 + a5 a6";

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		struct world world = {.records = records, .rcode = table[i].rcode};
		struct lab lab;
		char text[1024];

		start(&lab, "loadbalance", &world);
		for (int round = 0; round < ROUNDS; round++)
			assert_string_equal(ask(&lab, table[i].type, text), records);
		lab_finish(&lab);
	}
}

/* Of all orders each comes as often: 600 times, and within seven times what chance usually errs by. */
static void check_orders(const char *records, const char *const *orders, unsigned count)
{
	struct world world = {.records = records};
	unsigned seen[24] = {0}, rounds = 600 * count;
	struct lab lab;
	char text[1024];

	start(&lab, "loadbalance", &world);
	while (rounds--) {
		unsigned i = 0;

		ask(&lab, TYPE_A, text);
		while (i < count && strcmp(text, orders[i]) != 0)
			i++;
		if (i == count)
			fail_msg("%s", text);
		seen[i]++;
	}
	for (unsigned i = 0; i < count; i++)
		assert_in_range(seen[i], 600 - 7 * 25, 600 + 7 * 25);
	lab_finish(&lab);
}

static void test_every_order_as_often(void **state)
{
	static const char *const two[] = {"a1 a2", "a2 a1"};
	static const char *const three[] = {
		"a1 a2 a3", "a1 a3 a2", "a2 a1 a3", "a2 a3 a1", "a3 a1 a2", "a3 a2 a1"};
	static const char *const mixed[] = {
		"c1 a1 x2 b3", "c1 a1 b3 x2", "c1 x2 a1 b3", "c1 x2 b3 a1", "c1 b3 a1 x2", "c1 b3 x2 a1"};
	static const char *const exchanges[] = {
		"m1 m2 m3", "m1 m3 m2", "m2 m1 m3", "m2 m3 m1", "m3 m1 m2", "m3 m2 m1"};
	static const char *const authority[] = {"/ a1 a2", "/ a2 a1"};
	static const char *const additional[] = {"+ x1 x2", "+ x2 x1"};

	(void)state;
	check_orders("a1 a2", two, ARRAY_LENGTH(two));
	check_orders("a1 a2 a3", three, ARRAY_LENGTH(three));
	check_orders("a1 x2 b3 c1", mixed, ARRAY_LENGTH(mixed));
	check_orders("m1 m2 m3", exchanges, ARRAY_LENGTH(exchanges));
	check_orders("/ a1 a2", authority, ARRAY_LENGTH(authority));
	check_orders("+ x1 x2", additional, ARRAY_LENGTH(additional));
}

/* Those that are preferred change places among themselves, and so do the others. */
static void test_preferred_are_shuffled(void **state)
{
	struct world world = {.records = "b1 a1 b2 a2"};
	unsigned seen[2][2] = {0};
	struct lab lab;
	char text[1024];

	(void)state;
	start(&lab, "loadbalance {\nprefer 10.0.0.0/8\n}", &world);
	for (int round = 0; round < ROUNDS; round++) {
		ask(&lab, TYPE_A, text);
		assert_true(text[0] == 'a' && text[3] == 'a' && text[6] == 'b' && text[9] == 'b');
		seen[text[1] - '1'][text[7] - '1']++;
	}
	assert_true(seen[0][0] && seen[0][1] && seen[1][0] && seen[1][1]);
	lab_finish(&lab);
}

static void test_many(void **state)
{
	char records[4096] = "", first[1024], text[1024];
	struct world world = {.records = records};
	struct lab lab;

	(void)state;
	for (int i = 0; i < 200; i++)
		snprintf(records + strlen(records), sizeof(records) - strlen(records), "a%d ", i);
	start(&lab, "loadbalance", &world);
	snprintf(first, sizeof(first), "%s", ask(&lab, TYPE_A, text));
	assert_string_not_equal(ask(&lab, TYPE_A, text), first);
	assert_int_equal(strlen(text), strlen(records) - 1);
	lab_finish(&lab);
}

/* A reply that has no room for all its records is cut later; its last record may not be whole. */
static void test_overflow(void **state)
{
	struct world world = {.records = "a1 a2"};
	const struct link links[] = {{0}, {&plugin_world, &world, 0}};
	struct lab lab;

	(void)state;
	assert_true(lab_read(&lab, &plugin_loadbalance, "loadbalance"));
	lab_start(&lab, links, ARRAY_LENGTH(links));
	assert_int_equal(lab_ask(&lab, "www.example", TYPE_A), VERDICT_ANSWERED);
	for (int round = 0; round < ROUNDS; round++) {
		uint8_t kept[512];

		lab.request->reply.overflow = true;
		memcpy(kept, lab.request->wire, lab.request->reply.length);
		plugin_loadbalance.reply(lab.self, lab.request);
		assert_memory_equal(lab.request->wire, kept, lab.request->reply.length);
	}
	lab_finish(&lab);
}

/* At once: half a file is one that would count. */
static void write_file(const char *path, const char *text)
{
	char fresh[64];
	FILE *file;

	snprintf(fresh, sizeof(fresh), "%s.fresh", path);
	file = fopen(fresh, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(rename(fresh, path), 0);
}

struct weight_file {
	char path[32], directive[128];
};

static void make_file(struct weight_file *file, const char *text, const char *reload)
{
	int fd;

	snprintf(file->path, sizeof(file->path), "/tmp/svcdns-test-XXXXXX");
	fd = mkstemp(file->path);
	assert_true(fd >= 0);
	close(fd);
	write_file(file->path, text);
	snprintf(file->directive, sizeof(file->directive), "loadbalance weighted %s {\nreload %s\n}",
		file->path, reload);
}

static void start_weighted(struct lab *lab, const char *text, struct world *world)
{
	struct weight_file file;
	struct capture capture;

	make_file(&file, text, "0s");
	capture_begin(&capture);
	start(lab, file.directive, world);
	capture_end(&capture);
	unlink(file.path);
}

static void test_weights(void **state)
{
	static const struct {
		const char *file, *records, *first;
		unsigned of_1000; /* how often that is to come first */
	} table[] = {
		{"www.example\n10.0.2.1 3\n10.0.2.2 1\n", "a1 a2", "a1 a2", 750},
		{"www.example\n10.0.2.1 3\n10.0.2.2 1\n", "a2 a1", "a1 a2", 750},
		{"WWW.Example.\n10.0.2.1 255\n", "a2 a1", "a1 a2", 996},
		{"# all of it\n\n \t www.example \r\n10.0.2.1\t3 \n  10.0.2.2 2", "a1 a2", "a2 a1", 400},
		/* What is not in the file weighs one; the rest stays where it was but for the one that
		 * changes places with the first. */
		{"www.example\n10.0.2.3 6\n", "a1 a2 a3", "a3 a2 a1", 750},
		{"www.example\n10.0.2.3 6\n", "c1 m2 m1 a1 t1 a3 x4", "c1 t1 a3 a1 x4 m2 m1", 750},
		{"www.example\nfd00::2 9\n", "x1 x2", "x2 x1", 900},
		{"www.example\n10.0.2.1 3\nother.example\n10.0.2.2 9\n", "a1 a2", "a1 a2", 750},
		{"other.example\n10.0.2.1 9\n", "a1 a2", "a1 a2", 500},
		{"", "a1 a2", "a1 a2", 500},
		/* Of two lines for an address the first counts; a name may come twice. */
		{"www.example\n10.0.2.1 3\n10.0.2.1 9\nb\nwww.example\n10.0.2.2 3\n", "a1 a2", "a1 a2", 500},
		/* A name that cannot be asked for */
		{"www..example\n10.0.2.1 9\n", "a1 a2", "a1 a2", 500},
		{"www.example\n10.0.2.1 3\n10.0.2.2 1\n", "/ t1 + a1 a2", "/ t1 + a1 a2", 750},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		struct world world = {.records = table[i].records};
		struct lab lab;
		unsigned expected = 4 * table[i].of_1000, seen;

		start_weighted(&lab, table[i].file, &world);
		seen = count_order(&lab, table[i].first, 4000);
		if (seen + 225 < expected ||
			seen > expected + 225) /* seven times what chance errs by at most */
			fail_msg("case %zu: %u of 4000, not %u", i, seen, expected);
		lab_finish(&lab);
	}
}

static void test_weights_leave_alone(void **state)
{
	static const struct {
		const char *records;
		uint16_t type;
	} table[] = {{"a1 a2 c1", TYPE_MX}, {"m1 m2 c1", TYPE_A}, {"t1 c1 / a1 a2 c2", TYPE_A},
		{"a1 a2", TYPE_AXFR}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		struct world world = {.records = table[i].records};
		struct lab lab;
		char text[1024];

		start_weighted(&lab, "www.example\n10.0.2.2 255\n", &world);
		for (int round = 0; round < ROUNDS; round++)
			assert_string_equal(ask(&lab, table[i].type, text), table[i].records);
		lab_finish(&lab);
	}
}

static void test_srv_is_weighted(void **state)
{
	struct world world = {.records = "t1 + a1 a2"};
	unsigned changed = 0;
	struct lab lab;
	char text[1024];

	(void)state;
	start_weighted(&lab, "www.example\n10.0.2.2 255\n", &world);
	for (int round = 0; round < ROUNDS; round++)
		changed += strcmp(ask(&lab, TYPE_SRV, text), "t1 + a2 a1") == 0;
	assert_in_range(changed, ROUNDS / 2, ROUNDS);
	lab_finish(&lab);
}

/* Whether the worker sees another weight file within good time. */
static bool refreshes(struct lab *lab, const char *expected)
{
	for (uint64_t end = clock_monotonic() + 20 * CLOCK_S; clock_monotonic() < end; usleep(1000)) {
		plugin_loadbalance.refresh(lab->self);
		if (count_order(lab, expected, ROUNDS) > ROUNDS * 9 / 10)
			return true;
	}
	return false;
}

/* Whether that is written to the log within good time. */
static bool logs(const struct capture *capture, const char *line)
{
	char text[8192];

	for (uint64_t end = clock_monotonic() + 20 * CLOCK_S; clock_monotonic() < end; usleep(1000)) {
		ssize_t length = pread(capture->file, text, sizeof(text) - 1, 0);

		assert_true(length >= 0);
		text[length] = '\0';
		if (strstr(text, line))
			return true;
	}
	return false;
}

static void test_reload(void **state)
{
	struct world world = {.records = "a1 a2 a3"};
	struct weight_file file;
	struct capture capture;
	struct lab lab;
	const char *log;

	(void)state;
	make_file(&file, "www.example\n10.0.2.2 255\n", "1ms");
	unlink(file.path); /* comes later */
	capture_begin(&capture);
	start(&lab, file.directive, &world);
	write_file(file.path, "www.example\n10.0.2.2 255\n");
	assert_true(refreshes(&lab, "a2 a1 a3"));
	write_file(file.path, "www.example\n10.0.2.3 0\n");
	assert_true(
		logs(&capture, "[ERROR] plugin/loadbalance: wrong weight value:\"0\" in weight file /tmp/"));
	unlink(file.path);
	assert_true(logs(&capture, "[ERROR] plugin/loadbalance: open /tmp/"));
	assert_true(refreshes(&lab, "a2 a1 a3")); /* still */
	write_file(file.path, "www.example\n10.0.2.3 255\n");
	assert_true(refreshes(&lab, "a3 a2 a1"));
	lab_finish(&lab);
	log = capture_end(&capture);
	assert_non_null(strstr(log, "[WARNING] plugin/loadbalance: Failed to open weight file: open /tmp/"));
	assert_non_null(strstr(log, "[INFO] plugin/loadbalance: Successfully reloaded weight file /tmp/"));
	unlink(file.path);
}

static void test_refused_files(void **state)
{
	static const struct {
		const char *text, *message;
	} table[] = {
		{"www.example\n10.0.2.1 256\n", "wrong weight value:\"256\" in weight file %s"},
		{"www.example\n10.0.2.1 0\n", "wrong weight value:\"0\" in weight file %s"},
		{"www.example\n10.0.2.1 -1\n", "wrong weight value:\"-1\" in weight file %s"},
		{"www.example\n10.0.2.1 18446744073709551617\n",
			"wrong weight value:\"18446744073709551617\" in weight file %s"},
		{"www.example\n10.0.2 1\n", "wrong IP address:\"10.0.2\" in weight file %s"},
		{"10.0.2.1\n",
			"wrong domain name:\"10.0.2.1\" in weight file %s. (Maybe a missing weight value?)"},
		{"10.0.2.1 1\n", "missing domain name in weight file %s"},
		{"www.example\n10.0.2.1 1 2 3\n",
			"could not parse weight line:\"10.0.2.1 1 ...\" in weight file %s"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		struct weight_file file;
		char message[256], *place = strstr(table[i].message, "%s");
		struct lab lab;

		make_file(&file, table[i].text, "0s");
		assert_true(lab_read(&lab, &plugin_loadbalance, file.directive));
		assert_false(plugin_loadbalance.open(lab.config, &lab.error));
		snprintf(message, sizeof(message), "%.*s%s%s", (int)(place - table[i].message),
			table[i].message, file.path, place + 2);
		assert_string_equal(lab.error.message, message);
		lab_finish(&lab);
		unlink(file.path);
	}
}

static void test_missing_file_without_reload(void **state)
{
	struct lab lab;

	(void)state;
	assert_true(lab_read(&lab, &plugin_loadbalance, "loadbalance weighted /no/such {\nreload 0s\n}"));
	assert_false(plugin_loadbalance.open(lab.config, &lab.error));
	assert_string_equal(
		lab.error.message, "weight file open error: open /no/such: no such file or directory");
	lab_finish(&lab);
}

static void test_refused(void **state)
{
	static const struct {
		const char *directive, *message;
	} table[] = {
		{"loadbalance random", "unknown policy: random"},
		{"loadbalance round_robin x",
			"Corefile:2 - Error during parsing: unknown property for round_robin"},
		{"loadbalance weighted", "Corefile:2 - Error during parsing: missing weight file argument"},
		{"loadbalance weighted a b", "Corefile:2 - Error during parsing: unexpected argument(s)"},
		{"loadbalance {\nprefer 10.0.0.1\n}",
			"Corefile:3 - Error during parsing: invalid CIDR \"10.0.0.1\": "
			"invalid CIDR address: 10.0.0.1"},
		{"loadbalance {\nreload 5s\n}",
			"Corefile:3 - Error during parsing: unknown property 'reload'"},
		{"loadbalance weighted a {\nprefer ::/0\n}",
			"Corefile:3 - Error during parsing: unknown property 'prefer'"},
		{"loadbalance weighted a {\nreload\n}",
			"Corefile:3 - Error during parsing: reload duration value is missing"},
		{"loadbalance weighted a {\nreload 5s 6s\n}",
			"Corefile:3 - Error during parsing: unexpected argument"},
		{"loadbalance weighted a {\nreload 5\n}",
			"Corefile:3 - Error during parsing: invalid reload duration '5'"},
		{"loadbalance weighted a {\nreload -5s\n}",
			"Corefile:3 - Error during parsing: invalid reload duration '-5s'"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		struct lab lab;

		assert_false(lab_read(&lab, &plugin_loadbalance, table[i].directive));
		assert_string_equal(lab.error.message, table[i].message);
		lab_finish(&lab);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_of_kinds),
		cmocka_unit_test(test_left_alone),
		cmocka_unit_test(test_every_order_as_often),
		cmocka_unit_test(test_preferred_are_shuffled),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_overflow),
		cmocka_unit_test(test_weights),
		cmocka_unit_test(test_weights_leave_alone),
		cmocka_unit_test(test_srv_is_weighted),
		cmocka_unit_test(test_reload),
		cmocka_unit_test(test_refused_files),
		cmocka_unit_test(test_missing_file_without_reload),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
