/* root: the folder from which relative file names of a server block start. It is set up before all that read
 * one. */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "svcdns/log.h"
#include "svcdns/setup.h"

/* A folder that is not there may come later; one that cannot be looked at is a mistake. */
static bool check(const char *path, struct dispenser *d)
{
	struct stat status;

	if (stat(path, &status) == 0)
		return true;
	if (errno != ENOENT)
		return dispenser_error(d, "unable to access root path '%s': %s", path, strerror(errno));
	log_line(LOG_WARNING, "plugin/root", "Root path does not exist: %s", path);
	return true;
}

static void *setup(struct setup *setup, struct error *error)
{
	const char *path = NULL;
	struct dispenser d;

	dispenser_init(&d, setup->directive, error);
	while (dispenser_next(&d)) {
		if (!dispenser_argument(&d)) {
			dispenser_argument_error(&d);
			return NULL;
		}
		path = dispenser_value(&d);
	}
	assert(path); /* the directive stands there at least once */
	if (!check(path, &d))
		return NULL;
	setup->root = path;
	return setup;
}

extern const struct plugin plugin_root;

const struct plugin plugin_root = {.name = "root", .setup = setup};
