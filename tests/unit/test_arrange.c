/* Records in another order: the same records, read back by ldns, whatever points to what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <ldns/ldns.h>

#include "svcdns/arrange.h"
#include "svcdns/message.h"
#include "svcdns/random.h"

#define RECORDS_MAX 24
#define TEXT_MAX    512

struct texts {
	char records[RECORDS_MAX][TEXT_MAX];
	size_t count;
};

static struct piece pieces[PIECES_MAX];
static uint8_t scratch[65535];

static void swap(struct piece *a, struct piece *b)
{
	struct piece kept = *a;

	*a = *b;
	*b = kept;
}

static void write_header(struct writer *w)
{
	for (unsigned i = 0; i < 3; i++)
		writer_put_u16_at(w->wire + 6 + 2 * i, w->count[i]);
}

static size_t begin_message(struct writer *w, uint8_t *wire, size_t size)
{
	writer_init(w, wire, 0, size);
	writer_bytes(w, "\x12\x34\x80\0\0\1\0\0\0\0\0\0\3www\7example\0\0\1\0\1", 29);
	return w->length;
}

static void add_texts(struct texts *texts, const ldns_rr_list *list)
{
	for (size_t i = 0; i < ldns_rr_list_rr_count(list); i++) {
		char *text = ldns_rr2str(ldns_rr_list_rr(list, i));

		assert_true(texts->count < RECORDS_MAX);
		snprintf(texts->records[texts->count++], TEXT_MAX, "%s", text);
		free(text);
	}
}

static void read_texts(struct writer *w, struct texts *ret)
{
	ldns_pkt *packet;

	write_header(w);
	assert_int_equal(ldns_wire2pkt(&packet, w->wire, w->length), LDNS_STATUS_OK);
	ret->count = 0;
	add_texts(ret, ldns_pkt_answer(packet));
	add_texts(ret, ldns_pkt_authority(packet));
	add_texts(ret, ldns_pkt_additional(packet));
	ldns_pkt_free(packet);
}

/* Reads the pieces, swaps two of them, and looks at what became of the message. */
static void check_swap(struct writer *w, size_t begin, size_t one, size_t other)
{
	struct texts before, after;

	read_texts(w, &before);
	assert_int_equal(arrange_read(w, begin, pieces), before.count);
	swap(&pieces[one], &pieces[other]);
	writer_remember(w, MESSAGE_HEADER);
	assert_true(arrange_apply(w, begin, pieces, scratch));
	assert_int_equal(w->names, 0); /* what was remembered may stand elsewhere now */
	read_texts(w, &after);
	assert_int_equal(after.count, before.count);
	for (size_t i = 0; i < before.count; i++) {
		size_t from = i == one ? other : i == other ? one : i;

		assert_string_equal(after.records[i], before.records[from]);
	}
}

#define ADDRESS(owner, last) owner "\0\1\0\1\0\0\0\5\0\4\12\0\0" last

static void test_blocks_move(void **state)
{
	uint8_t wire[512];
	struct writer w;
	size_t begin;

	(void)state;
	begin = begin_message(&w, wire, sizeof(wire));
	writer_bytes(&w, ADDRESS("\xc0\x0c", "\1") ADDRESS("\xc0\x0c", "\2") ADDRESS("\xc0\x0c", "\3"), 48);
	w.count[SECTION_ANSWER] = 3;
	check_swap(&w, begin, 0, 2);
	assert_int_equal(w.length, begin + 48);
	assert_memory_equal(wire + begin,
		ADDRESS("\xc0\x0c", "\3") ADDRESS("\xc0\x0c", "\2") ADDRESS("\xc0\x0c", "\1"), 48);
}

/* Offsets in the messages below: the first record begins at 29. */
static void test_names_that_others_point_to(void **state)
{
	static const struct {
		const char *records;
		size_t length;
		uint16_t count[3];
		size_t one, other;
	} table[] = {
#define CASE(records) records, sizeof(records) - 1
		/* The second owner points to the first, and that to the question. */
		{CASE(ADDRESS("\xc0\x0c", "\1") ADDRESS("\xc0\x1d", "\2") ADDRESS("\xc0\x2d", "\3")),
			{3, 0, 0}, 0, 2},
		{CASE(ADDRESS("\xc0\x0c", "\1") ADDRESS("\xc0\x1d", "\2") ADDRESS("\xc0\x2d", "\3")),
			{3, 0, 0}, 1, 2},
		/* The first owner is written out. */
		{CASE(ADDRESS("\1a\1b\0", "\1") ADDRESS("\xc0\x1d", "\2")), {2, 0, 0}, 0, 1},
		{CASE(ADDRESS("\1a\1b\0", "\1") ADDRESS("\1x\xc0\x1f", "\2")), {2, 0, 0}, 0, 1},
		/* A record of another section points to the first address, and does not move. */
		{CASE(ADDRESS("\1a\1b\0", "\1") ADDRESS("\xc0\x0c", "\2") ADDRESS("\xc0\x1d", "\3")),
			{2, 0, 1}, 0, 1},
		/* So does one's RDATA: NS, SOA, SRV, NAPTR. */
		{CASE(ADDRESS("\1a\1b\0", "\1")
				 ADDRESS("\xc0\x0c", "\2") "\xc0\x0c\0\2\0\1\0\0\0\5\0\2\xc0\x1d"),
			{2, 1, 0}, 0, 1},
		{CASE(ADDRESS("\1a\1b\0", "\1")
				 ADDRESS("\xc0\x0c", "\2") "\xc0\x0c\0\6\0\1\0\0\0\5\0\x18\xc0\x0c\xc0\x1d\0"
							   "\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\5"),
			{2, 1, 0}, 0, 1},
		{CASE(ADDRESS("\1a\1b\0", "\1") ADDRESS(
			 "\xc0\x0c", "\2") "\xc0\x0c\0\x21\0\1\0\0\0\5\0\x8\0\1\0\2\0\3\xc0\x1d"),
			{2, 1, 0}, 0, 1},
		{CASE(ADDRESS("\1a\1b\0", "\1") ADDRESS(
			 "\xc0\x0c", "\2") "\xc0\x0c\0\x23\0\1\0\0\0\5\0\xc\0\1\0\2\1u\1s\1r\xc0\x1d"),
			{2, 1, 0}, 0, 1},
		/* By a detour: the additional owner points to the authority's, which ends in the first
		   address'. */
		{CASE(ADDRESS("\1a\1b\0", "\1") ADDRESS("\xc0\x0c", "\2") ADDRESS("\1x\xc0\x1d", "\3")
				 ADDRESS("\1y\xc0\x42", "\4")),
			{2, 1, 1}, 0, 1},
		/* An owner that stands, of all places, in the RDATA of an address: 1 'x' 0 2. */
		{CASE("\xc0\x0c\0\1\0\1\0\0\0\5\0\4\1x\0\2" ADDRESS("\xc0\x0c", "\2")
				 ADDRESS("\xc0\x29", "\3")),
			{2, 0, 1}, 0, 1},
		/* Exchanges whose additional owners point into them. */
		{CASE("\xc0\x0c\0\x0f\0\1\0\0\0\5\0\6\0\1\1m\xc0\x0c"
		      "\xc0\x0c\0\x0f\0\1\0\0\0\5\0\6\0\2\1n\xc0\x0c" ADDRESS("\xc0\x2b", "\1")
				 ADDRESS("\xc0\x3d", "\2")),
			{2, 0, 2}, 0, 1},
		/* Records of several lengths, one after the other. */
		{CASE("\xc0\x0c\0\x10\0\1\0\0\0\5\0\3\2xy" ADDRESS(
			 "\xc0\x0c", "\1") "\xc0\x0c\0\x10\0\1\0\0\0\5\0\1\0"),
			{3, 0, 0}, 0, 2},
#undef CASE
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		uint8_t wire[512];
		struct writer w;
		size_t begin = begin_message(&w, wire, sizeof(wire));

		writer_bytes(&w, table[i].records, table[i].length);
		memcpy(w.count, table[i].count, sizeof(w.count));
		check_swap(&w, begin, table[i].one, table[i].other);
	}
}

/* Nothing moved: not an octet changes, whatever it means. */
static void test_same_order(void **state)
{
	static const char records[] =
		ADDRESS("\1a\1b\0", "\1") ADDRESS("\xc0\x1d", "\2") "\xc0\x0c\0\2\0\1\0\0\0\5\0\1\xc0";
	uint8_t wire[512], kept[512];
	struct writer w;
	size_t begin;

	(void)state;
	begin = begin_message(&w, wire, sizeof(wire));
	writer_bytes(&w, records, sizeof(records) - 1);
	w.count[SECTION_ANSWER] = 3;
	memcpy(kept, wire, sizeof(kept));
	assert_int_equal(arrange_read(&w, begin, pieces), 3);
	assert_true(arrange_apply(&w, begin, pieces, scratch));
	assert_memory_equal(wire, kept, w.length);
}

static void test_malformed(void **state)
{
	static const struct {
		const char *octets;
		size_t length;
	} table[] = {
#define CASE(octets) {octets, sizeof(octets) - 1}
		/* the third record: an NS whose name is cut, points forward, to itself, in a circle, has a
		   strange label */
		CASE("\xc0\x0c\0\2\0\1\0\0\0\5\0\1\xc0"),
		CASE("\xc0\x0c\0\2\0\1\0\0\0\5\0\1\1"),
		CASE("\xc0\x0c\0\2\0\1\0\0\0\5\0\2\xc0\x80"),
		CASE("\xc0\x0c\0\2\0\1\0\0\0\5\0\2\xc0\x49"),
		CASE("\xc0\x0c\0\2\0\1\0\0\0\5\0\4\1x\xc0\x49"),
		CASE("\xc0\x0c\0\2\0\1\0\0\0\5\0\2\x40\0"),
		CASE("\xc0\x0c\0\2\0\1\0\0\0\5\0\0"),
		CASE("\xc0\x0c\0\x0f\0\1\0\0\0\5\0\1\0"),
		CASE("\xc0\x0c\0\x23\0\1\0\0\0\5\0\5\0\0\0\0\xff"),
#undef CASE
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		uint8_t wire[512], kept[512];
		struct writer w;
		size_t begin = begin_message(&w, wire, sizeof(wire));

		writer_bytes(&w, ADDRESS("\xc0\x0c", "\1") ADDRESS("\xc0\x0c", "\2"), 32);
		writer_bytes(&w, table[i].octets, table[i].length);
		w.count[SECTION_ANSWER] = 2;
		w.count[SECTION_AUTHORITY] = 1;
		memcpy(kept, wire, w.length);
		assert_int_equal(arrange_read(&w, begin, pieces), 3);
		swap(&pieces[0], &pieces[1]);
		assert_false(arrange_apply(&w, begin, pieces, scratch));
		assert_memory_equal(wire, kept, w.length);
		w.count[SECTION_AUTHORITY] = 2; /* more than there are */
		assert_int_equal(arrange_read(&w, begin, pieces), 0);
	}
}

/* Two pointers that point to each other, in what is no name; the authority's name leads there. */
static void test_circle(void **state)
{
	static const char records[] = "\xc0\x0c\0\x10\0\1\0\0\0\5\0\4\xc0\x2b\xc0\x29" ADDRESS(
		"\xc0\x0c", "\1") ADDRESS("\xc0\x0c", "\2") "\xc0\x0c\0\2\0\1\0\0\0\5\0\2\xc0\x29";
	uint8_t wire[512];
	struct writer w;
	size_t begin;

	(void)state;
	begin = begin_message(&w, wire, sizeof(wire));
	writer_bytes(&w, records, sizeof(records) - 1);
	w.count[SECTION_ANSWER] = 3;
	w.count[SECTION_AUTHORITY] = 1;
	assert_int_equal(arrange_read(&w, begin, pieces), 4);
	swap(&pieces[1], &pieces[2]);
	assert_false(arrange_apply(&w, begin, pieces, scratch));
}

/* Written anew, the message would be longer than it may be: the target of an SRV record is no longer
 * compressed (RFC 2782). */
static void test_no_room(void **state)
{
	static const char records[] = ADDRESS("\1a\1b\0", "\1")
		ADDRESS("\xc0\x1d", "\2") "\xc0\x0c\0\x21\0\1\0\0\0\5\0\x8\0\1\0\2\0\3\xc0\x0c";
	uint8_t wire[512], kept[512];
	struct writer w;
	size_t begin, length;

	(void)state;
	begin = begin_message(&w, wire, sizeof(wire));
	writer_bytes(&w, records, sizeof(records) - 1);
	w.count[SECTION_ANSWER] = 3;
	length = w.length;
	memcpy(kept, wire, length);
	assert_int_equal(arrange_read(&w, begin, pieces), 3);
	swap(&pieces[0], &pieces[1]);
	w.capacity = length + 10;
	assert_false(arrange_apply(&w, begin, pieces, scratch));
	assert_int_equal(w.length, length);
	assert_memory_equal(wire, kept, length);
	w.capacity = length + 11;
	assert_true(arrange_apply(&w, begin, pieces, scratch));
	assert_int_equal(w.length, length + 11);
}

/* Messages by chance. Owners and names in RDATA are written out, compressed, or point to where the same name
 * was before, be that a pointer itself. */
struct author {
	struct random random;
	struct writer w;
	size_t places[6][RECORDS_MAX * 3]; /* where each name stands */
	unsigned place_count[6];
};

static void write_name(struct author *a)
{
	static const char *const texts[] = {
		"www.example", "example", "a.www.example", "b.c.net", "c.net", "long-name-of-one-label"};
	unsigned index = random_below(&a->random, ARRAY_LENGTH(texts)), how = random_below(&a->random, 3);
	size_t at = a->w.length;
	struct name name;

	assert_true(name_from_text(texts[index], &name));
	if (how == 0 && a->place_count[index])
		writer_pointer(&a->w, a->places[index][random_below(&a->random, a->place_count[index])]);
	else if (how == 1)
		writer_name_compressed(&a->w, &name);
	else
		writer_name(&a->w, &name);
	a->places[index][a->place_count[index]++] = at;
}

static void write_record(struct author *a, enum section section)
{
	static const uint16_t types[] = {TYPE_A, TYPE_A, TYPE_A, TYPE_AAAA, TYPE_CNAME, TYPE_MX, TYPE_NS,
		TYPE_SOA, TYPE_SRV, TYPE_TXT};
	uint16_t type = types[random_below(&a->random, ARRAY_LENGTH(types))];
	uint8_t octets[16];

	random_fill(&a->random, octets, sizeof(octets));
	write_name(a);
	writer_open(&a->w, section, type, CLASS_IN, random_below(&a->random, 1000));
	if (type == TYPE_A || type == TYPE_AAAA)
		writer_bytes(&a->w, octets, type == TYPE_A ? 4 : 16);
	if (type == TYPE_TXT)
		writer_label(&a->w, octets, (uint8_t)random_below(&a->random, 15));
	if (type == TYPE_MX || type == TYPE_SRV)
		writer_bytes(&a->w, octets, type == TYPE_MX ? 2 : 6);
	if (type != TYPE_A && type != TYPE_AAAA && type != TYPE_TXT)
		write_name(a);
	if (type == TYPE_SOA) {
		write_name(a);
		writer_bytes(&a->w, "\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\5", 20);
	}
	writer_close(&a->w);
}

static void shuffle(struct random *random, struct piece *section, uint16_t *order, size_t count)
{
	for (size_t i = count; i > 1; i--) {
		size_t other = random_below(random, (uint32_t)i);
		uint16_t kept = order[i - 1];

		order[i - 1] = order[other];
		order[other] = kept;
		swap(&section[i - 1], &section[other]);
	}
}

static size_t write_message(struct author *a)
{
	static uint8_t wire[8192];
	size_t begin = begin_message(&a->w, wire, sizeof(wire));

	memset(a->place_count, 0, sizeof(a->place_count));
	for (enum section section = SECTION_ANSWER; section <= SECTION_ADDITIONAL; section++)
		for (uint32_t i = random_below(&a->random, RECORDS_MAX / 3 + 1); i; i--)
			write_record(a, section);
	assert_false(a->w.overflow);
	return begin;
}

static void shuffle_sections(struct author *a, uint16_t order[RECORDS_MAX])
{
	size_t first = 0;

	for (uint16_t i = 0; i < RECORDS_MAX; i++)
		order[i] = i;
	for (unsigned section = 0; section < 3; section++) {
		if (random_below(&a->random, 2))
			shuffle(&a->random, pieces + first, order + first, a->w.count[section]);
		first += a->w.count[section];
	}
}

static void check_random_message(struct author *a)
{
	struct texts before, after;
	uint16_t order[RECORDS_MAX];
	size_t begin = write_message(a);

	read_texts(&a->w, &before);
	assert_int_equal(arrange_read(&a->w, begin, pieces), before.count);
	shuffle_sections(a, order);
	assert_true(arrange_apply(&a->w, begin, pieces, scratch));
	read_texts(&a->w, &after);
	assert_int_equal(after.count, before.count);
	for (size_t i = 0; i < before.count; i++)
		assert_string_equal(after.records[i], before.records[order[i]]);
}

static void test_messages_by_chance(void **state)
{
	struct author author = {0};

	(void)state;
	for (int round = 0; round < 3000; round++)
		check_random_message(&author);
}

/* Octets that are not what they were: the message stays as long as it may be, and what is refused stays as it
 * is. It is in a block of its own length, so that AddressSanitizer sees all that is read behind it. */
static void check_damaged_message(struct author *a)
{
	uint16_t order[RECORDS_MAX];
	size_t begin = write_message(a), length = a->w.length;
	uint8_t *wire = malloc(length), *kept = malloc(length);
	struct writer w = a->w;

	assert_true(wire && kept);
	memcpy(wire, a->w.wire, length);
	for (uint32_t i = 1 + random_below(&a->random, 3); i; i--)
		random_fill(&a->random, wire + random_below(&a->random, (uint32_t)length), 1);
	memcpy(kept, wire, length);
	w.wire = wire;
	w.capacity = length;
	if (arrange_read(&w, begin, pieces)) {
		shuffle_sections(a, order);
		if (!arrange_apply(&w, begin, pieces, scratch)) {
			assert_int_equal(w.length, length);
			assert_memory_equal(wire, kept, length);
		}
		assert_true(w.length <= length);
	}
	free(wire);
	free(kept);
}

static void test_damaged_messages(void **state)
{
	struct author author = {0};

	(void)state;
	for (int round = 0; round < 20000; round++)
		check_damaged_message(&author);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blocks_move),
		cmocka_unit_test(test_names_that_others_point_to),
		cmocka_unit_test(test_same_order),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_circle),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_messages_by_chance),
		cmocka_unit_test(test_damaged_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
