/* The DNS parameters that svcdns needs by name (IANA registry "Domain Name System (DNS) Parameters"). */
#ifndef SVCDNS_TYPES_H
#define SVCDNS_TYPES_H

#include "svcdns/compiler.h"

enum {
	TYPE_NONE = 0, TYPE_A = 1, TYPE_NS = 2, TYPE_CNAME = 5, TYPE_SOA = 6, TYPE_PTR = 12, TYPE_HINFO = 13, TYPE_MX = 15,
	TYPE_TXT = 16, TYPE_AAAA = 28, TYPE_SRV = 33, TYPE_NAPTR = 35, TYPE_DNAME = 39, TYPE_OPT = 41, TYPE_DS = 43,
	TYPE_RRSIG = 46, TYPE_NSEC = 47, TYPE_DNSKEY = 48, TYPE_NSEC3 = 50, TYPE_SVCB = 64, TYPE_HTTPS = 65, TYPE_IXFR = 251,
	TYPE_AXFR = 252, TYPE_ANY = 255
};

enum { CLASS_IN = 1, CLASS_CH = 3, CLASS_HS = 4, CLASS_NONE = 254, CLASS_ANY = 255 };

enum { OPCODE_QUERY = 0, OPCODE_NOTIFY = 4 };

enum {
	RCODE_NOERROR = 0, RCODE_FORMERR = 1, RCODE_SERVFAIL = 2, RCODE_NXDOMAIN = 3, RCODE_NOTIMP = 4, RCODE_REFUSED = 5,
	RCODE_BADVERS = 16
};

#define TYPE_TEXT_MAX 16

/* Names as in the registry, "TYPE65280" and the like for those it does not know (RFC 3597 section 5). */
void type_text(uint16_t type, char out[TYPE_TEXT_MAX]);
void class_text(uint16_t class, char out[TYPE_TEXT_MAX]);
void rcode_text(uint16_t rcode, char out[TYPE_TEXT_MAX]);
bool type_parse(const char *text, uint16_t *ret_type);                  /* upper or lower case */
bool rcode_parse(const char *text, uint16_t *ret_rcode);

#endif
