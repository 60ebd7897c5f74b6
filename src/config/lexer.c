/* The lexer of the Corefile. Tokens are separated by white space, also that of Unicode; a token that begins
 * with a double quote runs to the closing one, newlines included; '#' outside of quotes hides the rest of the
 * line wherever it stands; carriage returns do not count. Braces are ordinary tokens. */
#include "lexer.h"

#include <string.h>

#include "svcdns/buffer.h"

struct lexer {
	struct token_list *list;
	struct arena *arena;
	const char *file, *at, *end;
	unsigned line;
	struct buffer word; /* of the token that is being read */
};

/* Octets of the white space at `at`, 0 if there is none: what Unicode calls White_Space, in UTF-8. */
static size_t space_length(const char *at, const char *end)
{
	static const char *const wide[] = {"\xc2\x85", "\xc2\xa0", "\xe1\x9a\x80", "\xe2\x80\x80",
		"\xe2\x80\x81", "\xe2\x80\x82", "\xe2\x80\x83", "\xe2\x80\x84", "\xe2\x80\x85",
		"\xe2\x80\x86", "\xe2\x80\x87", "\xe2\x80\x88", "\xe2\x80\x89", "\xe2\x80\x8a",
		"\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80"};

	if (strchr(" \t\n\v\f", *at))
		return 1;
	for (size_t i = 0; *(const unsigned char *)at >= 0x80 && i < ARRAY_LENGTH(wide); i++) {
		size_t length = strlen(wide[i]);

		if ((size_t)(end - at) >= length && memcmp(at, wide[i], length) == 0)
			return length;
	}
	return 0;
}

static void finish_token(struct lexer *lexer, unsigned line)
{
	const char *text = arena_text_n(lexer->arena, lexer->word.bytes, lexer->word.length);

	token_list_add(lexer->list, (struct token){text, lexer->file, line});
	buffer_clear(&lexer->word);
}

/* Inside quotes only \" is an escape; a backslash before anything else stays. */
static bool read_quoted(struct lexer *lexer, struct error *error)
{
	const struct token begin = {"", lexer->file, lexer->line};

	for (lexer->at++; lexer->at < lexer->end && *lexer->at != '"'; lexer->at++) {
		if (*lexer->at == '\\' && lexer->at + 1 < lexer->end) {
			lexer->at++;
			if (*lexer->at != '"')
				buffer_add(&lexer->word, "\\", 1);
		}
		if (*lexer->at == '\n')
			lexer->line++;
		buffer_add(&lexer->word, lexer->at, 1);
	}
	if (lexer->at == lexer->end)
		return token_error(error, &begin, "the double quote is not closed");
	lexer->at++;
	finish_token(lexer, begin.line);
	return true;
}

static void read_word(struct lexer *lexer)
{
	while (lexer->at < lexer->end && *lexer->at != '#' && !space_length(lexer->at, lexer->end)) {
		if (*lexer->at != '\r')
			buffer_add(&lexer->word, lexer->at, 1);
		lexer->at++;
	}
	finish_token(lexer, lexer->line);
}

static void skip_comment(struct lexer *lexer)
{
	const char *newline = memchr(lexer->at, '\n', (size_t)(lexer->end - lexer->at));

	lexer->at = newline ? newline : lexer->end;
}

static bool read_all(struct lexer *lexer, struct error *error)
{
	while (lexer->at < lexer->end) {
		size_t space = space_length(lexer->at, lexer->end);

		lexer->line += *lexer->at == '\n';
		if (space || *lexer->at == '\r')
			lexer->at += space ? space : 1;
		else if (*lexer->at == '#')
			skip_comment(lexer);
		else if (*lexer->at != '"')
			read_word(lexer);
		else if (!read_quoted(lexer, error))
			return false;
	}
	return true;
}

/* Tokens are C strings from here on. */
static bool refuse_nul(const struct lexer *lexer, const char *nul, struct error *error)
{
	struct token place = {"", lexer->file, 1};

	for (const char *at = lexer->at; at < nul; at++)
		place.line += *at == '\n';
	return token_error(error, &place, "a NUL octet");
}

bool lexer_read(struct token_list *list, struct arena *arena, const char *file, const char *text,
	size_t length, struct error *error)
{
	struct lexer lexer = {list, arena, file, text, text + length, 1, {0}};
	const char *nul = length ? memchr(text, '\0', length) : NULL;
	bool ok;

	if (nul)
		return refuse_nul(&lexer, nul, error);
	if (length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		lexer.at += 3; /* byte order mark */
	ok = read_all(&lexer, error);
	buffer_finish(&lexer.word);
	return ok;
}
