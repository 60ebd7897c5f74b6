/* timeouts: how long TCP clients are waited for. The values go to the listeners of the block. */
#include <string.h>

#include "svcdns/clock.h"
#include "svcdns/setup.h"

#define LEAST ((int64_t)CLOCK_S)
#define MOST  ((int64_t)(24 * 3600 * CLOCK_S))

/* A plain number means seconds. */
static bool read_timeout(struct dispenser *d, int64_t *ret)
{
	struct error reason;
	int64_t value;

	if (dispenser_arguments(d) != 1 || !dispenser_argument(d))
		return dispenser_wrong_count(d);
	if (integer_parse(dispenser_value(d), &value, &reason))
		value = value > MOST / LEAST ? MOST + 1 : value * LEAST;
	else if (!duration_parse(dispenser_value(d), &value, &reason))
		return dispenser_error(
			d, "failed to parse timeout duration '%s': %s", dispenser_value(d), reason.message);
	if (value < LEAST || value > MOST)
		return dispenser_error(d, "timeout provided '%s' needs to be between 1 second and 24 hours",
			dispenser_value(d));
	*ret = value;
	return true;
}

/* -1: any number, which is the default. */
static bool read_queries(struct dispenser *d, int64_t *ret)
{
	struct error reason;

	if (dispenser_arguments(d) != 1 || !dispenser_argument(d))
		return dispenser_wrong_count(d);
	if (!integer_parse(dispenser_value(d), ret, &reason))
		return dispenser_error(
			d, "failed to parse maxtcpqueries '%s': %s", dispenser_value(d), reason.message);
	if (*ret != -1 && *ret < 1)
		return dispenser_error(d,
			"maxtcpqueries provided '%s' needs to be -1 (unlimited) or a positive integer",
			dispenser_value(d));
	*ret = *ret == -1 ? 0 : *ret;
	return true;
}

static bool read_property(struct timeouts *timeouts, struct dispenser *d)
{
	const char *name = dispenser_value(d);

	if (strcmp(name, "read") == 0)
		return read_timeout(d, &timeouts->read);
	if (strcmp(name, "write") == 0)
		return read_timeout(d, &timeouts->write);
	if (strcmp(name, "idle") == 0)
		return read_timeout(d, &timeouts->idle);
	if (strcmp(name, "maxtcpqueries") == 0)
		return read_queries(d, &timeouts->tcp_queries);
	return dispenser_error(d, "unknown option: '%s'", name);
}

static bool read_directive(struct setup *setup, struct dispenser *d)
{
	bool is_empty = true;

	if (!setup_once(setup, d))
		return false;
	if (dispenser_argument(d))
		return dispenser_argument_error(d);
	for (; dispenser_block(d); is_empty = false)
		if (!read_property(setup->timeouts, d))
			return false;
	return !is_empty || dispenser_error(d, "timeouts block with no timeouts specified");
}

static void *setup(struct setup *setup, struct error *error)
{
	struct dispenser d;

	dispenser_init(&d, setup->directive, error);
	while (dispenser_next(&d))
		if (!read_directive(setup, &d))
			return NULL;
	return setup;
}

extern const struct plugin plugin_timeouts;

const struct plugin plugin_timeouts = {.name = "timeouts", .setup = setup};
