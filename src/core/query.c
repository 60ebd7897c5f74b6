/* From packet to packet: admit, parse, route, serve, finish. The other five verbs stand where their matter
 * is: receive and send in net/, find, write and reply in the plugins and the writer. Nothing here allocates,
 * waits or asks the time. */
#include "svcdns/query.h"

#include <string.h>

#include "reply.h"
#include "svcdns/chain.h"
#include "svcdns/router.h"
#include "svcdns/traffic.h"

/* An answer of twelve octets for what is not worth more: the query's header, turned round. */
static enum admission reject(struct request *request, uint16_t rcode)
{
	uint16_t kept = request->flags & (FLAG_OPCODE | FLAG_RD | FLAG_CD);

	writer_init(&request->reply, request->wire, MESSAGE_HEADER, MESSAGE_HEADER);
	request->rcode = rcode;
	memset(request->wire + 4, 0, MESSAGE_HEADER - 4);
	writer_put_u16_at(request->wire + 2, FLAG_QR | kept | rcode);
	return ADMISSION_REJECT;
}

/* What CoreDNS' library lets in (facts of miekg/dns, acceptfunc.go): a query or NOTIFY with one question and
 * next to nothing else. */
static enum admission admit(struct request *request, size_t length)
{
	const uint8_t *wire = request->wire;
	uint16_t opcode;

	if (length < MESSAGE_HEADER)
		return ADMISSION_DROP;
	request->id = message_id(wire);
	request->flags = message_flags(wire);
	if (request->flags & FLAG_QR)
		return ADMISSION_DROP;
	opcode = (uint16_t)((request->flags & FLAG_OPCODE) >> 11);
	if (opcode != OPCODE_QUERY && opcode != OPCODE_NOTIFY)
		return reject(request, RCODE_NOTIMP);
	if (message_count(wire, 0) != 1 || message_count(wire, 1) > 1 || message_count(wire, 2) > 1 ||
		message_count(wire, 3) > 2)
		return reject(request, RCODE_FORMERR);
	if (length == MESSAGE_HEADER)
		return reject(request, RCODE_SERVFAIL);
	return ADMISSION_SERVE;
}

/* A question that ends with the message after its name or type is taken for one with zeros there. */
static void complete_question(struct request *request, size_t length)
{
	const struct question *question = &request->question;

	request->query_length = length;
	if (LIKELY(question->end <= length))
		return;
	writer_put_u16_at(request->wire + question->end - 4, question->type);
	writer_put_u16_at(request->wire + question->end - 2, question->class);
	request->query_length = question->end;
}

static enum admission fail(struct request *request, uint16_t rcode, const char *reason)
{
	request_fail(request, rcode, "%s", reason);
	return ADMISSION_FAIL;
}

/* RFC 6891 section 6.1.3. The record that says so names version 0, and nothing of the requestor's. */
static enum admission bad_version(struct request *request)
{
	request->edns.payload = 0;
	request->edns.flags = 0;
	request->edns.options_length = 0;
	return fail(request, RCODE_BADVERS, "unknown version of EDNS");
}

static enum admission parse(struct request *request, size_t length)
{
	if (LIKELY(message_read_query(request->wire, length, &request->question, &request->edns))) {
		complete_question(request, length);
		return ADMISSION_SERVE;
	}
	if (request->question.end == MESSAGE_HEADER)
		return reject(request, RCODE_FORMERR);
	request->edns.present = false;
	return fail(request, RCODE_FORMERR, "malformed query");
}

/* No plugin will see it, so that it is counted here. */
static enum admission refuse(struct request *request, const char *reason)
{
	enum admission admission = fail(request, RCODE_REFUSED, reason);
	const struct traffic_reply reply = {.rcode = request->rcode, .size = request_reply_size(request)};

	if (request->router->refused)
		traffic_count(request->router->refused, request, &reply);
	return admission;
}

static enum admission route(struct request *request)
{
	const struct question *question = &request->question;

	if (question->class != CLASS_IN && !request->router->any_class)
		return refuse(request, "its class is not served");
	if (request->edns.present && request->edns.version != 0)
		return bad_version(request);
	request->route = router_find(request->router, &question->name, question->type);
	if (!request->route || !request->route->chain->count)
		return refuse(request, "no zone for this name");
	request->chain = request->route->chain;
	return ADMISSION_SERVE;
}

static void begin(struct request *request)
{
	request->parent = NULL;
	request->depth = 0;
	request->deadline = UINT64_MAX;
	request->is_waiting = false;
	request->is_detached = false;
	request->is_foreseen = false;
	request->extended_error = false;
	request->answered_by = NULL;
	request->has_metadata = false;
	request->upstream.any.sa_family = AF_UNSPEC;
	request->error[0] = '\0';
}

void query_read(struct request *request, size_t length)
{
	begin(request);
	request->admission = admit(request, length);
	if (LIKELY(request->admission == ADMISSION_SERVE))
		request->admission = parse(request, length);
	if (LIKELY(request->admission == ADMISSION_SERVE))
		request->admission = route(request);
	if (UNLIKELY(request->admission != ADMISSION_SERVE))
		return;
	chain_look_ahead(request, 0);
}

void query_look_ahead(struct request *request, unsigned step)
{
	if (LIKELY(request->admission == ADMISSION_SERVE))
		chain_look_ahead(request, step);
}

enum verdict query_serve(struct request *request)
{
	enum verdict verdict = VERDICT_ANSWERED;

	if (UNLIKELY(request->admission == ADMISSION_DROP))
		return VERDICT_DROP;
	if (LIKELY(request->admission == ADMISSION_SERVE))
		verdict = chain_serve(request, request->chain, 0);
	if (verdict == VERDICT_ANSWERED && request->admission != ADMISSION_REJECT)
		reply_finish(request);
	return verdict;
}

enum verdict query_answer(struct request *request, size_t length)
{
	query_read(request, length);
	return query_serve(request);
}
