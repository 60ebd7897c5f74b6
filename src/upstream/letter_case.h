/* Inside upstream: the case of letters in a query's name, chosen at random. A reply has to repeat it, which a
 * forger has to guess: one bit a letter, beside id and port ("DNS 0x20", draft-vixie-dnsext-dns0x20-00). */
#ifndef UPSTREAM_LETTER_CASE_H
#define UPSTREAM_LETTER_CASE_H

#include "svcdns/name.h"
#include "svcdns/random.h"

struct letter_case {
	bool is_mixed;
	uint8_t flipped[(NAME_WIRE_MAX + 7) / 8]; /* a bit for each octet of the name: it is not as it came */
};

/* name: in wire form, not compressed. Mixed twice, a name is mixed anew; restored, it is as it came. */
void letter_case_mix(struct letter_case *letter_case, uint8_t *name, struct random *random);
void letter_case_restore(struct letter_case *letter_case, uint8_t *name);

#endif
