/* search: the look-up step of resolv.conf, on the server.
 *
 * A stub resolver that knows a search list turns "product-service-svc" into one question after the other; one
 * that does not asks just that. Here each name that has fewer dots than ndots is tried along the list, by
 * questions to the plugins below, and the first that exists is answered at once: a CNAME record to the full
 * name, and its records. A name with more dots is asked as it is first, and along the list if that fails.
 *
 * What exists is decided by the name alone, NOERROR with or without data, so that A and AAAA never come from
 * different names. Only what clients ask is searched, never what the plugins below ask on their behalf. */
#include <string.h>

#include "settings.h"
#include "svcdns/chain.h"
#include "svcdns/log.h"

#define TOPIC	     "plugin/search"
#define LABEL_MAX    63
#define STEP_AS_IS   0
#define NEVER_FAILED 0

/* Steps are numbered: 0 is the name as it is, where that comes first, N the candidate of list[N - 1]. */
struct look_up {			  /* request_state() */
	uint8_t namespace[LABEL_MAX + 2]; /* a name of one label */
	uint8_t namespace_length;	  /* octets; 0: not known */
	uint8_t step;			  /* to be taken next */
	uint8_t failed; /* a step that failed, so that NXDOMAIN for the rest would be a guess; NEVER_FAILED */
	bool has_answer; /* the request holds what is known of the name as it is */
	bool is_last;	 /* the request itself went down, after the list */
};

/* A plugin below knows the cluster's Pods. */
static bool find_client(struct request *r, uint8_t label[LABEL_MAX], uint8_t *ret_length)
{
	struct ip client;

	address_ip(&r->client, &client);
	for (unsigned i = r->position + 1; i < r->chain->count; i++) {
		const struct link *link = &r->chain->links[i];

		if (link->plugin->find_namespace &&
			link->plugin->find_namespace(link->self, &client, label, ret_length))
			return true;
	}
	return false;
}

static void find_namespace(const struct search *search, struct request *r, struct look_up *look_up)
{
	uint8_t *wire = look_up->namespace;

	if (find_client(r, wire + 1, wire)) {
		wire[1 + wire[0]] = 0;
		look_up->namespace_length = (uint8_t)(2 + wire[0]);
	} else if (search->namespace.labels) {
		look_up->namespace_length = search->namespace.length;
		memcpy(wire, search->namespace.wire, search->namespace.length);
	}
}

/* Joined names may be too long, or need a namespace that is not known: those candidates do not exist. */
static bool make_candidate(const struct search *search, const struct request *r,
	const struct look_up *look_up, unsigned step, struct name *ret)
{
	const struct name *name = &r->question.name, *suffix = &search->list[step - 1];
	struct name namespace, services;

	if (step > 1 || !search->from_client)
		return name_join(name, suffix, ret);
	return name_from_wire(look_up->namespace, look_up->namespace_length, &namespace) &&
	       name_join(&namespace, suffix, &services) && name_join(name, &services, ret);
}

/* The next name of the list that may exist; false: it is at its end. */
static bool next_candidate(
	const struct search *search, struct request *r, struct look_up *look_up, struct request *candidate)
{
	while (look_up->step <= search->count)
		if (make_candidate(search, r, look_up, look_up->step++, &candidate->question.name) &&
			!request_is_ruled_out(candidate))
			return true;
	return false;
}

static struct request *as_it_is(struct request *r)
{
	struct name name;

	return name_from_wire(r->wire + MESSAGE_HEADER, r->question.name.length, &name)
		       ? request_child(r, &name, r->question.type)
		       : NULL;
}

/* What the next step asks; NULL: there is none. */
static struct request *next_child(const struct search *search, struct request *r, struct look_up *look_up)
{
	struct request *candidate;

	if (look_up->step == STEP_AS_IS) {
		look_up->step++;
		return as_it_is(r);
	}
	candidate = request_candidate(r, r->question.type);
	if (!candidate || next_candidate(search, r, look_up, candidate))
		return candidate;
	request_release(candidate);
	return NULL;
}

/* The smallest TTL of the answer, or of what says that there is none. */
static uint32_t lowest_ttl(const struct request *child)
{
	const uint16_t *count = child->reply.count;
	unsigned records = count[SECTION_ANSWER] ? count[SECTION_ANSWER] : count[SECTION_AUTHORITY];
	uint32_t lowest = records ? UINT32_MAX : 0;
	struct reader reader;

	reader_init(&reader, child->wire, child->reply.length, child->question.end);
	for (; records; records--) {
		uint32_t ttl;

		reader_skip_name(&reader);
		reader_skip(&reader, 4); /* type and class */
		ttl = reader_u32(&reader);
		reader_skip(&reader, reader_u16(&reader));
		if (!reader.failed && ttl < lowest)
			lowest = ttl;
	}
	return lowest;
}

/* Takes what came back, and releases it; true: that is the answer. */
static bool take(struct request *r, struct look_up *look_up, struct request *child)
{
	unsigned step = look_up->step - 1u;
	bool exists = child->rcode == RCODE_NOERROR;

	if (step == STEP_AS_IS) {
		request_reply_child(r, child);
		look_up->has_answer = true;
	} else if (exists) {
		request_reply_alias(r, child, &child->question.name, lowest_ttl(child));
	} else if (child->rcode == RCODE_SERVFAIL && !look_up->failed) {
		look_up->failed = (uint8_t)step;
	}
	request_release(child);
	return exists;
}

static enum verdict go_on(const struct search *search, struct request *r, struct look_up *look_up)
{
	struct request *child;

	while ((child = next_child(search, r, look_up))) {
		if (request_ask_below(child) == VERDICT_PENDING)
			return VERDICT_PENDING;
		if (take(r, look_up, child))
			return VERDICT_ANSWERED;
	}
	look_up->is_last = !look_up->has_answer;
	return look_up->has_answer ? VERDICT_ANSWERED : VERDICT_NEXT;
}

static enum verdict resume(void *self, struct request *r, struct request *child)
{
	struct look_up *look_up = request_state(r);

	return take(r, look_up, child) ? VERDICT_ANSWERED : go_on(self, r, look_up);
}

/* A client's own question, or what a plugin above made of it; not what a plugin below asks the whole server,
 * which is a full name, and might come back to where it began. */
static bool is_asked_by_client(const struct request *r)
{
	while (r->parent && r->first > 0)
		r = r->parent;
	return !r->parent;
}

/* Names that have been searched before, those of addresses, which no stub resolver searches, and what the
 * loop plugin asks: its name is meant as it is. */
static bool is_left_alone(const struct search *search, const struct question *question)
{
	const struct name *name = &question->name;

	for (unsigned i = 0; i < search->count; i++)
		if (name_is_under(name, &search->list[i]))
			return true;
	return !name->labels || question->type == TYPE_HINFO || name_is_under(name, &search->reverse[0]) ||
	       name_is_under(name, &search->reverse[1]);
}

static enum verdict serve(void *self, struct request *r)
{
	const struct search *search = self;
	const struct name *name = &r->question.name;
	struct look_up *look_up = request_state(r);

	look_up->is_last = false;
	if (!request_is_look_up(r) || !is_asked_by_client(r) || !zones_match(&search->zones, name) ||
		is_left_alone(search, &r->question))
		return VERDICT_NEXT;
	*look_up = (struct look_up){.step = STEP_AS_IS, .failed = NEVER_FAILED};
	if (name->labels - 1 < search->ndots)
		look_up->step = STEP_AS_IS + 1;
	if (search->from_client)
		find_namespace(search, r, look_up);
	return go_on(search, r, look_up);
}

/* A candidate failed, and the name as it is does not exist: as glibc, do not pretend to know. */
static void reply(void *self, struct request *r)
{
	const struct look_up *look_up = request_state(r);
	char text[NAME_TEXT_MAX];
	struct name name;

	if (!look_up->is_last || !look_up->failed || r->rcode != RCODE_NXDOMAIN)
		return;
	make_candidate(self, r, look_up, look_up->failed, &name);
	name_to_text(&name, text);
	request_fail(r, RCODE_SERVFAIL, "plugin/search: no answer for %s", text);
}

static void *setup(struct setup *setup, struct error *error)
{
	return search_settings(setup, error);
}

static bool open_list(void *config, struct error *error)
{
	const struct search *search = config;

	(void)error;
	if (!search->count)
		log_line(LOG_WARNING, TOPIC, "%s has no search list: names are only looked up as they are",
			search->resolv_conf);
	return true;
}

extern const struct plugin plugin_search;

const struct plugin plugin_search = {
	.name = "search",
	.state_size = sizeof(struct look_up),
	.setup = setup,
	.open = open_list,
	.serve = serve,
	.resume = resume,
	.reply = reply,
};
