#include "svcdns/random.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static void refill(struct random *random)
{
	size_t got = 0;

	while (got < sizeof(random->bytes)) {
		ssize_t n = getrandom(random->bytes + got, sizeof(random->bytes) - got, 0);

		if (n > 0) {
			got += (size_t)n;
		} else if (errno != EINTR) {
			perror("getrandom");
			abort();
		}
	}
	random->left = sizeof(random->bytes);
}

void random_fill(struct random *random, void *out, size_t length)
{
	uint8_t *to = out;

	while (length) {
		size_t part;

		if (!random->left)
			refill(random);
		part = length < random->left ? length : random->left;
		memcpy(to, random->bytes + random->left - part, part);
		random->left -= part;
		to += part;
		length -= part;
	}
}

uint16_t random_u16(struct random *random)
{
	uint16_t value;

	random_fill(random, &value, sizeof(value));
	return value;
}

uint32_t random_below(struct random *random, uint32_t limit)
{
	uint32_t value,
		bias = -limit % limit; /* 2^32 mod limit: the values below it would be drawn too often */

	assert(limit > 0);
	do
		random_fill(random, &value, sizeof(value));
	while (value < bias);
	return value % limit;
}
