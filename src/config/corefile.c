/* The parser: a stream of tokens to server blocks. An import replaces itself in the stream, so that whatever
 * reads on does not notice. All that is kept lives in the Corefile's arena. */
#include "svcdns/corefile.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "environment.h"
#include "library.h"
#include "stream.h"
#include "svcdns/buffer.h"

#define TOKENS_MAX 4000000 /* of the Corefile and all imports */

struct parser {
	struct arena *arena;
	struct library library;
	struct stream stream;
	size_t tokens; /* read or to be read */
	bool (*is_directive)(const char *);
	struct error *error;
};

static const char *replace_environment(struct parser *p)
{
	return environment_replace(p->arena, &p->stream.token, &p->library.octets, p->error);
}

static bool fail(struct parser *p, const char *message)
{
	return token_error(p->error, &p->stream.token, "%s", message);
}

static bool count_tokens(struct parser *p, size_t count)
{
	p->tokens += count;
	return p->tokens <= TOKENS_MAX ||
	       token_error(p->error, &p->stream.token, "more than %d words, imports included", TOKENS_MAX);
}

/* Stands on "import"; afterwards on the first token of what was imported. */
static bool import(struct parser *p)
{
	struct token before = p->stream.before;
	struct passage passage;
	const char *name;

	if (!stream_has_argument(&p->stream))
		return fail(p, "Wrong argument count or unexpected line ending after 'import'");
	stream_next(&p->stream);
	name = replace_environment(p);
	if (!name)
		return false;
	if (!*name)
		return fail(p, "Import requires a non-empty filepath");
	if (stream_has_argument(&p->stream))
		return fail(p, "Import takes only one argument (glob pattern or file)");
	if (!library_find(&p->library, &p->stream.token, name, &passage, p->error) ||
		!count_tokens(p, passage.count))
		return false;
	stream_replace(&p->stream, &before, passage);
	return true;
}

/* Room for `more` behind `count` tokens of an array in the arena: its capacity is the power of two that holds
 * them. */
static struct token *extend(struct parser *p, struct token *tokens, size_t count, size_t more)
{
	size_t capacity = 1;
	struct token *extended;

	while (capacity < count)
		capacity *= 2;
	if (tokens && count + more <= capacity)
		return tokens;
	while (capacity < count + more)
		capacity *= 2;
	extended = arena_alloc(p->arena, capacity * sizeof(*extended));
	if (tokens)
		memcpy(extended, tokens, count * sizeof(*extended));
	return extended;
}

/* Adds one key; a comma behind it announces another. A brace that touches a key was to open or close a block.
 */
static bool add_key(struct parser *p, struct server_block *block, const char *text, bool *ret_has_comma)
{
	size_t length = strlen(text);
	struct token key = p->stream.token;

	if (strpbrk(text, "{}"))
		return token_error(p->error, &key, "a brace must stand apart from other words: '%s'", text);
	*ret_has_comma = text[length - 1] == ',';
	key.text = arena_text_n(p->arena, text, *ret_has_comma ? length - 1 : length);
	block->keys = extend(p, block->keys, block->key_count, 1);
	block->keys[block->key_count++] = key;
	return true;
}

/* Keys run to an opening brace or the end of their line; a comma at its end lets them go on. */
static bool read_keys(struct parser *p, struct server_block *block)
{
	bool expecting = false;

	while (!p->stream.is_over) {
		const char *text = replace_environment(p);

		if (!text)
			return false;
		if (strcmp(text, "import") == 0 && stream_is_new_line(&p->stream)) {
			if (!import(p))
				return false;
			continue;
		}
		if (strcmp(text, "{") == 0)
			return !expecting ||
			       fail(p, "Expected another address but had '{' - check for extra comma");
		if (strcmp(text, "}") == 0)
			return fail(p, "Unexpected '}' because no matching opening brace");
		if (*text && !add_key(p, block, text, &expecting))
			return false;
		stream_next(&p->stream);
		if (!expecting && stream_is_new_line(&p->stream))
			return true;
	}
	return !expecting || fail(p, "Unexpected EOF");
}

static struct directive *find_directive(struct parser *p, struct server_block *block, const char *name)
{
	struct directive **link = &block->directives;

	while (*link && strcmp((*link)->name, name) != 0)
		link = &(*link)->next;
	if (!*link) {
		*link = arena_alloc(p->arena, sizeof(**link));
		(*link)->name = name;
	}
	return *link;
}

static void add_token(struct parser *p, struct directive *directive, const char *text)
{
	struct token token = p->stream.token;

	token.text = text;
	directive->tokens = extend(p, directive->tokens, directive->count, 1);
	directive->tokens[directive->count++] = token;
}

/* Whether a directive ends before the current token, which is no import at the beginning of a line. */
static bool count_braces(struct parser *p, unsigned *nesting, bool *ret_ends)
{
	*ret_ends = false;
	if (stream_is_at(&p->stream, "{")) {
		if (!*nesting && stream_is_new_line(&p->stream))
			return fail(p, "Unexpected '{': it must stand on the line of what it opens");
		(*nesting)++;
	} else if (!*nesting && stream_is_new_line(&p->stream)) {
		*ret_ends = true;
	} else if (stream_is_at(&p->stream, "}")) {
		if (!*nesting)
			return fail(p, "Unexpected '}' because no matching opening brace");
		(*nesting)--;
	}
	return true;
}

/* The tokens of one directive behind its name: its line, and its block if it opens one there. */
static bool read_directive_tokens(struct parser *p, struct directive *directive)
{
	unsigned nesting = 0;
	bool ends;

	stream_next(&p->stream);
	while (!p->stream.is_over) {
		const char *text;

		if (nesting && stream_is_at(&p->stream, "import") && stream_is_new_line(&p->stream)) {
			if (!import(p))
				return false;
			continue;
		}
		if (!count_braces(p, &nesting, &ends))
			return false;
		if (ends)
			return true;
		text = replace_environment(p);
		if (!text)
			return false;
		add_token(p, directive, text);
		stream_next(&p->stream);
	}
	return !nesting || fail(p, "Unexpected EOF");
}

static bool read_directive(struct parser *p, struct server_block *block)
{
	const char *name = replace_environment(p);
	struct directive *directive;

	if (!name)
		return false;
	if (!p->is_directive(name))
		return token_error(p->error, &p->stream.token, "Unknown directive '%s'", name);
	directive = find_directive(p, block, name);
	add_token(p, directive, name);
	return read_directive_tokens(p, directive);
}

/* The directives of a block. A file with a single block may leave the braces out; a closing one ends it even
 * so. */
static bool read_body(struct parser *p, struct server_block *block)
{
	bool has_brace = stream_is_at(&p->stream, "{");

	if (has_brace)
		stream_next(&p->stream);
	while (!p->stream.is_over && !stream_is_at(&p->stream, "}"))
		if (!(stream_is_at(&p->stream, "import") ? import(p) : read_directive(p, block)))
			return false;
	if (has_brace && p->stream.is_over)
		return token_syntax_error(p->error, &p->stream.token, "}");
	stream_next(&p->stream);
	return true;
}

/* A snippet is a block whose only key is a name in parentheses. */
static const char *snippet_name(struct parser *p, const struct server_block *block)
{
	const char *key = block->key_count == 1 ? block->keys[0].text : "";
	size_t length = strlen(key);

	if (length < 2 || key[0] != '(' || key[length - 1] != ')')
		return NULL;
	return arena_text_n(p->arena, key + 1, length - 2);
}

/* Keeps the tokens between the braces as they stand: they are looked at where they are imported. */
static bool read_snippet(struct parser *p, const char *name)
{
	const struct token place = p->stream.token;
	struct token_list list = {0};
	struct passage passage;
	unsigned nesting = 1;

	if (!stream_is_at(&p->stream, "{"))
		return token_syntax_error(p->error, &p->stream.token, "{");
	while (stream_next(&p->stream), !p->stream.is_over) {
		nesting += stream_is_at(&p->stream, "{");
		nesting -= stream_is_at(&p->stream, "}");
		if (!nesting)
			break;
		token_list_add(&list, p->stream.token);
	}
	passage.count = list.count;
	passage.tokens = arena_copy(p->arena, list.tokens, list.count * sizeof(*list.tokens));
	token_list_finish(&list);
	if (nesting)
		return token_syntax_error(p->error, &p->stream.token, "}");
	if (!library_add_snippet(&p->library, name, &place, passage, p->error))
		return false;
	stream_next(&p->stream);
	return true;
}

/* One server block or snippet. A block without keys counts for nothing, as in CoreDNS. */
static bool read_block(struct parser *p, struct server_block ***link)
{
	struct server_block *block = arena_alloc(p->arena, sizeof(*block));
	const char *snippet;

	block->file = p->stream.token.file;
	block->line = p->stream.token.line;
	if (!read_keys(p, block))
		return false;
	snippet = snippet_name(p, block);
	if (snippet)
		return read_snippet(p, snippet);
	if (!p->stream.is_over && !read_body(p, block))
		return false;
	if (block->key_count) {
		**link = block;
		*link = &block->next;
	}
	return true;
}

static bool parse(struct parser *p, struct corefile *corefile, const char *name, struct passage passage)
{
	struct server_block **link = &corefile->blocks;
	bool ok;

	stream_init(&p->stream, name, passage);
	ok = count_tokens(p, passage.count);
	while (ok && !p->stream.is_over)
		ok = read_block(p, &link);
	stream_finish(&p->stream);
	return ok;
}

bool corefile_parse(struct corefile *corefile, const char *name, const char *text, size_t length,
	bool (*is_directive)(const char *), struct error *error)
{
	struct parser p = {.arena = &corefile->arena, .is_directive = is_directive, .error = error};
	struct passage passage;

	*corefile = (struct corefile){0};
	arena_init(&corefile->arena);
	library_init(&p.library, p.arena);
	name = arena_text(p.arena, name);
	if (library_lex(&p.library, name, text, length, &passage, error) &&
		parse(&p, corefile, name, passage))
		return true;
	corefile_finish(corefile);
	return false;
}

static bool read_stdin(struct buffer *buffer)
{
	char part[4096];
	ssize_t n;

	while ((n = read(STDIN_FILENO, part, sizeof(part))) > 0)
		buffer_add(buffer, part, (size_t)n);
	return n == 0;
}

bool corefile_read(
	struct corefile *corefile, const char *path, bool (*is_directive)(const char *), struct error *error)
{
	const char *name = path ? path : "Corefile";
	struct buffer buffer;
	char reason[512];
	bool ok;

	*corefile = (struct corefile){0};
	if (!path && access(name, F_OK) != 0)
		return true;
	buffer_init(&buffer);
	buffer_add(&buffer, "", 0);
	if (strcmp(name, "stdin") == 0)
		ok = read_stdin(&buffer) || error_set(error, "cannot read stdin");
	else
		ok = buffer_read_file(&buffer, name, reason, sizeof(reason)) ||
		     error_set(error, "%s", reason);
	ok = ok && corefile_parse(corefile, name, buffer.bytes, buffer.length, is_directive, error);
	buffer_finish(&buffer);
	return ok;
}

void corefile_finish(struct corefile *corefile)
{
	arena_finish(&corefile->arena);
	*corefile = (struct corefile){0};
}
