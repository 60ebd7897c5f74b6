/* Inside dns: where domain names stand in RDATA. */
#ifndef DNS_RDATA_H
#define DNS_RDATA_H

#include "svcdns/compiler.h"

struct layout {
	uint16_t type;
	uint8_t before; /* octets before the first name */
	uint8_t names;	/* one behind the other */
	bool compress;	/* RFC 3597 section 4: only those of RFC 1035 may be written as pointers */
};

/* NULL: there are no names in such records, or none that are known of. */
const struct layout *rdata_layout(uint16_t type);
/* Octets before the first name; more than `length` if the RDATA is too short. */
size_t rdata_before_names(const struct layout *layout, const uint8_t *rdata, size_t length);

#endif
