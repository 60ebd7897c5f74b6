/* Inside loadbalance: the lines of a weight file, arranged for look-up. Immutable once it is made. */
#ifndef LOADBALANCE_WEIGHTS_H
#define LOADBALANCE_WEIGHTS_H

#include "svcdns/address.h"
#include "svcdns/error.h"
#include "svcdns/name.h"
#include "svcdns/shared.h"

struct weights {
	struct shared shared;
	uint8_t *names; /* wire forms, lower case, one behind the other */
	struct weight *entries;
	size_t count;
};

/* Reads the lines of `text`, which it takes apart; NULL: refused, error names the word. `path` is for
 * messages. */
struct weights *weights_make(char *text, const char *path, struct error *error);
void weights_free(struct shared *weights);

/* 1 .. 255; 1 for an address that the file does not name. The name is in lower case. */
uint8_t weights_find(const struct weights *weights, const struct name *name, const struct ip *ip);

#endif
