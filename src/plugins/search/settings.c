/* search [ZONES...] { ... }: where the list comes from, and ndots. What can be known at the start is put
 * together here, so that a query only has to join two names. */
#include "settings.h"

#include <string.h>

#include "svcdns/resolv_conf.h"

#define NDOTS_KUBERNETES 5 /* what a kubelet writes */
#define NDOTS_MAX	 15
#define NDOTS_NOT_SET	 (-1)

static bool add_name(struct search *search, struct dispenser *d, const struct name *name)
{
	if (search->count == SEARCH_LIST_MAX)
		return dispenser_error(d, "more than %d names to search", SEARCH_LIST_MAX);
	search->list[search->count++] = *name;
	return true;
}

static bool add(struct search *search, struct dispenser *d, const char *text)
{
	struct name name;

	if (!name_from_text(text, &name) || !name.labels)
		return dispenser_error(d, "not a name to search: \"%s\"", text);
	name_lower(&name);
	return add_name(search, d, &name);
}

/* A list has one source; the namespace is where "from client" finds none, and may stand beside it. */
static bool is_first_source(const struct search *search, struct dispenser *d, bool may_be_second)
{
	if (may_be_second || (!search->count && !search->resolv_conf))
		return true;
	return dispenser_error(d, "only one of domains, resolv_conf, namespace and from can name the list");
}

static bool parse_domains(void *config, struct setup *setup, struct dispenser *d)
{
	struct search *search = config;

	(void)setup;
	if (!is_first_source(search, d, false))
		return false;
	if (!dispenser_arguments(d))
		return dispenser_argument_error(d);
	while (dispenser_argument(d))
		if (!add(search, d, dispenser_value(d)))
			return false;
	return true;
}

static bool parse_resolv_conf(void *config, struct setup *setup, struct dispenser *d)
{
	struct search *search = config;
	struct resolv_conf file;
	struct error reason;

	if (!is_first_source(search, d, false))
		return false;
	if (dispenser_arguments(d) != 1 || !dispenser_argument(d))
		return dispenser_argument_error(d);
	search->resolv_conf = dispenser_value(d);
	if (!resolv_conf_read(&file, setup_path(setup, search->resolv_conf), setup->arena, &reason))
		return dispenser_error(d, "%s", reason.message);
	for (size_t i = 0; i < file.search_count; i++)
		if (!add_name(search, d, &file.search[i]))
			return false;
	if (search->ndots == NDOTS_NOT_SET)
		search->ndots = file.ndots;
	return true;
}

/* svc.ZONE twice, for the first will have a namespace before it, and ZONE: what a kubelet writes. */
static bool set_cluster_list(
	struct search *search, struct setup *setup, struct dispenser *d, const char *zone)
{
	const char *services = arena_format(setup->arena, "svc.%s", zone);
	const char *const list[] = {services, services, zone};

	search->count = 0;
	for (size_t i = 0; i < ARRAY_LENGTH(list); i++)
		if (!add(search, d, list[i]))
			return false;
	return true;
}

static bool set_namespace(struct search *search, struct dispenser *d, const char *text)
{
	if (!name_from_text(text, &search->namespace) || search->namespace.labels != 1)
		return dispenser_error(d, "not a namespace: \"%s\"", text);
	name_lower(&search->namespace);
	return true;
}

/* namespace NAME [ZONE] */
static bool parse_namespace(void *config, struct setup *setup, struct dispenser *d)
{
	struct search *search = config;
	const char *zone = "cluster.local";

	if (!is_first_source(search, d, search->from_client && !search->namespace.labels))
		return false;
	if (dispenser_arguments(d) < 1 || dispenser_arguments(d) > 2 || !dispenser_argument(d))
		return dispenser_argument_error(d);
	if (!set_namespace(search, d, dispenser_value(d)))
		return false;
	if (dispenser_argument(d))
		zone = dispenser_value(d);
	return set_cluster_list(search, setup, d, zone);
}

/* from client */
static bool parse_from(void *config, struct setup *setup, struct dispenser *d)
{
	struct search *search = config;

	if (!is_first_source(search, d, search->namespace.labels && !search->from_client))
		return false;
	if (dispenser_arguments(d) != 1 || !dispenser_argument(d))
		return dispenser_argument_error(d);
	if (strcmp(dispenser_value(d), "client") != 0)
		return dispenser_error(d, "from expects 'client', got \"%s\"", dispenser_value(d));
	search->from_client = true;
	setup->needs->client_pods = true;
	return search->namespace.labels || set_cluster_list(search, setup, d, "cluster.local");
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
static bool join_namespace(struct search *search, struct dispenser *d)
{
	struct name services = search->list[0];

	if (search->from_client || !search->namespace.labels)
		return true;
	return name_join(&search->namespace, &services, &search->list[0]) ||
	       dispenser_error(d, "namespace and zone are too long together");
}

static bool read_directive(struct search *search, struct setup *setup, struct dispenser *d)
{
	if (!setup_once(setup, d))
		return false;
	setup_zones(setup, d, &search->zones);
	if (!options_parse(options, search, setup, d))
		return false;
	if (!search->count && !search->resolv_conf)
		return dispenser_error(d, "one of domains, resolv_conf, namespace and from client is needed");
	return join_namespace(search, d);
}

struct search *search_settings(struct setup *setup, struct error *error)
{
	struct search *search = arena_alloc(setup->arena, sizeof(*search));
	struct dispenser d;

	search->ndots = NDOTS_NOT_SET;
	dispenser_init(&d, setup->directive, error);
	while (dispenser_next(&d))
		if (!read_directive(search, setup, &d))
			return NULL;
	if (search->ndots == NDOTS_NOT_SET)
		search->ndots = NDOTS_KUBERNETES;
	name_from_text("in-addr.arpa.", &search->reverse[0]);
	name_from_text("ip6.arpa.", &search->reverse[1]);
	return search;
}
