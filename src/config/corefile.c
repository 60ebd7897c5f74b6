/* The parser: tokens to server blocks. An import puts the tokens of a file or snippet in its own place, so
 * that whatever reads on does not notice. */
#include "svcdns/corefile.h"

#include <glob.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lexer.h"
#include "svcdns/buffer.h"
#include "svcdns/log.h"
#include "svcdns/memory.h"

#define IMPORTS_MAX	 10000 /* of files, and of snippets, in one Corefile */
#define TOKENS_MAX	 4000000
#define REPLACEMENTS_MAX 100 /* environment variables in one token */

struct snippet {
	const char *name;
	struct token *tokens; /* in the arena */
	size_t count;
	struct snippet *next;
};

struct parser {
	struct corefile *corefile;
	struct arena *arena;
	struct token_list list;
	size_t at; /* the current token; list.count: past the end */
	struct snippet *snippets;
	unsigned files, expansions;
	bool (*is_directive)(const char *);
	struct error *error;
};

static const struct token *here(const struct parser *p)
{
	return &p->list.tokens[p->at];
}

static bool at_end(const struct parser *p)
{
	return p->at >= p->list.count;
}

static bool is_here(const struct parser *p, const char *text)
{
	return !at_end(p) && strcmp(here(p)->text, text) == 0;
}

/* The last token that there is, for messages about a file that ends too early. */
static const struct token *place(const struct parser *p)
{
	return at_end(p) ? &p->list.tokens[p->list.count - 1] : here(p);
}

static bool fail(struct parser *p, const char *format, ...) ATTRIBUTE_PRINTF(2, 3);

static bool fail(struct parser *p, const char *format, ...)
{
	char message[sizeof(p->error->message)];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	return error_set(
		p->error, "%s:%u - Error during parsing: %s", place(p)->file, place(p)->line, message);
}

static bool fail_syntax(struct parser *p, const char *expecting)
{
	return error_set(p->error, "%s:%u - Syntax error: Unexpected token '%s', expecting '%s'",
		place(p)->file, place(p)->line, place(p)->text, expecting);
}

static bool is_new_line(const struct parser *p)
{
	const struct token *before;

	if (p->at == 0 || at_end(p))
		return true;
	before = here(p) - 1;
	return strcmp(before->file, here(p)->file) != 0 || token_last_line(before) < here(p)->line;
}

/* {$NAME} and {%NAME%}; a value may hold such references itself. */
static const char *replace_references(
	struct arena *arena, const char *text, const char *open, const char *close)
{
	for (unsigned i = 0; i < REPLACEMENTS_MAX; i++) {
		const char *begin = strstr(text, open), *end = begin ? strstr(begin, close) : NULL;
		const char *name, *value;

		if (!end || end <= begin + strlen(open))
			break;
		name = arena_text_n(arena, begin + strlen(open), (size_t)(end - begin) - strlen(open));
		value = getenv(name);
		text = arena_format(arena, "%.*s%s%s", (int)(begin - text), text, value ? value : "",
			end + strlen(close));
	}
	return text;
}

static const char *replace_environment(struct arena *arena, const char *text)
{
	if (!strchr(text, '{'))
		return text;
	return replace_references(arena, replace_references(arena, text, "{%", "%}"), "{$", "}");
}

static const struct snippet *find_snippet(const struct parser *p, const char *name)
{
	const struct snippet *snippet = p->snippets;

	while (snippet && strcmp(snippet->name, name) != 0)
		snippet = snippet->next;
	return snippet;
}

/* Relative to the folder of the file in which the import stands. */
static const char *absolute(struct parser *p, const char *file, const char *pattern)
{
	const char *slash = strrchr(file, '/');

	if (*pattern == '/' || !slash)
		return pattern;
	return arena_format(p->arena, "%.*s/%s", (int)(slash - file), file, pattern);
}

static unsigned count_of(const char *text, char c)
{
	unsigned count = 0;

	for (; *text; text++)
		count += *text == c;
	return count;
}

static bool read_file(struct parser *p, const char *path, struct token_list *ret)
{
	struct buffer buffer;
	struct stat status;
	char reason[512];
	bool ok;

	if (stat(path, &status) == 0 && S_ISDIR(status.st_mode))
		return fail(p, "Could not import %s: is a directory", path);
	buffer_init(&buffer);
	ok = buffer_read_file(&buffer, path, reason, sizeof(reason));
	if (!ok)
		fail(p, "Could not import %s: %s", path, reason);
	ok = ok &&
	     lexer_read(ret, p->arena, arena_text(p->arena, path), buffer.bytes, buffer.length, p->error);
	buffer_finish(&buffer);
	return ok;
}

static bool read_matches(struct parser *p, const glob_t *matches, struct token_list *ret)
{
	for (size_t i = 0; i < matches->gl_pathc; i++) {
		if (++p->files > IMPORTS_MAX)
			return fail(p, "maximum file import depth (%d) exceeded", IMPORTS_MAX);
		if (!read_file(p, matches->gl_pathv[i], ret))
			return false;
	}
	return true;
}

static bool import_files(struct parser *p, const char *pattern, struct token_list *ret)
{
	const char *path = absolute(p, here(p)->file, pattern);
	glob_t matches = {0};
	bool ok;

	if (count_of(path, '*') > 1 || count_of(path, '?') > 1 || (strchr(path, '[') && strchr(path, ']')))
		return fail(p, "Glob pattern may only contain one wildcard (*), but has others: %s", path);
	if (glob(path, 0, NULL, &matches) == 0) {
		ok = read_matches(p, &matches, ret);
	} else {
		ok = strpbrk(path, "*?[]");
		if (ok)
			log_line(LOG_WARNING, NULL, "No files matching import glob pattern: %s", pattern);
		else
			fail(p, "File to import not found: %s", pattern);
	}
	globfree(&matches);
	return ok;
}

static bool splice(struct parser *p, const struct token *tokens, size_t count)
{
	if (p->list.count + count > TOKENS_MAX)
		return fail(p, "the Corefile has more than %d words, imports included", TOKENS_MAX);
	p->at--;
	token_list_splice(&p->list, p->at, tokens, count);
	return true;
}

/* Stands on "import"; afterwards on the first token of what was imported. */
static bool import(struct parser *p)
{
	const struct snippet *snippet;
	struct token_list imported = {0};
	const char *pattern;
	bool ok;

	p->at++;
	if (at_end(p) || is_new_line(p)) {
		p->at--;
		return fail(p, "Wrong argument count or unexpected line ending after 'import'");
	}
	pattern = replace_environment(p->arena, here(p)->text);
	if (!*pattern)
		return fail(p, "Import requires a non-empty filepath");
	p->at++;
	if (!at_end(p) && !is_new_line(p))
		return fail(p, "Import takes only one argument (glob pattern or file)");
	p->at--;
	snippet = find_snippet(p, pattern);
	if (snippet && ++p->expansions > IMPORTS_MAX)
		return fail(p, "maximum snippet import depth (%d) exceeded", IMPORTS_MAX);
	if (snippet)
		return splice(p, snippet->tokens, snippet->count);
	ok = import_files(p, pattern, &imported) && splice(p, imported.tokens, imported.count);
	token_list_finish(&imported);
	return ok;
}

static void add_key(struct parser *p, struct server_block *block, struct token key)
{
	struct token *keys = arena_alloc(p->arena, (block->key_count + 1) * sizeof(key));

	if (block->key_count)
		memcpy(keys, block->keys, block->key_count * sizeof(key));
	keys[block->key_count++] = key;
	block->keys = keys;
}

/* Adds one key; true when a comma behind it announces another. */
static bool read_key(struct parser *p, struct server_block *block, const char *text)
{
	size_t length = strlen(text);
	struct token key = *here(p);
	bool has_comma = length && text[length - 1] == ',';

	key.text = has_comma ? arena_text_n(p->arena, text, length - 1) : text;
	if (length)
		add_key(p, block, key);
	return has_comma;
}

/* Keys run to an opening brace or the end of their line; a comma at its end lets them go on. */
static bool read_keys(struct parser *p, struct server_block *block)
{
	bool expecting = false;

	while (!at_end(p)) {
		const char *text = replace_environment(p->arena, here(p)->text);

		if (strcmp(text, "import") == 0 && is_new_line(p)) {
			if (!import(p))
				return false;
			continue;
		}
		if (strcmp(text, "{") == 0)
			return !expecting ||
			       fail(p, "Expected another address but had '{' - check for extra comma");
		expecting = *text ? read_key(p, block, text) : expecting;
		p->at++;
		if (!expecting && is_new_line(p))
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

static void append(struct parser *p, struct directive *directive, const struct token_list *tokens)
{
	size_t count = directive->count + tokens->count;
	struct token *all = arena_alloc(p->arena, count * sizeof(*all));

	if (directive->count)
		memcpy(all, directive->tokens, directive->count * sizeof(*all));
	memcpy(all + directive->count, tokens->tokens, tokens->count * sizeof(*all));
	directive->tokens = all;
	directive->count = count;
}

/* The tokens of one directive: its line, and its block if it opens one there. */
static bool read_directive_tokens(struct parser *p, struct token_list *ret)
{
	unsigned nesting = 0;

	while (p->at++, !at_end(p)) {
		struct token token = *here(p);

		if (strcmp(token.text, "{") == 0)
			nesting++;
		else if (is_new_line(p) && !nesting)
			return true;
		else if (strcmp(token.text, "}") == 0 && !nesting)
			return fail(p, "Unexpected '}' because no matching opening brace");
		else if (strcmp(token.text, "}") == 0)
			nesting--;
		else if (strcmp(token.text, "import") == 0 && is_new_line(p)) {
			if (!import(p))
				return false;
			p->at--;
			continue;
		}
		token.text = replace_environment(p->arena, token.text);
		token_list_add(ret, token);
	}
	return !nesting || fail(p, "Unexpected EOF");
}

static bool read_directive(struct parser *p, struct server_block *block)
{
	struct token_list tokens = {0};
	struct token name = *here(p);
	bool ok;

	name.text = replace_environment(p->arena, name.text);
	if (!p->is_directive(name.text))
		return fail(p, "Unknown directive '%s'", name.text);
	token_list_add(&tokens, name);
	ok = read_directive_tokens(p, &tokens);
	if (ok)
		append(p, find_directive(p, block, name.text), &tokens);
	token_list_finish(&tokens);
	return ok;
}

/* Stands on the first directive; afterwards on the closing brace or past the end. */
static bool read_directives(struct parser *p, struct server_block *block)
{
	while (!at_end(p) && !is_here(p, "}")) {
		if (!(is_here(p, "import") ? import(p) : read_directive(p, block)))
			return false;
	}
	return true;
}

/* A file with a single block may leave the braces out. */
static bool read_body(struct parser *p, struct server_block *block)
{
	bool has_brace = is_here(p, "{");

	if (has_brace)
		p->at++;
	if (!read_directives(p, block))
		return false;
	if (has_brace && !is_here(p, "}"))
		return fail_syntax(p, "}");
	p->at++;
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
	struct snippet *snippet;
	unsigned nesting = 1;
	size_t begin;

	if (find_snippet(p, name)) {
		return fail(p, "redeclaration of previously declared snippet %s", name);
	}
	if (!is_here(p, "{"))
		return fail_syntax(p, "{");
	begin = ++p->at;
	for (; !at_end(p); p->at++) {
		nesting += is_here(p, "{");
		nesting -= is_here(p, "}");
		if (!nesting)
			break;
	}
	if (nesting)
		return fail_syntax(p, "}");
	snippet = arena_alloc(p->arena, sizeof(*snippet));
	*snippet = (struct snippet){name, NULL, p->at - begin, p->snippets};
	snippet->tokens =
		arena_copy(p->arena, p->list.tokens + begin, snippet->count * sizeof(*snippet->tokens));
	p->snippets = snippet;
	p->at++;
	return true;
}

/* One server block or snippet. */
static bool read_block(struct parser *p, struct server_block ***link)
{
	struct server_block *block = arena_alloc(p->arena, sizeof(*block));
	const char *snippet;

	block->file = here(p)->file;
	block->line = here(p)->line;
	if (!read_keys(p, block))
		return false;
	snippet = snippet_name(p, block);
	if (snippet && !at_end(p))
		return read_snippet(p, snippet);
	if (!at_end(p) && !read_body(p, block))
		return false;
	if (block->key_count) {
		**link = block;
		*link = &block->next;
	}
	return true;
}

static bool parse(struct parser *p)
{
	struct server_block **link = &p->corefile->blocks;

	while (!at_end(p))
		if (!read_block(p, &link))
			return false;
	return true;
}

bool corefile_parse(struct corefile *corefile, const char *name, const char *text, size_t length,
	bool (*is_directive)(const char *), struct error *error)
{
	struct parser p = {.corefile = corefile,
		.arena = &corefile->arena,
		.is_directive = is_directive,
		.error = error};
	bool ok;

	*corefile = (struct corefile){0};
	arena_init(&corefile->arena);
	ok = lexer_read(&p.list, p.arena, arena_text(p.arena, name), text, length, error) && parse(&p);
	token_list_finish(&p.list);
	if (!ok)
		corefile_finish(corefile);
	return ok;
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
