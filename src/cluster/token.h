/* A bearer token, which may stand in a file that is replaced while we run. */
#ifndef SVCDNS_CLUSTER_TOKEN_H
#define SVCDNS_CLUSTER_TOKEN_H

#include "svcdns/buffer.h"

#define TOKEN_READ_S 60 /* the file is read again after this time at the earliest */

struct token {		  /* a zeroed one is none */
	const char *file; /* NULL: what `text` holds is the token for good */
	struct buffer text;
	uint64_t read_at; /* monotonic ns; 0: it has to be read */
};

void token_finish(struct token *token);
/* "": there is none. A file that cannot be read, or is empty, leaves the token as it was. */
const char *token_get(struct token *token, uint64_t now);
void token_forget(struct token *token); /* the server has refused it: the next token_get() reads the file */

#endif
