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
	while (records-- && reader_record(&reader, &record)) {
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
