/* autopath: the search list of a client, walked along on the server.
 *
 * A stub resolver that has a search list asks for "www.example.com.NAMESPACE.svc.cluster.local" first. A name
 * that ends in the first name of its client's list is therefore tried with each of the others in that place,
 * and at last without any, by questions to the plugins below; the first of them that exists is the answer,
 * behind a CNAME record to it. NODATA is an answer, too. If there is none, the reply to the first question
 * stands, and the client goes on by itself. */
#include <string.h>

#include "svcdns/chain.h"
#include "svcdns/metrics.h"
#include "svcdns/registry.h"
#include "svcdns/resolv_conf.h"
#include "svcdns/router.h"
#include "svcdns/setup.h"
#include "svcdns/worker.h"

struct autopath { /* lifetime: configuration */
	struct zones zones;
	struct resolv_conf file;
	const char *source; /* plugin whose list goes before the file's, if it is in the block; NULL: none */
	const struct setup *setup;
	struct cell **successes; /* for each site of the block */
};

static const struct metric_family successes = {
	.name = "coredns_autopath_success_total",
	.help = "Counter of requests that did autopath.",
	.labels = {{.name = "server"}},
};
static const struct metric_family *const families[] = {&successes, NULL};

struct walk {		   /* request_state() */
	unsigned step;	   /* to be taken next: with name `step` of the list; 0: as it came */
	unsigned replaced; /* labels at the end of the question: those of the list's first name */
	bool is_at_end;	   /* the last step, without any name of the list, is taken */
};

/* The plugin of that name in this block. */
static const struct link *find_source(const struct chain *chain, const char *name)
{
	for (unsigned i = 0; i < chain->count; i++) {
		const struct plugin *plugin = chain->links[i].plugin;

		if (plugin->find_search_name && strcmp(plugin->name, name) == 0)
			return &chain->links[i];
	}
	return NULL;
}

/* Name `index` of the client's list; false: it has no more. */
static bool find_search_name(
	const struct autopath *autopath, const struct request *r, unsigned index, struct name *ret)
{
	const struct link *link = autopath->source ? find_source(r->chain, autopath->source) : NULL;

	if (link)
		return link->plugin->find_search_name(link->self, r, index, ret);
	if (index >= autopath->file.search_count)
		return false;
	*ret = autopath->file.search[index];
	return true;
}

/* The name to be asked next; false: there is none. What gets too long does not exist. */
static bool next_name(
	const struct autopath *autopath, const struct request *r, struct walk *walk, struct name *ret)
{
	struct name asked, search_name;

	name_from_wire(r->wire + MESSAGE_HEADER, r->question.name.length, &asked);
	if (walk->step == 0) {
		walk->step++;
		*ret = asked;
		return true;
	}
	while (!walk->is_at_end) {
		if (!find_search_name(autopath, r, walk->step++, &search_name)) {
			walk->is_at_end = true;
			name_from_text(".", &search_name);
		}
		if (name_replace_suffix(&asked, walk->replaced, &search_name, ret))
			return true;
	}
	return false;
}

/* The first record that the child's name has, or the first of all where it has none. */
static bool find_answer(const struct request *child, struct record *ret)
{
	struct reader reader;
	struct record record;
	bool found = false;

	reader_init(&reader, child->wire, child->reply.length, child->question.end);
	for (unsigned i = child->reply.count[SECTION_ANSWER]; i && reader_record(&reader, &record); i--) {
		bool is_own = name_equal_nocase(&record.owner, &child->question.name);

		if (is_own || !found)
			*ret = record;
		found = true;
		if (is_own)
			break;
	}
	return found;
}

static void answer(struct request *r, const struct request *child)
{
	struct record first;

	if (find_answer(child, &first) && !name_equal_nocase(&first.owner, &r->question.name))
		request_reply_alias(r, child, &first.owner, first.ttl);
	else
		request_reply_child(r, child);
}

/* Takes what came back, and releases it; true: that is the answer. A failure is one. */
static bool take(
	const struct autopath *autopath, struct request *r, const struct walk *walk, struct request *child)
{
	bool is_failure = child->bare && child->error[0];
	bool is_answer = is_failure || (!child->bare && child->rcode != RCODE_NXDOMAIN);

	if (is_answer && !is_failure)
		cell_add(cell_of_worker(autopath->successes[r->route->site], r->worker->index), 1);
	if (is_answer)
		answer(r, child);
	else if (walk->step == 1)
		request_reply_child(r, child);
	request_release(child);
	return is_answer;
}

static enum verdict go_on(const struct autopath *autopath, struct request *r, struct walk *walk)
{
	struct name name;

	while (next_name(autopath, r, walk, &name)) {
		struct request *child = request_child(r, &name, r->question.type);

		if (!child)
			return walk->step == 1 ? VERDICT_NEXT : VERDICT_ANSWERED;
		if (request_ask_below(child) == VERDICT_PENDING)
			return VERDICT_PENDING;
		if (take(autopath, r, walk, child))
			break;
	}
	return VERDICT_ANSWERED;
}

static enum verdict resume(void *self, struct request *r, struct request *child)
{
	struct walk *walk = request_state(r);

	return take(self, r, walk, child) ? VERDICT_ANSWERED : go_on(self, r, walk);
}

static enum verdict serve(void *self, struct request *r)
{
	const struct autopath *autopath = self;
	const struct name *name = &r->question.name;
	struct walk *walk = request_state(r);
	struct name first;

	if (!request_is_look_up(r) || !zones_match(&autopath->zones, name) ||
		!find_search_name(autopath, r, 0, &first))
		return VERDICT_NEXT;
	if (!name_is_under(name, &first) || name->labels == first.labels)
		return VERDICT_NEXT;
	*walk = (struct walk){.replaced = first.labels};
	return go_on(autopath, r, walk);
}

/* autopath [ZONES...] RESOLV-CONF|@PLUGIN */
static bool read_directive(
	struct autopath *autopath, struct setup *setup, struct dispenser *d, struct error *error)
{
	size_t zones = dispenser_arguments(d);
	const char *source;
	struct error reason;

	if (!zones--)
		return error_set(error, "no resolv-conf specified");
	autopath->zones = zones ? (struct zones){0} : setup->zones;
	while (zones-- && dispenser_argument(d))
		zones_add(&autopath->zones, setup->arena, dispenser_value(d));
	dispenser_argument(d);
	source = dispenser_value(d);
	if (*source == '@')
		autopath->source = source + 1;
	else if (!resolv_conf_read(&autopath->file, source, setup->arena, &reason))
		return error_set(error, "failed to parse \"%s\": %s", source, reason.message);
	return true;
}

static void *setup(struct setup *setup, struct error *error)
{
	struct autopath *autopath = arena_alloc(setup->arena, sizeof(*autopath));
	struct dispenser d;

	autopath->setup = setup;
	dispenser_init(&d, setup->directive, error);
	while (dispenser_next(&d))
		if (!read_directive(autopath, setup, &d, error))
			return NULL;
	return autopath;
}

static bool is_in_block(const struct autopath *autopath, const char *name)
{
	const struct directive *directive = autopath->setup->directives;

	while (directive && strcmp(directive->name, name) != 0)
		directive = directive->next;
	return directive;
}

static const struct plugin *find_plugin(const char *name)
{
	const struct registration *r = registry;

	while (r->name && strcmp(r->name, name) != 0)
		r++;
	return r->plugin;
}

/* A plugin that is not in the chain has no list, and nothing is done then; one that is there must know of
 * lists. */
static bool check_source(void *config, struct error *error)
{
	struct autopath *autopath = config;
	const char *source = autopath->source;
	const struct plugin *plugin = source && is_in_block(autopath, source) ? find_plugin(source) : NULL;

	autopath->successes = setup_cells(autopath->setup, &successes, NULL);
	return !plugin || !plugin->serve || plugin->find_search_name ||
	       error_set(error, "%s does not implement the AutoPather interface", source);
}

extern const struct plugin plugin_autopath;

const struct plugin plugin_autopath = {
	.name = "autopath",
	.state_size = sizeof(struct walk),
	.families = families,
	.setup = setup,
	.open = check_source,
	.serve = serve,
	.resume = resume,
};
