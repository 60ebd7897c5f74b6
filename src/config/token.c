/* Tokens: what the lexer makes and everything else in config reads. */
#include "token.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "svcdns/memory.h"

#define FIRST_CAPACITY 64

void token_list_add(struct token_list *list, struct token token)
{
	if (list->count == list->capacity) {
		list->capacity = list->capacity ? 2 * list->capacity : FIRST_CAPACITY;
		list->tokens = memory_resize(list->tokens, list->capacity * sizeof(token));
	}
	list->tokens[list->count++] = token;
}

void token_list_finish(struct token_list *list)
{
	memory_free(list->tokens);
	*list = (struct token_list){0};
}

/* A quoted token may hold newlines: it ends below the line on which it begins. */
static unsigned last_line(const struct token *token)
{
	unsigned line = token->line;

	for (const char *at = token->text; (at = strchr(at, '\n')); at++)
		line++;
	return line;
}

bool token_continues(const struct token *token, const struct token *next)
{
	return last_line(token) == next->line &&
	       (token->file == next->file || strcmp(token->file, next->file) == 0);
}

bool token_error(struct error *error, const struct token *token, const char *format, ...)
{
	char message[sizeof(error->message)];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	return error_set(error, "%s:%u - Error during parsing: %s", token->file, token->line, message);
}

bool token_syntax_error(struct error *error, const struct token *token, const char *expected)
{
	return error_set(error, "%s:%u - Syntax error: Unexpected token '%s', expecting '%s'", token->file,
		token->line, token->text, expected);
}
