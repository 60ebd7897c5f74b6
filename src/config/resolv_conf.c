/* resolv.conf(5), read as the resolvers of libc and of Go do: of several lines of a kind the last one counts,
 * and what is not understood is passed over. The list lives in the caller's arena. */
#include "svcdns/resolv_conf.h"

#include <string.h>

#include "svcdns/buffer.h"
#include "svcdns/options.h"

#define NDOTS_DEFAULT 1
#define NDOTS_MAX     15
#define BLANKS	      " \t\r"

struct parse {
	struct resolv_conf *conf;
	struct arena *arena;
	struct error *error;
};

static size_t count_words(const char *text)
{
	size_t count = 0;

	for (text += strspn(text, BLANKS); *text; text += strspn(text, BLANKS)) {
		text += strcspn(text, BLANKS);
		count++;
	}
	return count;
}

/* The root is the name as it is, which is asked anyway. */
static bool add(struct parse *parse, const char *word)
{
	struct name *name = &parse->conf->search[parse->conf->search_count];

	if (strcmp(word, ".") == 0)
		return true;
	if (!name_from_text(word, name))
		return error_set(parse->error, "not a name to search: \"%s\"", word);
	name_lower(name);
	parse->conf->search_count++;
	return true;
}

/* The next `max` words of "search A B ..." or "domain A", or what there is of them. */
static bool read_list(struct parse *parse, char **rest, size_t max)
{
	const char *word;

	parse->conf->search = arena_alloc(parse->arena, max * sizeof(*parse->conf->search));
	parse->conf->search_count = 0;
	while (max-- && (word = strtok_r(NULL, BLANKS, rest)))
		if (!add(parse, word))
			return false;
	return true;
}

static void read_options(struct parse *parse, char **rest)
{
	static const char option[] = "ndots:";
	struct error ignored;
	const char *word;
	int64_t ndots;

	while ((word = strtok_r(NULL, BLANKS, rest)))
		if (strncmp(word, option, strlen(option)) == 0 &&
			integer_parse(word + strlen(option), &ndots, &ignored))
			parse->conf->ndots = (unsigned)(ndots < 0	    ? 0
							: ndots > NDOTS_MAX ? NDOTS_MAX
									    : ndots);
}

static bool read_line(struct parse *parse, char *line)
{
	size_t words = count_words(line);
	char *rest;
	const char *word = strtok_r(line, BLANKS, &rest);

	if (!word)
		return true;
	if (strcmp(word, "search") == 0)
		return read_list(parse, &rest, words - 1);
	if (strcmp(word, "domain") == 0)
		return read_list(parse, &rest, 1);
	if (strcmp(word, "options") == 0)
		read_options(parse, &rest);
	return true;
}

static bool read_lines(struct parse *parse, char *text)
{
	char *rest;

	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		if (!read_line(parse, line))
			return false;
	return true;
}

bool resolv_conf_read(struct resolv_conf *ret, const char *path, struct arena *arena, struct error *error)
{
	struct resolv_conf conf = {.ndots = NDOTS_DEFAULT};
	struct parse parse = {&conf, arena, error};
	struct buffer text;
	char reason[512];
	bool ok;

	buffer_init(&text);
	ok = buffer_read_file(&text, path, reason, sizeof(reason));
	ok = ok ? read_lines(&parse, text.bytes) : error_set(error, "%s", reason);
	buffer_finish(&text);
	if (ok)
		*ret = conf;
	return ok;
}
