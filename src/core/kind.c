/* What stands in a reply, read from its octets. */
#include "svcdns/request.h"

static bool is_about_transfers(const struct request *request)
{
	return request->question.type == TYPE_AXFR || request->question.type == TYPE_IXFR ||
	       (request->flags & FLAG_OPCODE);
}

/* NOERROR without answers: what the authority section holds tells more. */
static enum reply_kind kind_of_empty(const struct request *request)
{
	const struct writer *w = &request->reply;
	unsigned records = w->count[SECTION_AUTHORITY];
	enum reply_kind kind = REPLY_SUCCESS;
	struct reader reader;
	struct record record;

	reader_init(&reader, w->wire, w->length, request->question.end);
	while (records-- && reader_pass_record(&reader, &record)) {
		if (record.type == TYPE_SOA)
			return REPLY_NODATA;
		if (record.type == TYPE_NS)
			kind = REPLY_DELEGATION;
	}
	return kind;
}

enum reply_kind request_reply_kind(const struct request *request)
{
	bool has_answers = request->reply.count[SECTION_ANSWER];

	if (is_about_transfers(request))
		return REPLY_OTHER;
	switch (request->rcode) {
	case RCODE_NOERROR:
		return has_answers ? REPLY_SUCCESS : kind_of_empty(request);
	case RCODE_NXDOMAIN:
		return has_answers ? REPLY_OTHER : REPLY_NXDOMAIN;
	case RCODE_SERVFAIL:
	case RCODE_NOTIMP:
		return REPLY_FAILURE;
	default:
		return REPLY_OTHER;
	}
}

#define FIXED 10 /* octets between a record's owner and its RDATA */

/* Addresses of the question's name: what most replies are made of, passed over without a look at names. The
 * octets that they take without compression. */
static size_t skim_addresses(struct reader *reader, const struct question *question, unsigned *records)
{
	size_t size = 0;

	while (*records && reader_left(reader) > 2 + FIXED) {
		const uint8_t *at = reader->wire + reader->at;
		uint16_t type = message_u16(at + 2);
		size_t rdlength = message_u16(at + FIXED);

		if (message_u16(at) != WRITER_QUESTION || (type != TYPE_A && type != TYPE_AAAA))
			break;
		reader_skip(reader, 2 + FIXED + rdlength);
		size += question->name.length + FIXED + rdlength;
		--*records;
	}
	return size;
}

size_t request_reply_size(const struct request *request)
{
	const struct writer *w = &request->reply;
	unsigned records = (unsigned)w->count[0] + w->count[1] + w->count[2];
	size_t size = request->question.end + request->opt_length;
	struct reader reader;
	struct record record;

	if (request->is_dropped)
		return 0;
	reader_init(&reader, w->wire, w->length, request->question.end);
	size += skim_addresses(&reader, &request->question, &records);
	while (records-- && reader_record(&reader, &record))
		size += writer_expanded_length(w->wire, &record);
	return size;
}
