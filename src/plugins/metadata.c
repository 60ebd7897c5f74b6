/* metadata: would collect labels of a query for other plugins to read. No plugin reads any, so that there is
 * nothing to collect, and all that is left to do is to take the directive. */
#include "svcdns/setup.h"

static void *setup(struct setup *setup, struct error *error)
{
	struct dispenser d;

	dispenser_init(&d, setup->directive, error);
	dispenser_next(&d);
	while (dispenser_argument(&d))
		;
	if (!dispenser_block(&d) && !dispenser_next(&d))
		return setup;
	dispenser_argument_error(&d);
	return NULL;
}

extern const struct plugin plugin_metadata;

const struct plugin plugin_metadata = {.name = "metadata", .setup = setup};
