/* Writing replies over their queries. Invariant: wire[0 .. question.end) is the query's header and question,
 * as they came, until reply_finish() writes the header; records follow in section order, an OPT record only
 * at the very end. */
#include "reply.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PLAIN_FIXED    12 /* a pointer as owner, type, class, TTL, RDLENGTH */
#define OPT_FIXED      11 /* root owner, type, class, TTL, RDLENGTH */
#define EXTENDED_ERROR 6  /* option with its code and nothing else */
#define OPT_RESERVE    (OPT_FIXED + EXTENDED_ERROR + EDNS_OPTIONS_MAX)
#define OPT_PAYLOAD    4096
#define UDP_SMALLEST   512			     /* RFC 1035 section 2.3.4 */
#define CHILD_FLAGS    (FLAG_AA | FLAG_TC | FLAG_RA) /* that a parent's reply takes over */

void request_reply(struct request *request, uint16_t rcode, uint16_t flags)
{
	writer_init(&request->reply, request->wire, request->question.end, REQUEST_WIRE_MAX - OPT_RESERVE);
	request->rcode = rcode;
	request->reply_flags = flags;
	if (!(request->flags & FLAG_OPCODE))
		request->reply_flags |= request->flags & (FLAG_RD | FLAG_CD);
	request->bare = false;
	request->is_dropped = false;
	request->opt_length = 0;
}

enum verdict request_fail(struct request *request, uint16_t rcode, const char *reason, ...)
{
	va_list arguments;

	request_reply(request, rcode, 0);
	request->bare = true;
	va_start(arguments, reason);
	vsnprintf(request->error, sizeof(request->error), reason, arguments);
	va_end(arguments);
	return VERDICT_ANSWERED;
}

/* Takes what an OPT record in a message says: the high bits of the rcode, and options if the client can have
 * them. */
static void take_opt(struct request *request, const uint8_t *message, const struct record *opt)
{
	size_t length = opt->end - opt->rdata;

	request->rcode |= (uint16_t)(opt->ttl >> 24 << 4);
	request->opt_length = (uint16_t)(opt->end - opt->begin);
	if (!request->edns.present || length > EDNS_OPTIONS_MAX ||
		!edns_options_are_whole(message + opt->rdata, length))
		return;
	memcpy(request->edns.options, message + opt->rdata, length);
	request->edns.options_length = (uint16_t)length;
}

/* Where the records of a message end, and where among the additional ones its OPT record stands. */
struct extent {
	size_t end;
	struct record opt;
	bool has_opt;
	uint16_t before_opt; /* additional records in front of it */
};

static bool measure(const uint8_t *message, size_t length, size_t at, struct extent *ret)
{
	struct reader reader;
	struct record record;

	reader_init(&reader, message, length, at);
	for (unsigned section = 1; section <= 3; section++) {
		uint16_t count = message_count(message, section);

		for (uint16_t i = 0; i < count; i++) {
			if (!reader_record(&reader, &record))
				return false;
			if (record.type != TYPE_OPT || section != 3)
				continue;
			ret->opt = record;
			ret->has_opt = true;
			ret->before_opt = i;
		}
	}
	ret->end = reader.at;
	return true;
}

static bool repeats_question(const struct request *request, const uint8_t *message, size_t length)
{
	struct reader reader;
	struct name name;

	if (length < MESSAGE_HEADER || message_count(message, 0) != 1)
		return false;
	reader_init(&reader, message, length, MESSAGE_HEADER);
	return reader_name(&reader, &name) && name_equal_nocase(&name, &request->question.name) &&
	       reader_u16(&reader) == request->question.type &&
	       reader_u16(&reader) == request->question.class && !reader.failed &&
	       reader.at == request->question.end;
}

/* Records behind an OPT record would have compression pointers that no longer fit; they are written anew. */
static void append_behind(struct request *request, const uint8_t *message, size_t at, size_t end)
{
	struct reader reader;
	struct record record;

	reader_init(&reader, message, end, at);
	while (reader_left(&reader) && reader_record(&reader, &record))
		writer_record(&request->reply, SECTION_ADDITIONAL, message, end, &record);
}

bool request_reply_message(struct request *request, const uint8_t *message, size_t length)
{
	struct writer *w = &request->reply;
	struct extent extent = {0};
	size_t begin = request->question.end;
	uint16_t flags;

	if (!repeats_question(request, message, length) || !measure(message, length, begin, &extent) ||
		extent.end > REQUEST_WIRE_MAX - OPT_RESERVE)
		return false;
	flags = message_flags(message);
	request_reply(request, flags & FLAG_RCODE, 0);
	request->reply_flags = flags & (FLAG_AA | FLAG_TC | FLAG_RD | FLAG_RA | FLAG_AD | FLAG_CD);
	for (unsigned section = 0; section < 3; section++)
		w->count[section] = message_count(message, section + 1);
	writer_bytes(w, message + begin, (extent.has_opt ? extent.opt.begin : extent.end) - begin);
	if (extent.has_opt) {
		take_opt(request, message, &extent.opt);
		w->count[SECTION_ADDITIONAL] = extent.before_opt;
		append_behind(request, message, extent.opt.end, extent.end);
	}
	return true;
}

/* An address of the child's question, its owner a pointer to that: nothing in it has to be read as a name. */
static bool is_plain_address(const uint8_t *record, size_t left)
{
	size_t length = left < PLAIN_FIXED ? 0 : message_u16(record + PLAIN_FIXED - 2);

	return left >= PLAIN_FIXED + length && message_u16(record) == WRITER_QUESTION &&
	       ((message_u16(record + 2) == TYPE_A && length == 4) ||
		       (message_u16(record + 2) == TYPE_AAAA && length == 16));
}

/* Copies the plain addresses that the child's answer begins with, as those of the name to which `owner`
 * points. Returns how many, and how many octets they take there. */
static unsigned copy_addresses(
	struct request *request, const struct request *child, uint16_t owner, size_t *ret_octets)
{
	const uint8_t *begin = child->wire + child->question.end, *at = begin,
		      *end = child->wire + child->reply.length;
	unsigned count = 0;

	for (; count < child->reply.count[SECTION_ANSWER] && is_plain_address(at, (size_t)(end - at));
		count++) {
		size_t length = message_u16(at + PLAIN_FIXED - 2);

		writer_u16(&request->reply, owner);
		writer_address(&request->reply, SECTION_ANSWER, at + PLAIN_FIXED, length, message_u16(at + 4),
			message_u32(at + 6));
		at += PLAIN_FIXED + length;
	}
	*ret_octets = (size_t)(at - begin);
	return count;
}

/* What a child's reply is, and where it came from, is its parent's. owner: a pointer to the name that the
 * child asked for, where it stands in the reply; 0: nowhere. */
static void copy_records(struct request *request, const struct request *child, uint16_t owner)
{
	size_t copied_octets = 0;
	unsigned copied = owner ? copy_addresses(request, child, owner, &copied_octets) : 0;
	struct reader reader;
	struct record record;

	reader_init(&reader, child->wire, child->reply.length, child->question.end + copied_octets);
	for (enum section section = SECTION_ANSWER; section <= SECTION_ADDITIONAL; section++) {
		for (unsigned i = child->reply.count[section] - copied; i && reader_record(&reader, &record);
			i--)
			writer_record(&request->reply, section, child->wire, child->reply.length, &record);
		copied = 0;
	}
	request->extended_error = child->extended_error;
	request->extended_error_code = child->extended_error_code;
	request->upstream = child->upstream;
}

void request_reply_child(struct request *request, const struct request *child)
{
	if (child->bare) {
		request_fail(request, child->rcode, "%s", child->error);
	} else {
		request_reply(request, child->rcode, child->reply_flags & (CHILD_FLAGS | FLAG_AD));
		request->error[0] = '\0';
	}
	copy_records(request, child, 0);
}

void request_reply_alias(
	struct request *request, const struct request *child, const struct name *target, uint32_t ttl)
{
	struct writer *w = &request->reply;
	size_t at;

	request_reply(request, child->rcode, child->reply_flags & CHILD_FLAGS);
	request->error[0] = '\0';
	writer_u16(w, WRITER_QUESTION);
	writer_open(w, SECTION_ANSWER, TYPE_CNAME, request->question.class, ttl);
	at = w->length;
	writer_name(w, target);
	writer_close(w);
	copy_records(request, child, name_equal(target, &child->question.name) ? (uint16_t)(0xC000 | at) : 0);
}

static bool has_opt(const struct request *request)
{
	return request->edns.present || request->extended_error;
}

static size_t opt_length(const struct request *request)
{
	if (!has_opt(request))
		return 0;
	return OPT_FIXED + request->edns.options_length + (request->extended_error ? EXTENDED_ERROR : 0u);
}

/* The requestor's own OPT record goes back to it (RFC 6891 section 7): as CoreDNS does, with the size that it
 * named. An extended error comes with DO set, and to those that sent no OPT record, too. */
static void write_opt(struct request *request)
{
	const struct edns *edns = &request->edns;
	struct writer *w = &request->reply;

	writer_u8(w, 0);
	writer_u16(w, TYPE_OPT);
	writer_u16(w, edns->present ? edns->payload : OPT_PAYLOAD);
	writer_u8(w, (uint8_t)(request->rcode >> 4));
	writer_u8(w, 0);
	writer_u16(
		w, (uint16_t)((edns->present ? edns->flags : 0) | (request->extended_error ? EDNS_DO : 0)));
	writer_u16(w, (uint16_t)(opt_length(request) - OPT_FIXED));
	if (edns->options_length)
		writer_bytes(w, edns->options, edns->options_length);
	if (request->extended_error) {
		writer_u16(w, EDNS_EXTENDED_ERROR);
		writer_u16(w, 2);
		writer_u16(w, request->extended_error_code);
	}
	w->count[SECTION_ADDITIONAL]++;
}

static size_t size_limit(const struct request *request)
{
	if (request->transport != TRANSPORT_UDP)
		return MESSAGE_MAX;
	if (!request->edns.present || request->edns.payload < UDP_SMALLEST)
		return UDP_SMALLEST;
	return request->edns.payload;
}

/* Drops records from the end until the reply fits (RFC 2181 section 9). After an overflow the newest record,
 * which may be incomplete, is the first to go. */
static void truncate_reply(struct request *request, size_t limit)
{
	struct writer *w = &request->reply;
	uint16_t count[3];

	if (w->overflow && limit >= w->rdlength_at)
		limit = w->rdlength_at - 1;
	memcpy(count, w->count, sizeof(count));
	w->length = message_cut(w->wire, w->length, limit, count, w->count);
	w->overflow = false;
	request->reply_flags |= FLAG_TC;
}

static void write_header(struct request *request)
{
	uint8_t *wire = request->wire;
	struct writer *w = &request->reply;
	uint16_t flags = FLAG_QR | (request->flags & FLAG_OPCODE) | request->reply_flags |
			 (request->rcode & FLAG_RCODE);

	writer_put_u16_at(wire, request->id);
	writer_put_u16_at(wire + 2, flags);
	writer_put_u16_at(wire + 4, 1);
	writer_put_u16_at(wire + 6, w->count[SECTION_ANSWER]);
	writer_put_u16_at(wire + 8, w->count[SECTION_AUTHORITY]);
	writer_put_u16_at(wire + 10, w->count[SECTION_ADDITIONAL]);
}

void reply_finish(struct request *request)
{
	struct writer *w = &request->reply;
	size_t limit = size_limit(request) - opt_length(request);

	w->capacity = REQUEST_WIRE_MAX;
	if (UNLIKELY(w->overflow || w->length > limit))
		truncate_reply(request, limit);
	if (has_opt(request))
		write_opt(request);
	write_header(request);
}
