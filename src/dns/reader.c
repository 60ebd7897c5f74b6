/* The checked reader. Invariant: at <= length. Whatever fails leaves `failed` set and reads as zero from then
 * on. */
#include "svcdns/reader.h"

#include <string.h>

#define POINTER 0xC0

void reader_init(struct reader *reader, const uint8_t *wire, size_t length, size_t at)
{
	*reader = (struct reader){.wire = wire, .length = length, .at = at, .failed = at > length};
}

static const uint8_t *take(struct reader *reader, size_t octets)
{
	const uint8_t *at = reader->wire + reader->at;

	if (reader->failed || reader->length - reader->at < octets) {
		reader->failed = true;
		return NULL;
	}
	reader->at += octets;
	return at;
}

uint8_t reader_u8(struct reader *reader)
{
	const uint8_t *at = take(reader, 1);

	return at ? at[0] : 0;
}

uint16_t reader_u16(struct reader *reader)
{
	const uint8_t *at = take(reader, 2);

	return (uint16_t)(at ? at[0] << 8 | at[1] : 0);
}

uint32_t reader_u32(struct reader *reader)
{
	const uint8_t *at = take(reader, 4);

	return at ? (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3] : 0;
}

void reader_skip(struct reader *reader, size_t octets)
{
	take(reader, octets);
}

static bool fail(struct reader *reader)
{
	reader->failed = true;
	return false;
}

static bool add_label(struct name *name, const uint8_t *label, size_t *used)
{
	size_t octets = 1u + label[0];

	if (*used + octets >= NAME_WIRE_MAX)
		return false;
	memcpy(name->wire + *used, label, octets);
	name->offset[name->labels++] = (uint8_t)*used;
	*used += octets;
	return true;
}

/* A pointer must point to before the part of the name that it ends: every jump then goes further back, which
 * bounds their number without counting them. */
bool reader_name(struct reader *reader, struct name *ret)
{
	size_t at = reader->at, part = reader->at, end = 0, used = 0;

	ret->labels = 0;
	for (;;) {
		uint8_t octet;

		if (reader->failed || at >= reader->length)
			return fail(reader);
		octet = reader->wire[at];
		if (octet == 0)
			break;
		if ((octet & POINTER) == POINTER) {
			size_t target;

			if (at + 1 >= reader->length)
				return fail(reader);
			target = (size_t)(octet & ~POINTER) << 8 | reader->wire[at + 1];
			if (target >= part)
				return fail(reader);
			end = end ? end : at + 2;
			at = part = target;
			continue;
		}
		if (octet & POINTER || at + 1u + octet > reader->length ||
			!add_label(ret, reader->wire + at, &used))
			return fail(reader);
		at += 1u + octet;
	}
	ret->wire[used] = 0;
	ret->offset[ret->labels] = (uint8_t)used;
	ret->length = (uint8_t)(used + 1);
	reader->at = end ? end : at + 1;
	return true;
}

bool reader_skip_name(struct reader *reader)
{
	for (;;) {
		uint8_t octet = reader_u8(reader);

		if (reader->failed || octet == 0)
			return !reader->failed;
		if ((octet & POINTER) == POINTER) {
			reader_skip(reader, 1);
			return !reader->failed;
		}
		if (octet & POINTER)
			return fail(reader);
		reader_skip(reader, octet);
	}
}

/* What stands behind the owner. */
static bool read_fixed(struct reader *reader, struct record *ret)
{
	ret->type = reader_u16(reader);
	ret->class = reader_u16(reader);
	ret->ttl_at = reader->at;
	ret->ttl = reader_u32(reader);
	ret->end = reader_u16(reader);
	ret->rdata = reader->at;
	reader_skip(reader, ret->end);
	ret->end = reader->at;
	return !reader->failed;
}

bool reader_record(struct reader *reader, struct record *ret)
{
	ret->begin = reader->at;
	return reader_name(reader, &ret->owner) && read_fixed(reader, ret);
}

bool reader_pass_record(struct reader *reader, struct record *ret)
{
	ret->begin = reader->at;
	return reader_skip_name(reader) && read_fixed(reader, ret);
}
