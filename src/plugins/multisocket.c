/* multisocket: several sockets for an address. Every worker has its own anyway, and there are as many workers
 * as CPUs: all that is left to do is to take the directive. */
#include "svcdns/setup.h"

#define SOCKETS_MAX 1024

static void *setup(struct setup *setup, struct error *error)
{
	struct error reason;
	struct dispenser d;
	int64_t sockets = 1;

	dispenser_init(&d, setup->directive, error);
	dispenser_next(&d);
	if (dispenser_argument(&d)) {
		if (!integer_parse(dispenser_value(&d), &sockets, &reason)) {
			error_set(error, "invalid num sockets: %s", dispenser_value(&d));
			return NULL;
		}
		if (sockets < 1) {
			error_set(error, "num sockets can not be zero or negative: %s", dispenser_value(&d));
			return NULL;
		}
	}
	if (dispenser_argument(&d) || dispenser_next(&d)) {
		dispenser_argument_error(&d);
		return NULL;
	}
	if (sockets > SOCKETS_MAX) {
		error_set(error, "num sockets exceeds maximum (%d): %s", SOCKETS_MAX, dispenser_value(&d));
		return NULL;
	}
	return setup;
}

extern const struct plugin plugin_multisocket;

const struct plugin plugin_multisocket = {.name = "multisocket", .setup = setup};
