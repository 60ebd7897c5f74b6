/* acl: who may ask for what. The first policy that fits a query decides; without one it is allowed.
 * Everything a policy compares is put in order at setup. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "svcdns/address_set.h"
#include "svcdns/metrics.h"
#include "svcdns/router.h"
#include "svcdns/setup.h"
#include "svcdns/worker.h"

#define OPT_OCTETS 17 /* of the OPT record with the error, which the log counts as part of the reply */

enum action { ALLOW, BLOCK, FILTER, DROP, ACTIONS };

struct policy {
	enum action action;
	bool any_type, any_source;
	uint16_t *types;
	size_t type_count;
	struct address_set sources;
	struct policy *next;
};

struct rule { /* one directive */
	struct zones zones;
	struct policy *policies;
	struct rule *next;
};

struct acl { /* lifetime: configuration */
	const struct setup *setup;
	struct rule *rules;
	struct cell **counts[ACTIONS]; /* for each site of the block */
};

static const struct metric_family allowed = {
	.name = "coredns_acl_allowed_requests_total",
	.help = "Counter of DNS requests being allowed.",
	.labels = {{.name = "server"}, {.name = "view"}},
};
static const struct metric_family blocked = {
	.name = "coredns_acl_blocked_requests_total",
	.help = "Counter of DNS requests being blocked.",
	.labels = {{.name = "server"}, {.name = "view"}, {.name = "zone"}},
};
static const struct metric_family filtered = {
	.name = "coredns_acl_filtered_requests_total",
	.help = "Counter of DNS requests being filtered.",
	.labels = {{.name = "server"}, {.name = "view"}, {.name = "zone"}},
};
static const struct metric_family dropped = {
	.name = "coredns_acl_dropped_requests_total",
	.help = "Counter of DNS requests being dropped.",
	.labels = {{.name = "server"}, {.name = "view"}, {.name = "zone"}},
};
static const struct metric_family *const families[ACTIONS + 1] = {
	[ALLOW] = &allowed, [BLOCK] = &blocked, [FILTER] = &filtered, [DROP] = &dropped};

static bool fits_type(const struct policy *policy, uint16_t type)
{
	for (size_t i = 0; i < policy->type_count; i++)
		if (policy->types[i] == type)
			return true;
	return policy->any_type;
}

static const struct policy *find(const struct acl *acl, const struct request *r)
{
	struct ip client;

	address_ip(&r->client, &client);
	for (const struct rule *rule = acl->rules; rule; rule = rule->next) {
		if (!zones_match(&rule->zones, &r->question.name))
			continue;
		for (const struct policy *p = rule->policies; p; p = p->next)
			if (fits_type(p, r->question.type) &&
				(p->any_source || address_set_holds(&p->sources, &client)))
				return p;
	}
	return NULL;
}

/* Says why (RFC 8914 sections 4.16 and 4.18), and nothing else of what the client's OPT record asked for. */
static enum verdict refuse(struct request *r, uint16_t rcode, uint16_t why)
{
	request_reply(r, rcode, 0);
	r->edns.options_length = 0;
	r->extended_error = true;
	r->extended_error_code = why;
	r->opt_length = OPT_OCTETS;
	return VERDICT_ANSWERED;
}

static enum verdict serve(void *self, struct request *r)
{
	const struct acl *acl = self;
	const struct policy *policy = find(acl, r);
	enum action action = policy ? policy->action : ALLOW;

	cell_add(cell_of_worker(acl->counts[action][r->route->site], r->worker->index), 1);
	switch (action) {
	case BLOCK:
		return refuse(r, RCODE_REFUSED, EXTENDED_ERROR_BLOCKED);
	case FILTER:
		return refuse(r, RCODE_NOERROR, EXTENDED_ERROR_FILTERED);
	case DROP:
		return VERDICT_DROP;
	default:
		return VERDICT_NEXT;
	}
}

struct criterion { /* "type A AAAA", "net 10.0.0.0/8" */
	bool is_type;
	const char **words;
	size_t count;
};

static bool is_criterion(const char *word)
{
	return strcasecmp(word, "type") == 0 || strcasecmp(word, "net") == 0;
}

/* Cuts the first criterion off; false: another word stands there, or nothing behind the name. */
static bool take_criterion(struct words *words, struct dispenser *d, struct criterion *ret)
{
	size_t end = 1;

	*ret = (struct criterion){
		.is_type = strcasecmp(words->words[0], "type") == 0, .words = words->words + 1};
	if (!is_criterion(words->words[0]))
		return dispenser_error(d, "unexpected token \"%s\"; expect 'type | net'", words->words[0]);
	while (end < words->count && !is_criterion(words->words[end]))
		end++;
	if (end == 1)
		return dispenser_error(
			d, "no token specified in \"%s\" section", ret->is_type ? "type" : "net");
	ret->count = end - 1;
	*words = (struct words){words->words + end, words->count - end};
	return true;
}

static bool is_upper(const char *word)
{
	while (*word && !islower((unsigned char)*word))
		word++;
	return !*word;
}

/* What stands behind a star does not count. */
static bool read_types(struct policy *policy, const struct criterion *criterion, struct dispenser *d)
{
	for (size_t i = 0; i < criterion->count; i++) {
		const char *word = criterion->words[i];

		if (strcmp(word, "*") == 0) {
			policy->any_type = true;
			return true;
		}
		if (!is_upper(word) || !type_parse(word, &policy->types[policy->type_count++]))
			return dispenser_error(d, "unexpected token \"%s\"; expect legal QTYPE", word);
	}
	return true;
}

/* A single address is a network of one. */
static bool read_network(const char *word, struct setup *setup, struct dispenser *d, struct prefix *ret)
{
	const char *bits = strchr(word, '/') ? "" : strchr(word, ':') ? "/128" : "/32";
	const char *text = arena_format(setup->arena, "%s%s", word, bits);

	return prefix_parse(text, ret) || dispenser_error(d, "illegal CIDR notation \"%s\"", text);
}

struct networks { /* of a policy, while it is read */
	struct prefix *prefixes;
	size_t count;
};

static bool read_networks(struct policy *policy, const struct criterion *criterion, struct setup *setup,
	struct dispenser *d, struct networks *networks)
{
	for (size_t i = 0; i < criterion->count; i++) {
		if (strcmp(criterion->words[i], "*") == 0) {
			policy->any_source = true;
			return true;
		}
		if (!read_network(criterion->words[i], setup, d, &networks->prefixes[networks->count++]))
			return false;
	}
	return true;
}

/* A criterion that is left out stands for all there is. */
static bool read_criteria(struct policy *policy, struct setup *setup, struct dispenser *d)
{
	struct words words = {0};
	struct networks networks = {0};
	bool has[2] = {false, false}; /* networks, types */

	setup_words(setup, d, &words);
	policy->types = arena_alloc(setup->arena, words.count * sizeof(*policy->types));
	networks.prefixes = arena_alloc(setup->arena, words.count * sizeof(*networks.prefixes));
	while (words.count) {
		struct criterion criterion;

		if (!take_criterion(&words, d, &criterion))
			return false;
		has[criterion.is_type] = true;
		if (criterion.is_type ? !read_types(policy, &criterion, d)
				      : !read_networks(policy, &criterion, setup, d, &networks))
			return false;
	}
	policy->any_source |= !has[0];
	policy->any_type |= !has[1];
	policy->sources = address_set_make(setup->arena, networks.prefixes, networks.count);
	return true;
}

static bool read_action(struct dispenser *d, enum action *ret)
{
	static const char *const names[] = {"allow", "block", "filter", "drop"};

	for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
		if (strcasecmp(dispenser_value(d), names[i]) == 0) {
			*ret = (enum action)i;
			return true;
		}
	return dispenser_error(d, "unexpected token \"%s\"; expect 'allow', 'block', 'filter' or 'drop'",
		dispenser_value(d));
}

static bool read_policies(struct rule *rule, struct setup *setup, struct dispenser *d)
{
	struct policy **link = &rule->policies;

	while (dispenser_block(d)) {
		struct policy *policy = arena_alloc(setup->arena, sizeof(*policy));

		if (!read_action(d, &policy->action) || !read_criteria(policy, setup, d))
			return false;
		*link = policy;
		link = &policy->next;
	}
	return true;
}

static void *setup(struct setup *setup, struct error *error)
{
	struct acl *acl = arena_alloc(setup->arena, sizeof(*acl));
	struct rule **link = &acl->rules;
	struct dispenser d;

	acl->setup = setup;
	dispenser_init(&d, setup->directive, error);
	while (dispenser_next(&d)) {
		struct rule *rule = arena_alloc(setup->arena, sizeof(*rule));

		setup_zones(setup, &d, &rule->zones);
		if (!read_policies(rule, setup, &d))
			return NULL;
		*link = rule;
		link = &rule->next;
	}
	return acl;
}

static bool open_counts(void *config, struct error *error)
{
	struct acl *acl = config;

	(void)error;
	for (size_t i = 0; i < ACTIONS; i++)
		acl->counts[i] = setup_cells(acl->setup, families[i], NULL);
	return true;
}

extern const struct plugin plugin_acl;

const struct plugin plugin_acl = {
	.name = "acl",
	.families = families,
	.setup = setup,
	.open = open_counts,
	.serve = serve,
};
