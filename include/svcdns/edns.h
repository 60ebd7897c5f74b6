/* EDNS(0), RFC 6891: the OPT record of a query, and what of it goes back. */
#ifndef SVCDNS_EDNS_H
#define SVCDNS_EDNS_H

#include "svcdns/compiler.h"

#define EDNS_OPTIONS_MAX 512                /* octets of options that are kept for the reply */
#define EDNS_DO          0x8000             /* of the flags: DNSSEC OK (RFC 3225) */

enum {
	EDNS_NSID = 3, EDNS_SUBNET = 8, EDNS_EXPIRE = 9, EDNS_COOKIE = 10, EDNS_KEEPALIVE = 11, EDNS_PADDING = 12,
	EDNS_EXTENDED_ERROR = 15
};

enum { EXTENDED_ERROR_BLOCKED = 15, EXTENDED_ERROR_FILTERED = 17 };     /* RFC 8914 section 4 */

struct edns {
	bool     present;
	bool     dnssec_ok;                 /* DO (RFC 3225) */
	uint8_t  version;
	uint16_t payload;                   /* the requestor's UDP payload size, as it came */
	uint16_t flags;                     /* the 16 bits behind the version, DO included */
	uint16_t payload_at;                /* where the payload size stands in the query; valid while present */
	uint16_t options_length;            /* of options: only codes that are echoed (NSID, EXPIRE, COOKIE, KEEPALIVE, PADDING) */
	uint8_t  options[EDNS_OPTIONS_MAX]; /* in wire form; valid only while options_length is not 0 */
};

/* True when the octets are options and nothing else. */
bool edns_options_are_whole(const uint8_t *options, size_t length);
/* Puts an option into options, in place of one with the same code; false: no room. */
bool edns_set_option(struct edns *edns, uint16_t code, const void *data, size_t length);
/* The first option with this code: its data and length; NULL: none. */
const uint8_t *edns_option(const struct edns *edns, uint16_t code, uint16_t *ret_length);

#endif
