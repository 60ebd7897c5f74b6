/* reload: has the Corefile looked at again and again, and what it says then served. The looking is the
 * server's, which outlives the configuration that the directive stands in. */
#include "svcdns/clock.h"
#include "svcdns/setup.h"

#define INTERVAL       ((int64_t)(30 * CLOCK_S))
#define INTERVAL_LEAST ((int64_t)(2 * CLOCK_S))
#define JITTER	       ((int64_t)(15 * CLOCK_S))
#define JITTER_LEAST   ((int64_t)CLOCK_S)

static bool read_duration(struct dispenser *d, int64_t *ret, struct error *error)
{
	return !dispenser_argument(d) || duration_parse(dispenser_value(d), ret, error);
}

/* [INTERVAL [JITTER]]; as in CoreDNS, only the first directive counts, and a block behind it means nothing.
 */
static void *setup(struct setup *setup, struct error *error)
{
	int64_t interval = INTERVAL, jitter = JITTER;
	struct dispenser d;

	dispenser_init(&d, setup->directive, error);
	dispenser_next(&d);
	if (dispenser_arguments(&d) > 2) {
		dispenser_wrong_count(&d);
		return NULL;
	}
	if (!read_duration(&d, &interval, error) || !read_duration(&d, &jitter, error))
		return NULL;
	if (interval < INTERVAL_LEAST) {
		error_set(error, "interval value must be greater or equal to 2s");
		return NULL;
	}
	if (jitter && jitter < JITTER_LEAST) {
		error_set(error, "jitter value must be 0 or greater or equal to 1s");
		return NULL;
	}
	if (jitter > interval / 2)
		jitter = interval / 2;
	if (!setup->reload->is_wanted)
		*setup->reload = (struct reload){true, interval, jitter};
	return setup;
}

extern const struct plugin plugin_reload;

const struct plugin plugin_reload = {.name = "reload", .setup = setup};
