/* The loop over the plugins of a chain. A request's place in it is an index, so that "pending" is to leave
 * the loop, and request_resume() to enter it again where it was left. */
#include "svcdns/chain.h"

#include <stdlib.h>
#include <string.h>

#include "reply.h"
#include "svcdns/worker.h"

void chain_lay_out(struct chain *chain)
{
	const size_t alignment = _Alignof(max_align_t);
	size_t used = 0;

	chain->looking_count = 0;
	for (unsigned i = 0; i < chain->count; i++) {
		chain->links[i].state = used;
		used += (chain->links[i].plugin->state_size + alignment - 1) & ~(alignment - 1);
		if (!chain->links[i].plugin->look_ahead)
			continue;
		if (chain->looking_count == CHAIN_LOOKING_MAX)
			abort();
		chain->looking[chain->looking_count++] = i;
	}
	if (used > REQUEST_STATE_MAX)
		abort();
}

void *request_state(struct request *request)
{
	return request->state + request->chain->links[request->position].state;
}

static void look_ahead(struct request *request, unsigned position, unsigned step)
{
	const struct link *link = &request->chain->links[position];

	request->position = position;
	link->plugin->look_ahead(link->self, request, step);
}

void chain_look_ahead(struct request *request, unsigned step)
{
	const struct chain *chain = request->chain;

	for (unsigned i = 0; i < chain->looking_count; i++)
		look_ahead(request, chain->looking[i], step);
	request->is_foreseen = true;
}

/* The first plugin that has names of its own can tell, or nobody. The others look ahead when it does not. */
bool chain_rules_out(struct request *request, unsigned first)
{
	const struct chain *chain = request->chain;
	const struct link *link = &chain->links[first], *end = &chain->links[chain->count];
	unsigned decider;

	while (link < end && link->plugin->passes_on)
		link++;
	if (link == end || !link->plugin->rules_out)
		return false;
	decider = (unsigned)(link - chain->links);
	look_ahead(request, decider, 0);
	if (link->plugin->rules_out(link->self, request))
		return true;
	for (unsigned i = 0; i < chain->looking_count; i++)
		if (chain->looking[i] != decider)
			look_ahead(request, chain->looking[i], 0);
	request->is_foreseen = true;
	return false;
}

bool request_find_label(const struct request *request, const char *label, char ret[METADATA_MAX])
{
	for (unsigned i = 0; request->has_metadata && i < request->chain->count; i++) {
		const struct link *link = &request->chain->links[i];

		if (link->plugin->find_label && link->plugin->find_label(link->self, request, label, ret))
			return true;
	}
	return false;
}

/* VERDICT_PENDING: a plugin has to ask first; the way goes on from its place. */
static enum verdict go_up(struct request *request, enum verdict verdict)
{
	while (request->position-- > request->first) {
		const struct link *link = &request->chain->links[request->position];

		if (link->plugin->reply)
			link->plugin->reply(link->self, request);
		if (link->plugin->amend && verdict == VERDICT_ANSWERED &&
			link->plugin->amend(link->self, request) == VERDICT_PENDING)
			return VERDICT_PENDING;
	}
	request->position = request->first;
	return verdict;
}

/* Nobody has answered. The last plugin is named, as in CoreDNS: in a block with several, it tells which block
 * it is. */
static enum verdict fail_at_end(struct request *request)
{
	const struct chain *chain = request->chain;

	if (!chain->count)
		return request_fail(request, RCODE_SERVFAIL, "no next plugin found");
	return request_fail(request, RCODE_SERVFAIL, "plugin/%s: no next plugin found",
		chain->links[chain->count - 1].plugin->name);
}

static enum verdict go_down(struct request *request)
{
	for (; request->position < request->chain->count; request->position++) {
		const struct link *link = &request->chain->links[request->position];
		enum verdict verdict = link->plugin->serve(link->self, request);

		if (verdict != VERDICT_NEXT)
			return verdict;
	}
	return fail_at_end(request);
}

static void let_wait(struct request *request)
{
	request->is_waiting = true;
	request->worker->waiting++;
	if (request->chain->waiting)
		++*request->chain->waiting;
}

static void wake(struct request *request)
{
	assert(request->is_waiting);
	request->is_waiting = false;
	request->worker->waiting--;
	if (request->chain->waiting)
		--*request->chain->waiting;
}

/* What follows from the verdict of the plugin at request->position. */
static enum verdict settle(struct request *request, enum verdict verdict)
{
	if (verdict == VERDICT_NEXT) {
		request->position++;
		verdict = go_down(request);
	}
	if (verdict == VERDICT_ANSWERED) {
		if (!request->answered_by && request->position < request->chain->count)
			request->answered_by = request->chain->links[request->position].plugin;
		verdict = go_up(request, verdict);
	} else if (verdict == VERDICT_DROP) {
		request_reply(request, RCODE_SERVFAIL, 0);
		request->bare = true;
		request->is_dropped = true;
		go_up(request, verdict);
	}
	if (verdict == VERDICT_PENDING)
		let_wait(request);
	return verdict;
}

enum verdict chain_serve(struct request *request, const struct chain *chain, unsigned first)
{
	request->chain = chain;
	request->first = first;
	request->position = first;
	return settle(request, go_down(request));
}

/* Hands a finished child to the plugin that asked for it. */
static enum verdict give_to_parent(struct request *child, enum verdict verdict)
{
	struct request *parent = child->parent;
	const struct link *link = &parent->chain->links[parent->position];

	if (verdict == VERDICT_DROP)
		request_fail(child, RCODE_SERVFAIL, "dropped");
	wake(parent);
	return settle(parent, link->plugin->resume(link->self, parent, child));
}

void request_resume(struct request *request, enum verdict verdict)
{
	wake(request);
	verdict = settle(request, verdict);
	while (verdict != VERDICT_PENDING && request->parent) {
		struct request *parent = request->parent;

		verdict = give_to_parent(request, verdict);
		request = parent;
	}
	if (verdict == VERDICT_PENDING)
		return;
	if (verdict == VERDICT_ANSWERED && !request->is_detached)
		reply_finish(request);
	request->deliver(request, verdict);
}
