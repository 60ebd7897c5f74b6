/* Records move within their section as blocks of octets, so that what stands outside the range of those that
 * move stays where it was.
 *
 * That is right as long as no name goes on, by a compression pointer, within such a range. Names that do are
 * found by walking all of them; then the message is written anew instead. What usually moves are addresses
 * whose owners are pointers, to which nothing points. */
#include "svcdns/arrange.h"

#include <string.h>

#include "rdata.h"
#include "svcdns/message.h"

#define POINTER 0xC0

struct range {
	size_t begin, end; /* empty: end is 0 */
};

size_t arrange_read(const struct writer *message, size_t begin, struct piece ret[PIECES_MAX])
{
	size_t count = (size_t)message->count[0] + message->count[1] + message->count[2];
	struct reader reader;

	reader_init(&reader, message->wire, message->length, begin);
	if (count > PIECES_MAX)
		return 0;
	for (size_t i = 0; i < count; i++) {
		ret[i].begin = (uint16_t)reader.at;
		reader_skip_name(&reader);
		ret[i].type = reader_u16(&reader);
		reader_skip(&reader, 6);
		ret[i].rdata = (uint16_t)(reader.at + 2);
		reader_skip(&reader, reader_u16(&reader));
		ret[i].end = (uint16_t)reader.at;
	}
	return reader.failed ? 0 : count;
}

/* Where records of a section are to stand that stood elsewhere; goes on to the next section. */
static struct range find_moves(const struct piece *pieces, size_t count, size_t *at)
{
	struct range range = {0};

	for (size_t i = 0; i < count; i++) {
		size_t end = *at + pieces[i].end - pieces[i].begin;

		if (pieces[i].begin != *at) {
			range.begin = range.end ? range.begin : *at;
			range.end = end;
		}
		*at = end;
	}
	return range;
}

/* Whether the name at *at goes on within the range: what of it stands at *at itself does not count. True for
 * one that is malformed, as well. Goes on behind the name. */
static bool reaches(const struct writer *message, size_t *at, struct range range)
{
	const uint8_t *wire = message->wire;
	size_t here = *at, part = *at;
	bool is_elsewhere = false;

	for (;;) {
		bool is_pointer = here < message->length && wire[here] >= POINTER;
		size_t next;

		if (here >= message->length || (!is_pointer && wire[here] & POINTER))
			return true;
		next = here + (is_pointer ? 2u : 1u + wire[here]);
		if (next > message->length || (is_elsewhere && here < range.end && next > range.begin))
			return true;
		if (!is_elsewhere)
			*at = next;
		if (wire[here] == 0)
			return false;
		if (is_pointer) {
			next = (size_t)(wire[here] & ~POINTER) << 8 | wire[here + 1];
			if (next >= part)
				return true;
			part = next;
			is_elsewhere = true;
		}
		here = next;
	}
}

static bool record_reaches(const struct writer *message, const struct piece *piece, struct range range)
{
	bool is_address = piece->type == TYPE_A || piece->type == TYPE_AAAA;
	const struct layout *layout = is_address ? NULL : rdata_layout(piece->type);
	size_t at = piece->begin;

	if (is_address && message_u16(message->wire + piece->begin) == WRITER_QUESTION)
		return false; /* what most records are */
	if (reaches(message, &at, range))
		return true;
	if (!layout)
		return false;
	at = piece->rdata +
	     rdata_before_names(layout, message->wire + piece->rdata, (size_t)(piece->end - piece->rdata));
	for (unsigned i = 0; i < layout->names; i++)
		if (reaches(message, &at, range))
			return true;
	return false;
}

static bool any_reaches(
	const struct writer *message, const struct piece *pieces, size_t count, struct range range)
{
	for (size_t i = 0; range.end && i < count; i++)
		if (record_reaches(message, &pieces[i], range))
			return true;
	return false;
}

static void move(
	struct writer *message, size_t begin, const struct piece *pieces, size_t count, uint8_t *scratch)
{
	size_t length = 0;

	for (size_t i = 0; i < count; i++) {
		size_t octets = (size_t)(pieces[i].end - pieces[i].begin);

		memcpy(scratch + length, message->wire + pieces[i].begin, octets);
		length += octets;
	}
	memcpy(message->wire + begin, scratch, length);
}

static bool rewrite(struct writer *message, size_t begin, const struct piece *pieces, uint8_t *scratch)
{
	struct writer fresh;
	struct record record;
	struct reader reader;

	memcpy(scratch, message->wire, begin);
	writer_init(&fresh, scratch, begin, message->capacity);
	for (enum section section = SECTION_ANSWER; section <= SECTION_ADDITIONAL; section++)
		for (unsigned i = message->count[section]; i; i--) {
			reader_init(&reader, message->wire, message->length, pieces++->begin);
			if (!reader_record(&reader, &record) ||
				!writer_record(&fresh, section, message->wire, message->length, &record))
				return false;
		}
	if (fresh.overflow)
		return false;
	memcpy(message->wire + begin, scratch + begin, fresh.length - begin);
	message->length = fresh.length;
	return true;
}

bool arrange_apply(struct writer *message, size_t begin, const struct piece *pieces, uint8_t *scratch)
{
	size_t count = 0, at = begin;
	struct range ranges[3];
	bool is_moved = false, is_tied = false;

	for (unsigned section = 0; section < 3; section++) {
		ranges[section] = find_moves(pieces + count, message->count[section], &at);
		count += message->count[section];
		is_moved |= ranges[section].end != 0;
	}
	if (!is_moved)
		return true;
	for (unsigned section = 0; section < 3; section++)
		is_tied |= any_reaches(message, pieces, count, ranges[section]);
	if (is_tied && !rewrite(message, begin, pieces, scratch))
		return false;
	if (!is_tied)
		move(message, begin, pieces, count, scratch);
	message->names = 0;
	return true;
}
