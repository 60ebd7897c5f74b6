/* Inside cache: what a reply is worth keeping as, and the form in which it is kept. */
#ifndef CACHE_ITEM_H
#define CACHE_ITEM_H

#include "svcdns/request.h"

struct judgement {
	enum reply_kind kind; /* NODATA also for a chain of CNAMEs that ends without data */
	bool is_storable;     /* not truncated, bounded by a SOA record where it denies, chain complete */
	bool answers;	      /* has the type that was asked for at the end of the question's CNAME chain */
	bool has_ttl;	      /* lowest_ttl counts; otherwise the reply is kept for a short while */
	uint32_t lowest_ttl, highest_ttl; /* seconds, of all records; UINT32_MAX and 0 without any */
};

/* Classes as CoreDNS has them (facts of plugin/pkg/response and plugin/cache). The reply stands in `reply`,
 * written by a plugin below. */
struct judgement item_judge(const struct request *reply);

struct item { /* followed by the offsets of its TTL fields, and its records as they stand behind the question
	       */
	uint64_t stored;       /* monotonic, ns */
	uint32_t ttl;	       /* seconds from then */
	uint32_t body;	       /* octets of records */
	uint16_t rcode, flags; /* FLAG_RA, FLAG_AD */
	uint16_t count[3];     /* records, by section */
	uint16_t ttls;	       /* how many offsets */
	bool answers;
};

#define ITEM_OCTETS_MAX (sizeof(struct item) + 2 * 8192 + REQUEST_WIRE_MAX)

/* Sets every TTL of the reply in `reply` to ttl. */
void item_set_ttls(struct request *reply, uint32_t ttl);

/* Writes the item for a reply to `out` (ITEM_OCTETS_MAX octets, aligned for struct item); returns its octets.
 */
size_t item_write(const struct request *reply, const struct judgement *judgement, uint32_t ttl, uint64_t now,
	void *out);

/* Makes a kept item the reply to `request`, which asked the same question; every TTL becomes `ttl`. */
void item_reply(const struct item *item, struct request *request, uint32_t ttl);

/* Seconds that are left, at most 0 when it has expired: how long ago that was. now: monotonic, ns; that of
 * the worker who kept the item may have been a bit later. */
static inline int64_t item_left(const struct item *item, uint64_t now)
{
	int64_t age = (int64_t)(now - item->stored);

	return (int64_t)item->ttl - (age > 0 ? age / INT64_C(1000000000) : 0);
}

#endif
