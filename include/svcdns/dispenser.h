/* A cursor over a directive's tokens, by which a plugin reads its properties. */
#ifndef SVCDNS_DISPENSER_H
#define SVCDNS_DISPENSER_H

#include "svcdns/corefile.h"

struct dispenser {
	const struct token *tokens;
	size_t              count;
	size_t              cursor;         /* the current token is tokens[cursor - 1]; 0: before the first */
	unsigned            nesting;        /* open braces of dispenser_block() */
	struct error       *error;
};

void        dispenser_init(struct dispenser *d, const struct directive *directive, struct error *error);
bool        dispenser_next(struct dispenser *d);                        /* any token: begins the next occurrence */
bool        dispenser_argument(struct dispenser *d);                    /* only on the same line */
bool        dispenser_block(struct dispenser *d);                       /* into `{`, then each line's first token until `}` */
const char *dispenser_value(const struct dispenser *d);                 /* "" before the first */
bool        dispenser_opens(const struct dispenser *d);                 /* an opening brace comes next on this line */
size_t      dispenser_arguments(const struct dispenser *d);             /* left on this line; an opening brace is none */

/* All return false. Messages read "FILE:LINE - Error during parsing: MSG" as CoreDNS'. */
bool dispenser_error(struct dispenser *d, const char *format, ...) ATTRIBUTE_PRINTF(2, 3);
bool dispenser_argument_error(struct dispenser *d);                     /* "Wrong argument count or unexpected line ending after 'X'" */
bool dispenser_wrong_count(struct dispenser *d);                        /* the same of the last word of the line */
bool dispenser_unknown_property(struct dispenser *d);                   /* "unknown property 'X'" */

#endif
