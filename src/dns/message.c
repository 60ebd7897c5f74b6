/* Reading queries, and cutting replies. A query is read once, front to back; nothing of it is trusted before.
 */
#include "svcdns/message.h"

#include <string.h>

#include "svcdns/octets.h"
#include "svcdns/reader.h"

/* The question's name stands uncompressed: there is nothing before it that a pointer could mean. */
static bool read_name(const uint8_t *wire, size_t length, struct name *ret)
{
	size_t at = MESSAGE_HEADER;
	uint8_t labels = 0;

	for (;;) {
		if (at >= length || at >= MESSAGE_HEADER + NAME_WIRE_MAX)
			return false;
		if (wire[at] == 0)
			break;
		if (wire[at] > 63)
			return false;
		ret->offset[labels++] = (uint8_t)(at - MESSAGE_HEADER);
		at += 1u + wire[at];
	}
	ret->offset[labels] = (uint8_t)(at - MESSAGE_HEADER);
	ret->labels = labels;
	ret->length = (uint8_t)(at + 1 - MESSAGE_HEADER);
	octets_copy_lower(ret->wire, wire + MESSAGE_HEADER, ret->length);
	return true;
}

static bool read_question(const uint8_t *wire, size_t length, struct question *ret)
{
	const uint8_t *at;
	size_t left;

	ret->end = MESSAGE_HEADER;
	ret->type = ret->class = 0;
	if (!read_name(wire, length, &ret->name))
		return false;
	at = wire + MESSAGE_HEADER + ret->name.length;
	left = length - MESSAGE_HEADER - ret->name.length;
	ret->end = (uint16_t)(MESSAGE_HEADER + ret->name.length + 4);
	if (left >= 2)
		ret->type = message_u16(at);
	if (left >= 4)
		ret->class = message_u16(at + 2);
	return left == 0 || left == 2 || left >= 4;
}

static bool is_echoed(uint16_t code)
{
	return code == EDNS_NSID || code == EDNS_EXPIRE || code == EDNS_COOKIE || code == EDNS_KEEPALIVE ||
	       code == EDNS_PADDING;
}

static bool read_options(struct reader *reader, size_t end, struct edns *ret)
{
	while (reader->at < end) {
		size_t begin = reader->at;
		uint16_t code = reader_u16(reader);
		size_t octets = reader_u16(reader);

		reader_skip(reader, octets);
		if (reader->failed || reader->at > end)
			return false;
		octets = reader->at - begin;
		if (is_echoed(code) && ret->options_length + octets <= EDNS_OPTIONS_MAX) {
			memcpy(ret->options + ret->options_length, reader->wire + begin, octets);
			ret->options_length = (uint16_t)(ret->options_length + octets);
		}
	}
	return true;
}

/* One record behind the question: only OPT matters (RFC 6891 section 6.1.2). */
static bool read_record(struct reader *reader, struct edns *ret)
{
	uint16_t type, payload, size;
	uint32_t ttl;
	size_t payload_at;

	reader_skip_name(reader);
	type = reader_u16(reader);
	payload_at = reader->at;
	payload = reader_u16(reader);
	ttl = reader_u32(reader);
	size = reader_u16(reader);
	if (reader->failed || reader_left(reader) < size)
		return false;
	if (type != TYPE_OPT) {
		reader_skip(reader, size);
		return true;
	}
	ret->present = true;
	ret->payload = payload;
	ret->payload_at = (uint16_t)payload_at;
	ret->version = (uint8_t)(ttl >> 16);
	ret->flags = (uint16_t)ttl;
	ret->dnssec_ok = ttl & EDNS_DO;
	ret->options_length = 0;
	return read_options(reader, reader->at + size, ret);
}

bool message_read_query(
	const uint8_t *wire, size_t length, struct question *ret_question, struct edns *ret_edns)
{
	struct reader reader;
	unsigned records;

	ret_edns->present = ret_edns->dnssec_ok = false;
	ret_edns->version = 0;
	ret_edns->options_length = 0;
	if (!read_question(wire, length, ret_question))
		return false;
	if (ret_question->end >= length)
		return true;
	records = (unsigned)message_count(wire, 1) + message_count(wire, 2) + message_count(wire, 3);
	reader_init(&reader, wire, length, ret_question->end);
	while (records-- && reader_left(&reader))
		if (!read_record(&reader, ret_edns))
			return false;
	return true;
}

size_t message_cut(
	const uint8_t *wire, size_t length, size_t limit, const uint16_t count[3], uint16_t ret_count[3])
{
	struct reader reader;
	size_t kept;

	reader_init(&reader, wire, length, MESSAGE_HEADER);
	reader_skip_name(&reader);
	reader_skip(&reader, 4);
	kept = reader.at;
	ret_count[0] = ret_count[1] = ret_count[2] = 0;
	for (unsigned section = 0; section < 3; section++) {
		for (unsigned i = 0; i < count[section]; i++) {
			reader_skip_name(&reader);
			reader_skip(&reader, 8);
			reader_skip(&reader, reader_u16(&reader));
			if (reader.failed || reader.at > limit)
				return kept;
			kept = reader.at;
			ret_count[section]++;
		}
	}
	return kept;
}
