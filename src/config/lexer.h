/* Inside config: text to tokens. */
#ifndef CONFIG_LEXER_H
#define CONFIG_LEXER_H

#include "token.h"

/* Appends the tokens of a text; their texts go into the arena, `file` must live as long. False: the text
 * holds a NUL, or a quote that is not closed. */
bool lexer_read(struct token_list *list, struct arena *arena, const char *file, const char *text,
	size_t length, struct error *error);

#endif
