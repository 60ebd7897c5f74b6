/* The addresses of many networks, arranged for a quick look-up. */
#ifndef SVCDNS_ADDRESS_SET_H
#define SVCDNS_ADDRESS_SET_H

#include "svcdns/address.h"
#include "svcdns/arena.h"

struct address_range {
	struct ip first, last;              /* both included */
};

struct address_set {                        /* all zero: empty */
	const struct address_range *ranges; /* sorted, apart from each other; in the arena */
	size_t count;
};

struct address_set address_set_make(struct arena *arena, const struct prefix *prefixes, size_t count);
bool               address_set_holds(const struct address_set *set, const struct ip *ip);

#endif
