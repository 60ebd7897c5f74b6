/* Prefixes as ranges of addresses. Two prefixes lie within each other or apart, so that of the sorted ranges
 * those that begin within the last one kept can be left out. The set lives in the caller's arena. */
#include "svcdns/address_set.h"

#include <stdlib.h>

static struct address_range range_of(const struct prefix *prefix)
{
	struct address_range range = {prefix->ip, prefix->ip};

	for (unsigned i = prefix->bits; i < 8 * ip_length(&prefix->ip); i++)
		range.last.bytes[i / 8] |= (uint8_t)(0x80 >> i % 8);
	return range;
}

/* Of ranges that begin together the widest comes first. */
static int compare(const void *a, const void *b)
{
	const struct address_range *left = a, *right = b;
	int order = ip_compare(&left->first, &right->first);

	return order ? order : ip_compare(&right->last, &left->last);
}

struct address_set address_set_make(struct arena *arena, const struct prefix *prefixes, size_t count)
{
	struct address_range *ranges = arena_alloc(arena, count * sizeof(*ranges));
	size_t kept = 0;

	for (size_t i = 0; i < count; i++)
		ranges[i] = range_of(&prefixes[i]);
	if (count)
		qsort(ranges, count, sizeof(*ranges), compare);
	for (size_t i = 0; i < count; i++)
		if (!kept || ip_compare(&ranges[i].first, &ranges[kept - 1].last) > 0)
			ranges[kept++] = ranges[i];
	return (struct address_set){ranges, kept};
}

bool address_set_holds(const struct address_set *set, const struct ip *ip)
{
	size_t low = 0, high = set->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ip_compare(&set->ranges[middle].last, ip) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < set->count && ip_compare(&set->ranges[low].first, ip) <= 0;
}
