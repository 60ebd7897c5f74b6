/* Inside config: text to tokens. */
#ifndef CONFIG_LEXER_H
#define CONFIG_LEXER_H

#include "svcdns/corefile.h"

struct token_list {
	struct token *tokens; /* owned (memory_alloc); the texts are in the arena */
	size_t count, capacity;
};

void token_list_add(struct token_list *list, struct token token);
/* Puts `count` tokens in place of the two that begin at `at`. */
void token_list_splice(struct token_list *list, size_t at, const struct token *tokens, size_t count);
void token_list_finish(struct token_list *list);

/* Appends the tokens of a text; `file` outlives them. False: the text holds a NUL. */
bool lexer_read(struct token_list *list, struct arena *arena, const char *file, const char *text,
	size_t length, struct error *error);

/* The line on which a token ends: one over several lines ends below the one on which it begins. */
unsigned token_last_line(const struct token *token);

#endif
