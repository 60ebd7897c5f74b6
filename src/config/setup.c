/* What the setup() of every plugin needs. What it returns lives in the arena of the setup. */
#include "svcdns/setup.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "svcdns/metrics.h"

/* Whatever is left after the first occurrence has been read is a second one. */
bool setup_once(const struct setup *setup, struct dispenser *d)
{
	(void)setup;
	return d->cursor == 1 || dispenser_error(d, "this plugin can only be used once per Server Block");
}

bool setup_bare(struct dispenser *d)
{
	if (dispenser_argument(d) || dispenser_opens(d))
		return dispenser_argument_error(d);
	return true;
}

void setup_zones(const struct setup *setup, struct dispenser *d, struct zones *ret)
{
	*ret = (struct zones){0};
	if (!dispenser_arguments(d))
		*ret = setup->zones;
	while (dispenser_argument(d))
		zones_add(ret, setup->arena, dispenser_value(d));
}

void setup_words(const struct setup *setup, struct dispenser *d, struct words *ret)
{
	size_t more = dispenser_arguments(d);
	const char **words = arena_alloc(setup->arena, (ret->count + more) * sizeof(*words));

	if (ret->count)
		memcpy(words, ret->words, ret->count * sizeof(*words));
	ret->words = words;
	while (dispenser_argument(d))
		words[ret->count++] = dispenser_value(d);
}

const char *setup_host_name(const struct setup *setup)
{
	char name[HOST_NAME_MAX + 1] = "";

	if (gethostname(name, sizeof(name)) != 0 || !*name)
		return "localhost";
	return arena_text(setup->arena, name);
}

void setup_key(const struct setup *setup, const char *plugin, struct buffer *ret)
{
	buffer_init(ret);
	buffer_format(ret, "%s %s", plugin, setup->place->identity);
}

static bool has_word(const char *const *words, const char *word)
{
	while (words && *words && strcmp(*words, word) != 0)
		words++;
	return words && *words;
}

void setup_key_add(struct buffer *key, const struct directive *directive, const char *const *except)
{
	const struct token *tokens = directive->tokens;
	bool is_wanted = true;

	for (size_t i = 0; i < directive->count; i++) {
		bool is_first = !i || tokens[i].line != tokens[i - 1].line ||
				strcmp(tokens[i].file, tokens[i - 1].file) != 0;

		if (is_first)
			is_wanted = !has_word(except, tokens[i].text);
		if (is_wanted)
			buffer_format(key, "%c%s", is_first ? '\n' : ' ', tokens[i].text);
	}
}

const char *setup_path(const struct setup *setup, const char *path)
{
	if (*path == '/' || !setup->root)
		return path;
	return arena_format(setup->arena, "%s/%s", setup->root, path);
}

/* The value of a label that is the site's; NULL: it is another one. */
static const char *site_label(const struct place *place, size_t site, const char *name)
{
	if (strcmp(name, "server") == 0)
		return place->sites[site].server;
	if (strcmp(name, "zone") == 0)
		return place->sites[site].zone;
	return strcmp(name, "view") == 0 ? place->view : NULL;
}

struct cell **setup_cells(
	const struct setup *setup, const struct metric_family *family, const char *const *others)
{
	const struct place *place = setup->place;
	struct cell **cells = arena_alloc(setup->arena, place->site_count * sizeof(struct cell *));

	for (size_t i = 0; i < place->site_count; i++) {
		const char *values[METRIC_LABELS_MAX];
		size_t count = 0, other = 0;

		for (const struct metric_label *label = family->labels; label->name; label++) {
			const char *value = site_label(place, i, label->name);

			if (!label->values)
				values[count++] = value ? value : others[other++];
		}
		cells[i] = metrics_cells(setup->metrics, 0, family, values);
	}
	return cells;
}
