/* metadata: lets other plugins label a query of its zones. Labels are found when somebody reads one: here it
 * is only noted that they may be. */
#include "svcdns/setup.h"

static void *setup(struct setup *setup, struct error *error)
{
	struct zones *zones = arena_alloc(setup->arena, sizeof(*zones));
	struct dispenser d;

	dispenser_init(&d, setup->directive, error);
	dispenser_next(&d);
	setup_zones(setup, &d, zones);
	if (!dispenser_block(&d) && !dispenser_next(&d))
		return zones;
	dispenser_argument_error(&d);
	return NULL;
}

static enum verdict serve(void *self, struct request *r)
{
	r->has_metadata = zones_match(self, &r->question.name);
	return VERDICT_NEXT;
}

extern const struct plugin plugin_metadata;

const struct plugin plugin_metadata = {.name = "metadata", .setup = setup, .serve = serve};
