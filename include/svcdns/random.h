/* Random numbers from the kernel's CSPRNG, read in blocks. One struct has one owner thread. */
#ifndef SVCDNS_RANDOM_H
#define SVCDNS_RANDOM_H

#include "svcdns/compiler.h"

struct random {
	uint8_t bytes[1024];
	size_t  left;                       /* of bytes; zero the struct to begin */
};

void     random_fill(struct random *random, void *out, size_t length);
uint16_t random_u16(struct random *random);
uint32_t random_below(struct random *random, uint32_t limit);         /* 0 .. limit - 1, unbiased; limit > 0 */

#endif
