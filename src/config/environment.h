/* Inside config: environment variables in a token. */
#ifndef CONFIG_ENVIRONMENT_H
#define CONFIG_ENVIRONMENT_H

#include "token.h"

/* The token's text with {%NAME%} and then {$NAME} replaced; "" stands for a variable that is not set. What it
 * holds is taken off *budget (octets). NULL: a variable refers to itself, or the budget is used up. */
const char *environment_replace(
	struct arena *arena, const struct token *token, size_t *budget, struct error *error);

#endif
