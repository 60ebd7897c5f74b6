/* search: the look-up step of resolv.conf, on the server.
 *
 * A stub resolver that knows a search list turns "product-service-svc" into one question after the other; one
 * that does not asks just that. Here each name that has fewer dots than ndots is tried along the list, by
 * questions to the plugins below, and the first that exists is answered at once: a CNAME record to the full
 * name, and its records.
 *
 * What exists is decided by the name alone, NOERROR with or without data, so that A and AAAA never come from
 * different names. Only what clients ask is searched, never what other plugins ask on their behalf. */
#include <string.h>

#include "svcdns/buffer.h"
#include "svcdns/chain.h"
#include "svcdns/setup.h"

#define NDOTS_KUBERNETES 5 /* what a kubelet writes */
#define NDOTS_DEFAULT	 1 /* resolv.conf(5) */
#define NDOTS_MAX	 15
#define LIST_MAX	 32
#define LABEL_MAX	 63

struct search { /* lifetime: configuration */
	struct zones zones;
	struct name list[LIST_MAX]; /* lower case */
	unsigned count;
	int64_t ndots;	  /* -1: not set yet */
	bool from_client; /* list[0] is "svc.ZONE", the client's namespace comes before it */
	uint8_t fallback[LABEL_MAX], fallback_length; /* where the client's is not known; length 0: none */
};

struct look_up { /* request_state() */
	uint8_t namespace[LABEL_MAX], namespace_length;
	uint8_t step;	 /* candidate that is asked now */
	bool has_failed; /* one of them, so that NXDOMAIN for the rest would be a guess */
	bool asks_as_is; /* the name itself is asked, before the list */
	bool has_reply;	 /* a denial of the name itself stands in the request */
	bool is_last;	 /* the request itself is on its way down */
};

static void name_of_label(const uint8_t *label, uint8_t length, struct name *ret)
{
	ret->wire[0] = length;
	memcpy(ret->wire + 1, label, length);
	ret->wire[1 + length] = 0;
	ret->offset[0] = 0;
	ret->offset[1] = (uint8_t)(1 + length);
	ret->labels = 1;
	ret->length = (uint8_t)(2 + length);
}

/* Joined names may be too long, or need a namespace that is not known: those candidates do not exist. */
static bool make_candidate(const struct search *search, const struct look_up *look_up,
	const struct name *name, unsigned step, struct name *ret)
{
	struct name namespace, with_namespace;

	if (!search->from_client || step)
		return name_join(name, &search->list[step], ret);
	if (!look_up->namespace_length)
		return false;
	name_of_label(look_up->namespace, look_up->namespace_length, &namespace);
	return name_join(name, &namespace, &with_namespace) &&
	       name_join(&with_namespace, &search->list[0], ret);
}

/* A plugin below knows the cluster's Pods. */
static void find_namespace(const struct search *search, struct request *r, struct look_up *look_up)
{
	struct ip client;

	address_ip(&r->client, &client);
	for (unsigned i = r->position + 1; i < r->chain->count; i++) {
		const struct link *link = &r->chain->links[i];

		if (link->plugin->find_namespace && link->plugin->find_namespace(link->self, &client,
							    look_up->namespace, &look_up->namespace_length))
			return;
	}
	look_up->namespace_length = search->fallback_length;
	memcpy(look_up->namespace, search->fallback, search->fallback_length);
}

static bool has_suffix(const struct search *search, const struct name *name)
{
	for (unsigned i = 0; i < search->count; i++)
		if (name_is_under(name, &search->list[i]))
			return true;
	return false;
}

static uint32_t lowest_ttl(const struct request *child)
{
	unsigned records = (unsigned)child->reply.count[0] + child->reply.count[1];
	struct reader reader;
	struct record record;
	uint32_t lowest = UINT32_MAX;

	reader_init(&reader, child->wire, child->reply.length, child->question.end);
	while (records-- && reader_record(&reader, &record))
		if (record.ttl < lowest)
			lowest = record.ttl;
	return lowest == UINT32_MAX ? 0 : lowest;
}

static void copy_records(const struct request *child, struct request *r)
{
	struct reader reader;
	struct record record;

	reader_init(&reader, child->wire, child->reply.length, child->question.end);
	for (enum section section = SECTION_ANSWER; section <= SECTION_ADDITIONAL; section++)
		for (unsigned i = child->reply.count[section]; i && reader_record(&reader, &record); i--)
			writer_record(&r->reply, section, child->wire, child->reply.length, &record);
}

/* The full name as an alias of the one that was asked, and what it has. */
static void answer_hit(struct request *r, const struct request *child)
{
	struct writer *w = &r->reply;

	request_reply(r, RCODE_NOERROR, child->reply_flags & (FLAG_AA | FLAG_RA | FLAG_AD));
	writer_u16(w, WRITER_QUESTION);
	writer_open(w, SECTION_ANSWER, TYPE_CNAME, r->question.class, lowest_ttl(child));
	writer_name(w, &child->question.name);
	writer_close(w);
	copy_records(child, r);
}

static enum verdict try_next(const struct search *search, struct request *r, struct look_up *look_up);

/* The name itself was asked first, and does not exist: that is the answer if the list has nothing. */
static void keep_denial(struct request *r, const struct request *child)
{
	struct look_up *look_up = request_state(r);

	request_reply(r, child->rcode, child->reply_flags & (FLAG_AA | FLAG_RA | FLAG_AD));
	copy_records(child, r);
	look_up->has_reply = true;
}

static void answer_as_is(struct request *r, const struct request *child)
{
	if (child->bare) {
		request_fail(r, child->rcode, "%s", child->error);
		return;
	}
	request_reply(r, child->rcode, child->reply_flags & (FLAG_AA | FLAG_RA | FLAG_AD));
	copy_records(child, r);
}

static enum verdict on_child(const struct search *search, struct request *r, struct request *child)
{
	struct look_up *look_up = request_state(r);
	bool is_hit = !child->bare && child->rcode == RCODE_NOERROR;
	bool is_as_is = look_up->asks_as_is;

	look_up->asks_as_is = false;
	if (is_as_is && child->rcode == RCODE_NXDOMAIN && !child->bare)
		keep_denial(r, child);
	else if (is_as_is)
		answer_as_is(r, child);
	else if (is_hit)
		answer_hit(r, child);
	else
		look_up->has_failed |= child->rcode == RCODE_SERVFAIL;
	request_release(child);
	if (is_hit || (is_as_is && !look_up->has_reply))
		return VERDICT_ANSWERED;
	look_up->step += !is_as_is;
	return try_next(search, r, look_up);
}

static enum verdict ask(const struct search *search, struct request *r, const struct name *name)
{
	struct request *child = request_child(r, name, r->question.type);
	enum verdict verdict;

	if (!child)
		return VERDICT_NEXT;
	verdict = request_ask_below(child);
	return verdict == VERDICT_PENDING ? verdict : on_child(search, r, child);
}

/* The list is at its end: the name as it is, unless that has been asked already. */
static enum verdict finish(struct request *r, struct look_up *look_up)
{
	if (!look_up->has_reply) {
		look_up->is_last = true;
		return VERDICT_NEXT;
	}
	if (look_up->has_failed)
		return request_fail(r, RCODE_SERVFAIL, "search: a name of the list could not be looked up");
	return VERDICT_ANSWERED;
}

static enum verdict try_next(const struct search *search, struct request *r, struct look_up *look_up)
{
	struct name candidate;

	for (; look_up->step < search->count; look_up->step++)
		if (make_candidate(search, look_up, &r->question.name, look_up->step, &candidate))
			return ask(search, r, &candidate);
	return finish(r, look_up);
}

static enum verdict serve(void *self, struct request *r)
{
	const struct search *search = self;
	const struct name *name = &r->question.name;
	struct look_up *look_up = request_state(r);
	struct name as_is;

	look_up->is_last = false;
	if (r->parent || !name->labels || !zones_match(&search->zones, name) || has_suffix(search, name))
		return VERDICT_NEXT;
	*look_up = (struct look_up){.step = 0};
	if (search->from_client)
		find_namespace(search, r, look_up);
	if (name->labels - 1 < search->ndots)
		return try_next(search, r, look_up);
	look_up->asks_as_is = true;
	return name_from_wire(r->wire + MESSAGE_HEADER, name->length, &as_is) ? ask(search, r, &as_is)
									      : VERDICT_NEXT;
}

static enum verdict resume(void *self, struct request *r, struct request *child)
{
	return on_child(self, r, child);
}

/* A name of the list failed, and the name itself does not exist: as glibc, do not pretend to know
 * (res_search(3)). */
static void reply(void *self, struct request *r)
{
	const struct look_up *look_up = request_state(r);

	(void)self;
	if (look_up->is_last && look_up->has_failed && r->rcode == RCODE_NXDOMAIN)
		request_fail(r, RCODE_SERVFAIL, "search: a name of the list could not be looked up");
}

static bool add(struct search *search, struct dispenser *d, const char *text)
{
	if (search->count == LIST_MAX)
		return dispenser_error(d, "more than %d names to search", LIST_MAX);
	if (!name_from_text(text, &search->list[search->count]))
		return dispenser_error(d, "not a valid domain name: \"%s\"", text);
	name_lower(&search->list[search->count++]);
	return true;
}

static bool check_first(const struct search *search, struct dispenser *d)
{
	return !search->count ||
	       dispenser_error(d, "only one of domains, resolv_conf, namespace and from can name the list");
}

static bool parse_domains(void *config, struct setup *setup, struct dispenser *d)
{
	struct search *search = config;

	(void)setup;
	if (!check_first(search, d))
		return false;
	if (!dispenser_arguments(d))
		return dispenser_argument_error(d);
	while (dispenser_argument(d))
		if (!add(search, d, dispenser_value(d)))
			return false;
	return true;
}

/* "search A B" and "options ndots:N"; the last line of each counts (resolv.conf(5)). */
static bool read_resolv_conf_line(struct search *search, struct dispenser *d, char *line, int64_t *ret_ndots)
{
	char *rest, *word = strtok_r(line, " \t\r", &rest);
	struct error ignored;

	if (!word)
		return true;
	if (strcmp(word, "search") == 0 || strcmp(word, "domain") == 0) {
		search->count = 0;
		while ((word = strtok_r(NULL, " \t\r", &rest)))
			if (!add(search, d, word))
				return false;
	} else if (strcmp(word, "options") == 0) {
		while ((word = strtok_r(NULL, " \t\r", &rest)))
			if (strncmp(word, "ndots:", strlen("ndots:")) == 0)
				integer_parse(word + strlen("ndots:"), ret_ndots, &ignored);
	}
	return true;
}

static bool parse_resolv_conf(void *config, struct setup *setup, struct dispenser *d)
{
	struct search *search = config;
	struct buffer buffer;
	char reason[512], *rest;
	int64_t ndots = NDOTS_DEFAULT;
	bool ok = true;

	if (!check_first(search, d))
		return false;
	if (dispenser_arguments(d) != 1 || !dispenser_argument(d))
		return dispenser_argument_error(d);
	buffer_init(&buffer);
	if (!buffer_read_file(&buffer, setup_path(setup, dispenser_value(d)), reason, sizeof(reason))) {
		buffer_finish(&buffer);
		return dispenser_error(d, "%s", reason);
	}
	for (char *line = strtok_r(buffer.bytes, "\n", &rest); line && ok; line = strtok_r(NULL, "\n", &rest))
		ok = read_resolv_conf_line(search, d, line, &ndots);
	buffer_finish(&buffer);
	if (search->ndots < 0)
		search->ndots = ndots < 0 ? 0 : ndots > NDOTS_MAX ? NDOTS_MAX : ndots;
	return ok && (search->count || dispenser_error(d, "%s has no search list", dispenser_value(d)));
}

/* NAMESPACE.svc.ZONE, svc.ZONE, ZONE: what a kubelet writes. */
static bool add_cluster_list(
	struct search *search, struct setup *setup, struct dispenser *d, const char *zone)
{
	search->count = 0;
	return add(search, d, arena_format(setup->arena, "svc.%s", zone)) &&
	       add(search, d, arena_format(setup->arena, "svc.%s", zone)) && add(search, d, zone);
}

/* namespace NAME [ZONE] */
static bool parse_namespace(void *config, struct setup *setup, struct dispenser *d)
{
	struct search *search = config;
	const char *zone = "cluster.local";
	struct name name;

	if (!search->from_client && !check_first(search, d))
		return false;
	if (dispenser_arguments(d) < 1 || dispenser_arguments(d) > 2 || !dispenser_argument(d))
		return dispenser_argument_error(d);
	if (!name_from_text(dispenser_value(d), &name) || name.labels != 1)
		return dispenser_error(d, "not a namespace: \"%s\"", dispenser_value(d));
	name_lower(&name);
	search->fallback_length = name.wire[0];
	memcpy(search->fallback, name.wire + 1, name.wire[0]);
	if (dispenser_argument(d))
		zone = dispenser_value(d);
	return add_cluster_list(search, setup, d, zone);
}

static bool parse_from(void *config, struct setup *setup, struct dispenser *d)
{
	struct search *search = config;

	if (!search->fallback_length && !check_first(search, d))
		return false;
	if (dispenser_arguments(d) != 1 || !dispenser_argument(d))
		return dispenser_argument_error(d);
	if (strcmp(dispenser_value(d), "client") != 0)
		return dispenser_error(d, "from expects 'client', got \"%s\"", dispenser_value(d));
	search->from_client = true;
	return search->fallback_length || add_cluster_list(search, setup, d, "cluster.local");
}

static const struct option options[] = {
	{.name = "domains", .type = OPTION_CALL, .parse = parse_domains},
	{.name = "resolv_conf", .type = OPTION_CALL, .parse = parse_resolv_conf},
	{.name = "namespace", .type = OPTION_CALL, .parse = parse_namespace},
	{.name = "from", .type = OPTION_CALL, .parse = parse_from},
	{.name = "ndots",
		.type = OPTION_INTEGER,
		.offset = offsetof(struct search, ndots),
		.low = 0,
		.high = NDOTS_MAX},
	{.name = NULL},
};

/* The namespace is part of the list where it does not depend on the client. */
static void settle_namespace(struct search *search)
{
	struct name namespace, rest = search->list[0];

	if (search->from_client || !search->fallback_length)
		return;
	name_of_label(search->fallback, search->fallback_length, &namespace);
	name_join(&namespace, &rest, &search->list[0]);
}

static void *setup(struct setup *setup, struct error *error)
{
	struct search *search = arena_alloc(setup->arena, sizeof(*search));
	struct dispenser d;

	search->ndots = -1;
	dispenser_init(&d, setup->directive, error);
	while (dispenser_next(&d)) {
		if (!setup_once(setup, &d))
			return NULL;
		setup_zones(setup, &d, &search->zones);
		if (!options_parse(options, search, setup, &d))
			return NULL;
	}
	if (!search->count) {
		dispenser_error(&d, "one of domains, resolv_conf, namespace and from client is needed");
		return NULL;
	}
	if (search->ndots < 0)
		search->ndots = NDOTS_KUBERNETES;
	settle_namespace(search);
	return search;
}

extern const struct plugin plugin_search;

const struct plugin plugin_search = {
	.name = "search",
	.state_size = sizeof(struct look_up),
	.setup = setup,
	.serve = serve,
	.resume = resume,
	.reply = reply,
};
