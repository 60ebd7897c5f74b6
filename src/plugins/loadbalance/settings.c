/* loadbalance [round_robin | weighted FILE] { ... }: of several directives the last one counts, but all
 * networks that are preferred. */
#include "settings.h"

#include <string.h>

#define RELOAD_DEFAULT INT64_C(30000000000)
#define PREFERRED_MAX  1024

static bool parse_reload(void *config, struct setup *setup, struct dispenser *d)
{
	struct loadbalance *loadbalance = config;
	struct error ignored;

	(void)setup;
	if (!dispenser_arguments(d))
		return dispenser_error(d, "reload duration value is missing");
	if (dispenser_arguments(d) > 1)
		return dispenser_error(d, "unexpected argument");
	dispenser_argument(d);
	if (!duration_parse(dispenser_value(d), &loadbalance->reload, &ignored) || loadbalance->reload < 0)
		return dispenser_error(d, "invalid reload duration '%s'", dispenser_value(d));
	return true;
}

static bool parse_prefer(void *config, struct setup *setup, struct dispenser *d)
{
	struct loadbalance *loadbalance = config;
	size_t count = loadbalance->preferred_count;
	struct prefix *all = arena_alloc(setup->arena, (count + dispenser_arguments(d)) * sizeof(*all));

	if (count)
		memcpy(all, loadbalance->preferred, count * sizeof(*all));
	while (dispenser_argument(d))
		if (!prefix_parse(dispenser_value(d), &all[count++]))
			return dispenser_error(d, "invalid CIDR \"%s\": invalid CIDR address: %s",
				dispenser_value(d), dispenser_value(d));
	if (count > PREFERRED_MAX)
		return dispenser_error(d, "more than %d networks to prefer", PREFERRED_MAX);
	loadbalance->preferred = all;
	loadbalance->preferred_count = count;
	return true;
}

static const struct option weighted_options[] = {
	{.name = "reload", .type = OPTION_CALL, .parse = parse_reload},
	{.name = NULL},
};

static const struct option round_robin_options[] = {
	{.name = "prefer", .type = OPTION_CALL, .parse = parse_prefer},
	{.name = NULL},
};

static bool read_weighted(struct loadbalance *loadbalance, struct setup *setup, struct dispenser *d)
{
	size_t words = dispenser_arguments(d);

	if (words != 1)
		return dispenser_error(d, words ? "unexpected argument(s)" : "missing weight file argument");
	dispenser_argument(d);
	loadbalance->is_weighted = true;
	loadbalance->path = setup_path(setup, dispenser_value(d));
	loadbalance->reload = RELOAD_DEFAULT;
	loadbalance->preferred_count = 0;
	return options_parse(weighted_options, loadbalance, setup, d);
}

static bool read_directive(struct loadbalance *loadbalance, struct setup *setup, struct dispenser *d)
{
	if (dispenser_argument(d)) {
		const char *policy = dispenser_value(d);

		if (strcmp(policy, "weighted") == 0)
			return read_weighted(loadbalance, setup, d);
		if (strcmp(policy, "round_robin") != 0)
			return error_set(d->error, "unknown policy: %s", policy);
		if (dispenser_argument(d))
			return dispenser_error(d, "unknown property for %s", policy);
	}
	loadbalance->is_weighted = false;
	return options_parse(round_robin_options, loadbalance, setup, d);
}

bool loadbalance_read(struct loadbalance *loadbalance, struct setup *setup, struct error *error)
{
	struct dispenser d;

	dispenser_init(&d, setup->directive, error);
	while (dispenser_next(&d))
		if (!read_directive(loadbalance, setup, &d))
			return false;
	return true;
}
