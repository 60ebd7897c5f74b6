/* Snippets and files. Both are kept as tokens and given out as often as they are imported, so that an import
 * never reads or copies a file again; only the tokens of several files under one pattern are joined. */
#include "library.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lexer.h"
#include "svcdns/buffer.h"
#include "svcdns/log.h"

#define IMPORTS_MAX  10000 /* of files, and of snippets: what refers to itself ends here */
#define SNIPPETS_MAX 10000

struct snippet {
	const char *name;
	struct passage passage;
	struct snippet *next;
};

struct source {
	const char *path;
	struct passage passage;
	struct source *next;
};

void library_init(struct library *library, struct arena *arena)
{
	*library = (struct library){.arena = arena, .octets = CONFIG_OCTETS_MAX};
}

bool library_lex(struct library *library, const char *name, const char *text, size_t length,
	struct passage *ret, struct error *error)
{
	struct token_list list = {0};
	bool ok;

	if (length > library->octets)
		return error_set(
			error, "%s: the configuration is larger than %zu octets", name, CONFIG_OCTETS_MAX);
	library->octets -= length;
	ok = lexer_read(&list, library->arena, name, text, length, error);
	if (ok) {
		ret->count = list.count;
		ret->tokens = arena_copy(library->arena, list.tokens, list.count * sizeof(*list.tokens));
	}
	token_list_finish(&list);
	return ok;
}

static const struct snippet *find_snippet(const struct library *library, const char *name)
{
	const struct snippet *snippet = library->snippets;

	while (snippet && strcmp(snippet->name, name) != 0)
		snippet = snippet->next;
	return snippet;
}

bool library_add_snippet(struct library *library, const char *name, const struct token *place,
	struct passage passage, struct error *error)
{
	struct snippet *snippet;

	if (find_snippet(library, name))
		return token_error(error, place, "redeclaration of previously declared snippet %s", name);
	if (++library->snippet_count > SNIPPETS_MAX)
		return token_error(error, place, "more than %d snippets", SNIPPETS_MAX);
	snippet = arena_alloc(library->arena, sizeof(*snippet));
	*snippet = (struct snippet){name, passage, library->snippets};
	library->snippets = snippet;
	return true;
}

static bool refuse_file(struct error *error, const struct token *place, const char *path, const char *what)
{
	return token_error(error, place, "Could not import %s: %s", path, what);
}

/* A pipe without a writer is empty, and what never ends is too large: neither keeps us. */
static bool read_octets(int fd, size_t max, struct buffer *buffer)
{
	char part[16384];
	ssize_t n;

	while ((n = read(fd, part, sizeof(part))) > 0) {
		buffer_add(buffer, part, (size_t)n);
		if (buffer->length > max) {
			errno = EFBIG;
			return false;
		}
	}
	return n == 0;
}

static bool read_file(struct library *library, const struct token *place, const char *path,
	struct buffer *buffer, struct error *error)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat status;
	bool ok;
	int code;

	if (fd < 0)
		return refuse_file(error, place, path, strerror(errno));
	if (fstat(fd, &status) == 0 && S_ISDIR(status.st_mode)) {
		close(fd);
		return refuse_file(error, place, path, "is a directory");
	}
	ok = read_octets(fd, library->octets, buffer);
	code = errno;
	close(fd);
	return ok || refuse_file(error, place, path, strerror(code));
}

static bool read_source(struct library *library, const struct token *place, const char *path,
	struct passage *ret, struct error *error)
{
	struct source *source = library->sources;
	struct buffer buffer;
	bool ok;

	while (source && strcmp(source->path, path) != 0)
		source = source->next;
	if (source) {
		*ret = source->passage;
		return true;
	}
	source = arena_alloc(library->arena, sizeof(*source));
	source->path = arena_text(library->arena, path);
	source->next = library->sources;
	buffer_init(&buffer);
	buffer_add(&buffer, "", 0);
	ok = read_file(library, place, path, &buffer, error) &&
	     library_lex(library, source->path, buffer.bytes, buffer.length, &source->passage, error);
	buffer_finish(&buffer);
	if (ok) {
		library->sources = source;
		*ret = source->passage;
	}
	return ok;
}

static bool is_dot_entry(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* A wildcard also stands for a dot in front of a file's name; the folder itself and the one above are not
 * meant. */
static bool read_matches(struct library *library, const struct token *place, const glob_t *matches,
	struct passage *ret, struct error *error)
{
	struct token_list all = {0};
	struct passage passage;
	bool ok = true;

	for (size_t i = 0; ok && i < matches->gl_pathc; i++) {
		if (is_dot_entry(matches->gl_pathv[i]))
			continue;
		ok = read_source(library, place, matches->gl_pathv[i], &passage, error);
		for (size_t k = 0; ok && k < passage.count; k++)
			token_list_add(&all, passage.tokens[k]);
	}
	if (ok) {
		ret->count = all.count;
		ret->tokens = arena_copy(library->arena, all.tokens, all.count * sizeof(*all.tokens));
	}
	token_list_finish(&all);
	return ok;
}

/* Relative to the folder of the file in which the import stands. */
static const char *absolute(struct library *library, const char *file, const char *pattern)
{
	const char *slash = strrchr(file, '/');

	if (*pattern == '/' || !slash)
		return pattern;
	return arena_format(library->arena, "%.*s/%s", (int)(slash - file), file, pattern);
}

static unsigned count_of(const char *text, char c)
{
	unsigned count = 0;

	for (; *text; text++)
		count += *text == c;
	return count;
}

static bool check_pattern(const struct token *place, const char *path, struct error *error)
{
	if (count_of(path, '*') > 1 || count_of(path, '?') > 1 || (strchr(path, '[') && strchr(path, ']')))
		return token_error(error, place,
			"Glob pattern may only contain one wildcard (*), but has others: %s", path);
	if (strchr(path, '['))
		return token_error(error, place, "Failed to use import pattern %s: '[' is not closed", path);
	return true;
}

static bool import_pattern(struct library *library, const struct token *place, const char *name,
	const char *path, struct passage *ret, struct error *error)
{
	glob_t matches = {0};
	bool ok = true;

	if (glob(path, GLOB_PERIOD, NULL, &matches) == 0)
		ok = read_matches(library, place, &matches, ret, error);
	if (!matches.gl_pathc)
		log_line(LOG_WARNING, NULL, "No files matching import glob pattern: %s", name);
	globfree(&matches);
	return ok;
}

static bool import_files(struct library *library, const struct token *place, const char *name,
	struct passage *ret, struct error *error)
{
	const char *path = absolute(library, place->file, name);

	if (!check_pattern(place, path, error))
		return false;
	*ret = (struct passage){0};
	if (strpbrk(path, "*?]\\"))
		return import_pattern(library, place, name, path, ret, error);
	if (access(path, F_OK) != 0)
		return token_error(error, place, "File to import not found: %s", name);
	return read_source(library, place, path, ret, error);
}

bool library_find(struct library *library, const struct token *place, const char *name, struct passage *ret,
	struct error *error)
{
	const struct snippet *snippet = find_snippet(library, name);

	if (snippet) {
		if (++library->snippet_imports > IMPORTS_MAX)
			return token_error(
				error, place, "maximum snippet import depth (%d) exceeded", IMPORTS_MAX);
		*ret = snippet->passage;
		return true;
	}
	if (++library->file_imports > IMPORTS_MAX)
		return token_error(error, place, "maximum file import depth (%d) exceeded", IMPORTS_MAX);
	return import_files(library, place, name, ret, error);
}
