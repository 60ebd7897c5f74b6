/* A projected token is replaced by a rename (the ..data link of its volume), so its path is opened anew for
 * each reading. */
#include "token.h"

#include <string.h>

#include "svcdns/clock.h"

#define TOKEN_MAX 65536 /* octets */

void token_finish(struct token *token)
{
	buffer_finish(&token->text);
	*token = (struct token){0};
}

/* What stands between blanks: the token goes into a header line. */
static const char *trim(const char *text, size_t *ret_length)
{
	static const char blanks[] = " \t\r\n";

	text += strspn(text, blanks);
	*ret_length = strcspn(text, blanks);
	return text;
}

static void read_file(struct token *token)
{
	struct buffer content;
	char reason[512];
	size_t length = 0;
	const char *text;

	buffer_init(&content);
	if (buffer_read_file(&content, token->file, reason, sizeof(reason))) {
		text = trim(content.bytes, &length);
		if (length && length <= TOKEN_MAX) {
			buffer_clear(&token->text);
			buffer_add(&token->text, text, length);
		}
	}
	buffer_finish(&content);
}

const char *token_get(struct token *token, uint64_t now)
{
	if (token->file && (!token->read_at || now - token->read_at >= TOKEN_READ_S * CLOCK_S)) {
		read_file(token);
		token->read_at = now;
	}
	return token->text.bytes ? token->text.bytes : "";
}

void token_forget(struct token *token)
{
	token->read_at = 0;
}
