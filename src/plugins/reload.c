/* reload: would follow changes of the Corefile. The directive is read, so that Corefiles of CoreDNS start,
 * and the log says that nothing comes of it yet. */
#include "svcdns/clock.h"
#include "svcdns/log.h"
#include "svcdns/setup.h"

#define INTERVAL_LEAST ((int64_t)(2 * CLOCK_S))
#define JITTER_LEAST   ((int64_t)CLOCK_S)

static bool read_duration(struct dispenser *d, int64_t *ret, struct error *error)
{
	return !dispenser_argument(d) || duration_parse(dispenser_value(d), ret, error);
}

/* [INTERVAL [JITTER]]; as in CoreDNS, only the first directive counts, and a block behind it means nothing.
 */
static void *setup(struct setup *setup, struct error *error)
{
	int64_t interval = INTERVAL_LEAST, jitter = 0;
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
	return setup;
}

static bool say_so(void *config, struct error *error)
{
	(void)config;
	(void)error;
	log_line(LOG_WARNING, "plugin/reload",
		"This version does not follow changes of the Corefile: start it anew for them");
	return true;
}

extern const struct plugin plugin_reload;

const struct plugin plugin_reload = {.name = "reload", .setup = setup, .open = say_so};
