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
static enum verdict reject(struct request *request, uint16_t rcode)
{
	uint16_t kept = request->flags & (FLAG_OPCODE | FLAG_RD | FLAG_CD);

	writer_init(&request->reply, request->wire, MESSAGE_HEADER, MESSAGE_HEADER);
	request->rcode = rcode;
	memset(request->wire + 4, 0, MESSAGE_HEADER - 4);
	writer_put_u16_at(request->wire + 2, FLAG_QR | kept | rcode);
	return VERDICT_ANSWERED;
}

/* What CoreDNS' library lets in (facts of miekg/dns, acceptfunc.go): a query or NOTIFY with one question and
 * next to nothing else. VERDICT_NEXT: let in. */
static enum verdict admit(struct request *request, size_t length)
{
	const uint8_t *wire = request->wire;
	uint16_t opcode;

	if (length < MESSAGE_HEADER)
		return VERDICT_DROP;
	request->id = message_id(wire);
	request->flags = message_flags(wire);
	if (request->flags & FLAG_QR)
		return VERDICT_DROP;
	opcode = (uint16_t)((request->flags & FLAG_OPCODE) >> 11);
	if (opcode != OPCODE_QUERY && opcode != OPCODE_NOTIFY)
		return reject(request, RCODE_NOTIMP);
	if (message_count(wire, 0) != 1 || message_count(wire, 1) > 1 || message_count(wire, 2) > 1 ||
		message_count(wire, 3) > 2)
		return reject(request, RCODE_FORMERR);
	if (length == MESSAGE_HEADER)
		return reject(request, RCODE_SERVFAIL);
	return VERDICT_NEXT;
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

/* RFC 6891 section 6.1.3. The record that says so names version 0, and nothing of the requestor's. */
static enum verdict bad_version(struct request *request)
{
	request->edns.payload = 0;
	request->edns.flags = 0;
	request->edns.options_length = 0;
	return request_fail(request, RCODE_BADVERS, "EDNS version %u", request->edns.version);
}

/* Nobody below sees it, so that it is counted here. */
static enum verdict refuse(struct request *request)
{
	const struct traffic_reply reply = {.rcode = request->rcode, .size = request_reply_size(request)};

	if (request->router->refused)
		traffic_count(request->router->refused, request, &reply);
	return VERDICT_ANSWERED;
}

static enum verdict route_and_serve(struct request *request)
{
	const struct question *question = &request->question;
	const struct route *route;

	if (question->class != CLASS_IN && !request->router->any_class) {
		request_fail(request, RCODE_REFUSED, "class %u is not served", question->class);
		return refuse(request);
	}
	if (request->edns.present && request->edns.version != 0)
		return bad_version(request);
	route = router_find(request->router, &question->name, question->type);
	if (!route || !route->chain->count) {
		request_fail(request, RCODE_REFUSED, "no zone for this name");
		return refuse(request);
	}
	request->route = route;
	return chain_serve(request, route->chain, 0);
}

enum verdict query_answer(struct request *request, size_t length)
{
	enum verdict verdict;

	request->parent = NULL;
	request->depth = 0;
	request->deadline = UINT64_MAX;
	request->is_waiting = false;
	request->is_detached = false;
	request->extended_error = false;
	request->answered_by = NULL;
	request->error[0] = '\0';
	verdict = admit(request, length);
	if (verdict != VERDICT_NEXT)
		return verdict;
	if (message_read_query(request->wire, length, &request->question, &request->edns)) {
		complete_question(request, length);
		verdict = route_and_serve(request);
	} else if (request->question.end == MESSAGE_HEADER) {
		return reject(request, RCODE_FORMERR);
	} else {
		request->edns.present = false;
		verdict = request_fail(request, RCODE_FORMERR, "malformed query");
	}
	if (verdict == VERDICT_ANSWERED)
		reply_finish(request);
	return verdict;
}
