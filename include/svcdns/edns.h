/* EDNS(0), RFC 6891: the OPT record of a query, and what of it goes back. */
#ifndef SVCDNS_EDNS_H
#define SVCDNS_EDNS_H

#include "svcdns/compiler.h"

#define EDNS_OPTIONS_MAX 512                /* octets of options that are kept for the reply */

enum {
	EDNS_NSID = 3, EDNS_SUBNET = 8, EDNS_EXPIRE = 9, EDNS_COOKIE = 10, EDNS_KEEPALIVE = 11, EDNS_PADDING = 12,
	EDNS_EXTENDED_ERROR = 15
};

struct edns {
	bool     present;
	bool     dnssec_ok;                 /* DO (RFC 3225) */
	uint8_t  version;
	uint16_t payload;                   /* the requestor's UDP payload size, as it came */
	uint16_t flags;                     /* the 16 bits behind the version, DO included */
	uint16_t options_length;            /* of options: only codes that are echoed (NSID, EXPIRE, COOKIE, KEEPALIVE, PADDING) */
	uint8_t  options[EDNS_OPTIONS_MAX]; /* in wire form; valid only while options_length is not 0 */
};

#endif
