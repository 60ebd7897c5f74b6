/* Requests that wait, and requests on behalf of others. A child is a request like any other but for where its
 * reply goes: to the plugin that asked. */
#include "svcdns/request.h"

#include <string.h>

#include "svcdns/chain.h"
#include "svcdns/router.h"
#include "svcdns/worker.h"

#define OPT_OCTETS 11

bool request_may_wait(const struct request *request)
{
	return request->worker->waiting < WORKER_WAITING_MAX;
}

/* The child's query as it would have come over the wire: forward sends it on as it stands. */
static void write_query(struct request *child, const struct request *parent, const struct name *name)
{
	struct writer w;

	writer_init(&w, child->wire, 0, REQUEST_WIRE_MAX);
	writer_u16(&w, child->id);
	writer_u16(&w, child->flags);
	writer_u16(&w, 1);
	writer_u32(&w, 0);
	writer_u16(&w, child->edns.present);
	writer_bytes(&w, name->wire, name->length);
	writer_u16(&w, child->question.type);
	writer_u16(&w, child->question.class);
	child->question.end = (uint16_t)w.length;
	if (child->edns.present) {
		writer_u8(&w, 0);
		writer_u16(&w, TYPE_OPT);
		child->edns.payload_at = (uint16_t)w.length;
		writer_u16(&w, parent->edns.payload);
		writer_u32(&w, parent->edns.dnssec_ok ? 0x8000 : 0);
		writer_u16(&w, 0);
	}
	child->query_length = w.length;
}

struct request *request_child(struct request *parent, const struct name *name, uint16_t type)
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
	child->id = parent->id;
	child->flags = parent->flags & (FLAG_RD | FLAG_CD | FLAG_AD);
	child->question.name = *name;
	name_lower(&child->question.name);
	child->question.type = type;
	child->question.class = parent->question.class;
	child->edns.present = parent->edns.present;
	child->edns.dnssec_ok = parent->edns.dnssec_ok;
	child->edns.version = 0;
	child->edns.payload = parent->edns.payload;
	child->edns.flags = parent->edns.flags;
	child->edns.options_length = 0;
	write_query(child, parent, name);
	child->extended_error = false;
	child->error[0] = '\0';
	child->answered_by = NULL;
	child->is_waiting = false;
	child->is_detached = false;
	child->parent = parent;
	child->depth = parent->depth + 1;
	child->deliver = NULL;
	child->owner = NULL;
	return child;
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

void request_detach(struct request *child, void (*done)(struct request *, enum verdict), void *owner)
{
	assert(child->is_waiting && child->parent);
	child->parent = NULL;
	child->is_detached = true;
	child->deliver = done;
	child->owner = owner;
}
