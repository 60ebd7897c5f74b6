/* cancel: a limit for the time that a query may take. It is only written down here; who waits looks at it. */
#include "svcdns/clock.h"
#include "svcdns/setup.h"
#include "svcdns/worker.h"

#define DEFAULT (INT64_C(5001) * (int64_t)CLOCK_MS) /* stub resolvers wait for five seconds */

struct cancel {		 /* lifetime: configuration */
	int64_t timeout; /* ns */
};

static bool read_timeout(struct cancel *cancel, struct dispenser *d)
{
	struct error ignored;

	if (!dispenser_argument(d))
		return true;
	if (!duration_parse(dispenser_value(d), &cancel->timeout, &ignored))
		return dispenser_error(d, "invalid duration: \"%s\"", dispenser_value(d));
	if (cancel->timeout <= 0)
		return dispenser_error(d, "invalid negative duration: \"%s\"", dispenser_value(d));
	return true;
}

/* Of several the last one counts. */
static bool read_directive(struct cancel *cancel, struct dispenser *d)
{
	cancel->timeout = DEFAULT;
	return dispenser_arguments(d) <= 1 ? read_timeout(cancel, d) : dispenser_wrong_count(d);
}

static void *setup(struct setup *setup, struct error *error)
{
	struct cancel *cancel = arena_alloc(setup->arena, sizeof(*cancel));
	struct dispenser d;

	dispenser_init(&d, setup->directive, error);
	while (dispenser_next(&d))
		if (!read_directive(cancel, &d))
			return NULL;
	return cancel;
}

/* What asks on behalf of another query has that one's limit, and is given no more time than it has left. */
static enum verdict serve(void *self, struct request *r)
{
	const struct cancel *cancel = self;
	uint64_t deadline = r->worker->now + (uint64_t)cancel->timeout;

	if (deadline < r->deadline)
		r->deadline = deadline;
	return VERDICT_NEXT;
}

extern const struct plugin plugin_cancel;

const struct plugin plugin_cancel = {.name = "cancel", .setup = setup, .serve = serve};
