/* debug: log lines of level DEBUG, for the whole process. */
#include "svcdns/log.h"
#include "svcdns/setup.h"

static void *setup(struct setup *setup, struct error *error)
{
	struct dispenser d;

	dispenser_init(&d, setup->directive, error);
	while (dispenser_next(&d))
		if (!setup_bare(&d))
			return NULL;
	return setup;
}

static bool open_log(void *config, struct error *error)
{
	(void)config;
	(void)error;
	log_set_debug(true);
	return true;
}

extern const struct plugin plugin_debug;

const struct plugin plugin_debug = {.name = "debug", .setup = setup, .open = open_log};
