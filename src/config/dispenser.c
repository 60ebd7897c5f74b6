/* A cursor over the tokens of a directive. It owns nothing; the tokens are those of the Corefile. */
#include "svcdns/dispenser.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "token.h"

void dispenser_init(struct dispenser *d, const struct directive *directive, struct error *error)
{
	*d = (struct dispenser){.tokens = directive->tokens, .count = directive->count, .error = error};
}

bool dispenser_next(struct dispenser *d)
{
	if (d->cursor == d->count)
		return false;
	d->cursor++;
	return true;
}

const char *dispenser_value(const struct dispenser *d)
{
	return d->cursor ? d->tokens[d->cursor - 1].text : "";
}

/* Whether the next token stands on the line on which the current one ends. */
static bool continues(const struct dispenser *d)
{
	return d->cursor > 0 && d->cursor < d->count &&
	       token_continues(&d->tokens[d->cursor - 1], &d->tokens[d->cursor]);
}

static bool is_next(const struct dispenser *d, const char *text)
{
	return d->cursor < d->count && strcmp(d->tokens[d->cursor].text, text) == 0;
}

bool dispenser_argument(struct dispenser *d)
{
	return continues(d) && !is_next(d, "{") && dispenser_next(d);
}

bool dispenser_opens(const struct dispenser *d)
{
	return continues(d) && is_next(d, "{");
}

bool dispenser_block(struct dispenser *d)
{
	if (!d->nesting) {
		if (!dispenser_opens(d))
			return false;
		d->cursor++;
		d->nesting++;
	}
	if (dispenser_next(d) && strcmp(dispenser_value(d), "}") != 0)
		return true;
	d->nesting--;
	return false;
}

size_t dispenser_arguments(const struct dispenser *d)
{
	struct dispenser ahead = *d;
	size_t count = 0;

	while (dispenser_argument(&ahead))
		count++;
	return count;
}

static const struct token *place(const struct dispenser *d)
{
	return &d->tokens[d->cursor ? d->cursor - 1 : 0];
}

bool dispenser_error(struct dispenser *d, const char *format, ...)
{
	char message[sizeof(d->error->message)];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	return token_error(d->error, place(d), "%s", message);
}

bool dispenser_argument_error(struct dispenser *d)
{
	if (dispenser_opens(d))
		return dispenser_error(d, "Unexpected token '{', expecting argument");
	return dispenser_error(
		d, "Wrong argument count or unexpected line ending after '%s'", dispenser_value(d));
}

bool dispenser_wrong_count(struct dispenser *d)
{
	while (dispenser_argument(d))
		;
	return dispenser_argument_error(d);
}

bool dispenser_unknown_property(struct dispenser *d)
{
	return dispenser_error(d, "unknown property '%s'", dispenser_value(d));
}
