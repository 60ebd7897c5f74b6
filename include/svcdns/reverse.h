/* Names of reverse mapping: in-addr.arpa (RFC 1035 section 3.5) and ip6.arpa (RFC 3596 section 2.5). */
#ifndef SVCDNS_REVERSE_H
#define SVCDNS_REVERSE_H

#include "svcdns/address.h"
#include "svcdns/name.h"

/* The address that a lower-case reverse name stands for; false: it stands for none, or for more than one. */
bool reverse_address(const struct name *name, struct ip *ret);

#endif
