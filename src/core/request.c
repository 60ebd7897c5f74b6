/* Requests that wait, and requests on behalf of others. A child is a request like any other but for where its
 * reply goes: to the plugin that asked. */
#include "svcdns/request.h"

#include <string.h>

#include "svcdns/chain.h"
#include "svcdns/router.h"
#include "svcdns/worker.h"

#define NOT_WRITTEN 0 /* as query_length: of a candidate */

bool request_is_look_up(const struct request *request)
{
	const struct question *question = &request->question;

	return question->class == CLASS_IN && !(request->flags & FLAG_OPCODE) &&
	       question->type != TYPE_AXFR && question->type != TYPE_IXFR;
}

bool request_may_wait(const struct request *request)
{
	return request->worker->waiting < WORKER_WAITING_MAX;
}

void request_change_flags(struct request *request, uint16_t clear, uint16_t set)
{
	request->flags = (uint16_t)((request->flags & ~clear) | set);
	writer_put_u16_at(request->wire + 2, request->flags);
}

/* The query as it would have come over the wire: forward sends it on as it stands. */
static void write_query(struct request *request, const struct name *name)
{
	struct writer w;

	writer_init(&w, request->wire, 0, REQUEST_WIRE_MAX);
	writer_u16(&w, request->id);
	writer_u16(&w, request->flags);
	writer_u16(&w, 1);
	writer_u32(&w, 0);
	writer_u16(&w, request->edns.present);
	writer_bytes(&w, name->wire, name->length);
	writer_u16(&w, request->question.type);
	writer_u16(&w, request->question.class);
	request->question.end = (uint16_t)w.length;
	if (request->edns.present) {
		writer_u8(&w, 0);
		writer_u16(&w, TYPE_OPT);
		request->edns.payload_at = (uint16_t)w.length;
		writer_u16(&w, request->edns.payload);
		writer_u32(&w, request->edns.dnssec_ok ? EDNS_DO : 0);
		writer_u16(&w, 0);
	}
	request->query_length = w.length;
}

/* What a request is that nobody sent: id, flags, class and EDNS are set. Its name is still missing. */
static void begin(struct request *request, struct request *parent, uint16_t type)
{
	request->question.type = type;
	request->query_length = NOT_WRITTEN;
	request->extended_error = false;
	request->error[0] = '\0';
	request->answered_by = NULL;
	request->has_metadata = false;
	request->upstream.any.sa_family = AF_UNSPEC;
	request->is_waiting = false;
	request->is_detached = false;
	request->is_foreseen = false;
	request->parent = parent;
	request->depth = parent ? parent->depth + 1 : 0;
	request->deliver = NULL;
	request->owner = NULL;
}

static void set_name(struct request *request, const struct name *name)
{
	request->question.name = *name;
	name_lower(&request->question.name);
	write_query(request, name);
}

struct request *request_candidate(struct request *parent, uint16_t type)
{
	struct request *child;

	if (parent->depth >= REQUEST_DEPTH_MAX)
		return NULL;
	child = request_take(parent->worker);
	child->router = parent->router;
	child->route = parent->route;
	child->transport = parent->transport;
	child->client = parent->client;
	child->local = parent->local;
	child->received = parent->received;
	child->deadline = parent->deadline;
	child->id = parent->id;
	child->flags = parent->flags & (FLAG_RD | FLAG_CD | FLAG_AD);
	child->question.class = parent->question.class;
	child->edns.present = parent->edns.present;
	child->edns.dnssec_ok = parent->edns.dnssec_ok;
	child->edns.version = 0;
	child->edns.payload = parent->edns.payload;
	child->edns.flags = parent->edns.flags;
	child->edns.options_length = 0;
	begin(child, parent, type);
	return child;
}

struct request *request_child(struct request *parent, const struct name *name, uint16_t type)
{
	struct request *child = request_candidate(parent, type);

	if (child)
		set_name(child, name);
	return child;
}

struct request *request_own(struct worker *worker, const struct name *name, uint16_t type)
{
	struct request *request = request_take(worker);

	request->router = NULL;
	request->route = NULL;
	request->transport = TRANSPORT_UDP;
	request->client = request->local = (union address){0};
	request->received = worker->now;
	request->deadline = UINT64_MAX;
	request->id = 0;
	request->flags = FLAG_RD;
	request->question.class = CLASS_IN;
	request->edns = (struct edns){0};
	begin(request, NULL, type);
	set_name(request, name);
	return request;
}

static enum verdict ask(struct request *child, const struct chain *chain, unsigned first)
{
	enum verdict verdict = chain_serve(child, chain, first);

	if (verdict == VERDICT_DROP)
		return request_fail(child, RCODE_SERVFAIL, "dropped");
	return verdict;
}

enum verdict request_ask_below(struct request *child)
{
	if (child->query_length == NOT_WRITTEN)
		write_query(child, &child->question.name);
	return ask(child, child->parent->chain, child->parent->position + 1);
}

enum verdict request_ask_server(struct request *child)
{
	const struct route *route = router_find(child->router, &child->question.name, child->question.type);

	if (!route)
		return request_fail(child, RCODE_REFUSED, "no zone for this name");
	child->route = route;
	return ask(child, route->chain, 0);
}

bool request_is_ruled_out(struct request *candidate)
{
	candidate->chain = candidate->parent->chain;
	return chain_rules_out(candidate, candidate->parent->position + 1);
}

void request_detach(struct request *child, void (*done)(struct request *, enum verdict), void *owner)
{
	assert(child->is_waiting && child->parent);
	child->parent = NULL;
	child->is_detached = true;
	child->deliver = done;
	child->owner = owner;
}
