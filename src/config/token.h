/* Inside config: tokens, lists of them, and messages that name the place of one. */
#ifndef CONFIG_TOKEN_H
#define CONFIG_TOKEN_H

#include "svcdns/corefile.h"

struct token_list {
	struct token *tokens; /* owned (memory_alloc); the texts are in an arena */
	size_t count, capacity;
};

struct passage { /* tokens that stay where they are: in an arena */
	const struct token *tokens;
	size_t count;
};

void token_list_add(struct token_list *list, struct token token);
void token_list_finish(struct token_list *list);

/* Whether `next` stands on the line on which `token` ends. */
bool token_continues(const struct token *token, const struct token *next);

/* "FILE:LINE - Error during parsing: MESSAGE"; false. */
bool token_error(struct error *error, const struct token *token, const char *format, ...)
	ATTRIBUTE_PRINTF(3, 4);
/* "FILE:LINE - Syntax error: Unexpected token 'TOKEN', expecting 'EXPECTED'"; false. */
bool token_syntax_error(struct error *error, const struct token *token, const char *expected);

#endif
