/* search [ZONES...] { ... }: where the list comes from, and ndots. What can be known at the start is put
 * together here, so that a query only has to join two names. */
#include "settings.h"

#include <string.h>

#include "svcdns/buffer.h"

#define NDOTS_KUBERNETES 5 /* what a kubelet writes */
#define NDOTS_DEFAULT	 1 /* resolv.conf(5) */
#define NDOTS_MAX	 15
#define NDOTS_NOT_SET	 -1
#define BLANKS		 " \t\r"

static bool is_root(const char *text)
{
	return strcmp(text, ".") == 0;
}

static bool add(struct search *search, struct dispenser *d, const char *text)
{
	struct name *name = &search->list[search->count];

	if (search->count == SEARCH_LIST_MAX)
		return dispenser_error(d, "more than %d names to search", SEARCH_LIST_MAX);
	if (is_root(text) || !name_from_text(text, name))
		return dispenser_error(d, "not a name to search: \"%s\"", text);
	name_lower(name);
	search->count++;
	return true;
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

/* The rest of "search A B": the last such line counts. The root is the name as it is, which is asked anyway.
 */
static bool read_list(struct search *search, struct dispenser *d, char **rest)
{
	const char *word;

	search->count = 0;
	while ((word = strtok_r(NULL, BLANKS, rest)))
		if (!is_root(word) && !add(search, d, word))
			return false;
	return true;
}

static void read_ndots(char **rest, int64_t *ret)
{
	static const char option[] = "ndots:";
	struct error ignored;
	const char *word;

	while ((word = strtok_r(NULL, BLANKS, rest)))
		if (strncmp(word, option, strlen(option)) == 0)
			integer_parse(word + strlen(option), ret, &ignored);
}

/* resolv.conf(5); what else a line says is for those who send queries. */
static bool read_line(struct search *search, struct dispenser *d, char *line, int64_t *ret_ndots)
{
	char *rest;
	const char *word = strtok_r(line, BLANKS, &rest);

	if (!word)
		return true;
	if (strcmp(word, "search") == 0 || strcmp(word, "domain") == 0)
		return read_list(search, d, &rest);
	if (strcmp(word, "options") == 0)
		read_ndots(&rest, ret_ndots);
	return true;
}

static bool read_lines(struct search *search, struct dispenser *d, char *text)
{
	int64_t ndots = NDOTS_DEFAULT;
	char *rest;

	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		if (!read_line(search, d, line, &ndots))
			return false;
	if (search->ndots == NDOTS_NOT_SET)
		search->ndots = ndots < 0 ? 0 : ndots > NDOTS_MAX ? NDOTS_MAX : ndots;
	return true;
}

static bool parse_resolv_conf(void *config, struct setup *setup, struct dispenser *d)
{
	struct search *search = config;
	struct buffer text;
	char reason[512];
	bool ok;

	if (!is_first_source(search, d, false))
		return false;
	if (dispenser_arguments(d) != 1 || !dispenser_argument(d))
		return dispenser_argument_error(d);
	search->resolv_conf = dispenser_value(d);
	buffer_init(&text);
	ok = buffer_read_file(&text, setup_path(setup, search->resolv_conf), reason, sizeof(reason));
	ok = ok ? read_lines(search, d, text.bytes) : dispenser_error(d, "%s", reason);
	buffer_finish(&text);
	return ok;
}

/* svc.ZONE twice, for the first will have a namespace before it, and ZONE: what a kubelet writes. */
static bool set_cluster_list(
	struct search *search, struct setup *setup, struct dispenser *d, const char *zone)
{
	const char *services = arena_format(setup->arena, "svc.%s", zone);

	search->count = 0;
	return add(search, d, services) && add(search, d, services) && add(search, d, zone);
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
