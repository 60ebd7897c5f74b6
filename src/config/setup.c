/* What the setup() of every plugin needs. What it returns lives in the arena of the setup. */
#include "svcdns/setup.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

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

const char *setup_path(const struct setup *setup, const char *path)
{
	if (*path == '/' || !setup->root)
		return path;
	return arena_format(setup->arena, "%s/%s", setup->root, path);
}
