/* Longest match over the zones of a listener. Invariant: routes are sorted by number of labels, most first,
 * and then by their octets, so that each number of labels is one range to search. */
#include "svcdns/router.h"

#include <stdlib.h>
#include <string.h>

#include "svcdns/memory.h"
#include "svcdns/types.h"

static int compare_octets(const uint8_t *a, size_t a_length, const struct name *b)
{
	if (a_length != b->length)
		return a_length < b->length ? -1 : 1;
	return memcmp(a, b->wire, a_length);
}

static int compare_routes(const void *a, const void *b)
{
	const struct route *left = a, *right = b;

	if (left->zone.labels != right->zone.labels)
		return left->zone.labels > right->zone.labels ? -1 : 1;
	return compare_octets(left->zone.wire, left->zone.length, &right->zone);
}

static bool takes_any_class(const struct router *router)
{
	for (unsigned i = 0; i < router->count; i++)
		for (unsigned j = 0; j < router->routes[i].chain->count; j++)
			if (router->routes[i].chain->links[j].plugin->takes_any_class)
				return true;
	return false;
}

void router_init(struct router *router, struct route *routes, unsigned count)
{
	if (count)
		qsort(routes, count, sizeof(*routes), compare_routes);
	*router = (struct router){.routes = routes, .count = count};
	router->labels_max = count ? routes[0].zone.labels : 0;
	router->any_class = takes_any_class(router);
}

void router_finish(struct router *router)
{
	memory_free(router->routes);
	*router = (struct router){0};
}

/* The route for exactly the last `labels` labels of name. */
static const struct route *find_exact(const struct router *router, const struct name *name, unsigned labels)
{
	unsigned low = 0, high = router->count;
	size_t length;
	const uint8_t *suffix = name_suffix(name, name->labels - labels, &length);

	while (low < high) {
		unsigned middle = low + (high - low) / 2;
		const struct route *route = &router->routes[middle];
		int order;

		if (route->zone.labels != labels)
			order = labels > route->zone.labels ? -1 : 1;
		else
			order = compare_octets(suffix, length, &route->zone);
		if (order == 0)
			return route;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

const struct route *router_find(const struct router *router, const struct name *name, uint16_t type)
{
	const struct route *apex = NULL;
	unsigned labels = name->labels < router->labels_max ? name->labels : router->labels_max;

	for (;; labels--) {
		const struct route *route = find_exact(router, name, labels);

		if (route && (type != TYPE_DS || labels < name->labels) && (labels || !apex))
			return route;
		if (route && !apex)
			apex = route;
		if (!labels)
			return apex;
	}
}
