/* Finds events that were lost without anybody knowing: compares a list of names and versions with the ledger.
 * What differs may just be on its way, so only what differs in the same way in two audits in a row counts. */
#ifndef SVCDNS_CLUSTER_AUDIT_H
#define SVCDNS_CLUSTER_AUDIT_H

#include "ledger.h"

#define AUDIT_SUSPECTS 256 /* that are remembered */

struct suspect {
	uint64_t name;
	uint32_t version; /* that the ledger has; of an object that it does not have, 0 */
};

struct suspects {
	struct suspect items[AUDIT_SUSPECTS];
	size_t count;
};

struct audit {
	struct suspects last, found;
};

/* An audit: begin, one call for each object of the list, then end: how many were suspects in the last one,
 * too. */
void audit_begin(struct audit *audit, struct ledger *ledger);
void audit_object(struct audit *audit, struct ledger *ledger, uint64_t name, uint32_t version);
size_t audit_end(struct audit *audit, const struct ledger *ledger);

#endif
