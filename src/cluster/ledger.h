/* Which objects of one resource the API server has told us of, and in which version: what an audit compares.
 * Names and versions are kept as hashes, 16 octets for an object. */
#ifndef SVCDNS_CLUSTER_LEDGER_H
#define SVCDNS_CLUSTER_LEDGER_H

#include "object.h"
#include "svcdns/hash.h"

struct ledger_entry {
	uint64_t name; /* 0: the place is free */
	uint32_t version;
	uint16_t listed;  /* in which list it was seen last */
	uint16_t audited; /* in which audit */
};

struct ledger {
	struct hash_key key;
	struct ledger_entry *entries;
	size_t capacity, count; /* a power of two, or 0; at most three quarters are taken */
	uint16_t list, audit;	/* number of the one under way */
};

void ledger_init(struct ledger *ledger);
void ledger_finish(struct ledger *ledger);

uint64_t ledger_name(const struct ledger *ledger, const struct object *object); /* never 0 */
uint32_t ledger_version(const struct ledger *ledger, const char *version);

void ledger_put(struct ledger *ledger, uint64_t name, uint32_t version);
void ledger_remove(struct ledger *ledger, uint64_t name);
struct ledger_entry *ledger_find(const struct ledger *ledger, uint64_t name); /* NULL: not there */

/* A list of all objects: begin, put each, then sweep what was not among them. */
void ledger_begin_list(struct ledger *ledger);
void ledger_sweep(struct ledger *ledger);

#endif
