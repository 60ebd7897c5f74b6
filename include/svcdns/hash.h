/* SipHash-1-3: a keyed hash that a sender who does not know the key cannot steer into collisions
 * (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012; 1 compression and 3 finalization rounds). */
#ifndef SVCDNS_HASH_H
#define SVCDNS_HASH_H

#include "svcdns/compiler.h"

struct hash_key {
	uint64_t k0, k1;
};

void     hash_key_random(struct hash_key *key);         /* from the kernel's CSPRNG */
uint64_t hash_bytes(const struct hash_key *key, const void *bytes, size_t length);

#endif
