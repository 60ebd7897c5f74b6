/* References to environment variables. A value may hold references itself: they are replaced, too. */
#include "environment.h"

#include <stdlib.h>
#include <string.h>

#include "svcdns/buffer.h"

#define DEPTH_MAX 16 /* of variables that refer to variables */

struct syntax {
	const char *open, *close;
};

struct replacement {
	struct syntax syntax;
	const struct token *token; /* for messages */
	struct buffer text;
	size_t max;
	struct error *error;
};

static bool add(struct replacement *r, const char *text, size_t length)
{
	if (r->text.length + length > r->max)
		return token_error(r->error, r->token, "too much text from environment variables");
	buffer_add(&r->text, text, length);
	return true;
}

/* The first reference in a text, NULL if there is none; what stands between its marks. A reference without a
 * name is none, and hides those behind it. */
static const char *find_reference(struct syntax syntax, const char *text, size_t *ret_length)
{
	const char *open = strstr(text, syntax.open), *name, *close;

	if (!open)
		return NULL;
	name = open + strlen(syntax.open);
	close = strstr(open, syntax.close);
	if (!close || close <= name)
		return NULL;
	*ret_length = (size_t)(close - name);
	return name;
}

static const char *value_of(const char *name, size_t length)
{
	struct buffer buffer;
	const char *value;

	buffer_init(&buffer);
	buffer_add(&buffer, name, length);
	value = getenv(buffer.bytes);
	buffer_finish(&buffer);
	return value ? value : "";
}

static bool replace(struct replacement *r, const char *text, unsigned depth)
{
	const char *name;
	size_t length;

	if (depth > DEPTH_MAX)
		return token_error(
			r->error, r->token, "environment variables refer to one another in a circle");
	while ((name = find_reference(r->syntax, text, &length))) {
		const char *open = name - strlen(r->syntax.open);

		if (!add(r, text, (size_t)(open - text)) || !replace(r, value_of(name, length), depth + 1))
			return false;
		text = name + length + strlen(r->syntax.close);
	}
	return add(r, text, strlen(text));
}

static const char *replace_all(struct replacement *r, struct arena *arena, const char *text, size_t *budget)
{
	const char *result = NULL;

	buffer_init(&r->text);
	r->max = *budget;
	if (replace(r, text, 0)) {
		*budget -= r->text.length;
		result = arena_text_n(arena, r->text.bytes, r->text.length);
	}
	buffer_finish(&r->text);
	return result;
}

const char *environment_replace(
	struct arena *arena, const struct token *token, size_t *budget, struct error *error)
{
	static const struct syntax syntaxes[] = {{"{%", "%}"}, {"{$", "}"}};
	const char *text = token->text;

	for (size_t i = 0; i < ARRAY_LENGTH(syntaxes) && text; i++) {
		struct replacement r = {.syntax = syntaxes[i], .token = token, .error = error};
		size_t length;

		if (find_reference(r.syntax, text, &length))
			text = replace_all(&r, arena, text, budget);
	}
	return text;
}
