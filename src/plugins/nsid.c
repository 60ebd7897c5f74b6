/* nsid: names this server to a client that asks which one it is (RFC 5001). */
#include <string.h>

#include "svcdns/setup.h"

#define OPTION_HEADER 4
#define DATA_MAX      (EDNS_OPTIONS_MAX - OPTION_HEADER)

struct nsid { /* lifetime: configuration */
	const char *data;
	size_t length;
};

static const char *read_data(struct setup *setup, struct dispenser *d)
{
	const char *data;

	if (!dispenser_argument(d))
		return setup_host_name(setup);
	data = dispenser_value(d);
	while (dispenser_argument(d))
		data = arena_format(setup->arena, "%s %s", data, dispenser_value(d));
	return data;
}

static void *setup(struct setup *setup, struct error *error)
{
	struct nsid *nsid = arena_alloc(setup->arena, sizeof(*nsid));
	struct dispenser d;

	dispenser_init(&d, setup->directive, error);
	while (dispenser_next(&d)) {
		if (!setup_once(setup, &d))
			return NULL;
		nsid->data = read_data(setup, &d);
		nsid->length = strlen(nsid->data);
		if (nsid->length > DATA_MAX) {
			dispenser_error(&d, "data of more than %d octets", DATA_MAX);
			return NULL;
		}
	}
	return nsid;
}

/* The option is there only if it is asked for (RFC 5001 section 2.2). */
static enum verdict serve(void *self, struct request *r)
{
	uint16_t length;

	(void)self;
	*(bool *)request_state(r) = r->edns.present && edns_option(&r->edns, EDNS_NSID, &length);
	return VERDICT_NEXT;
}

/* It takes the place of the client's other options, which went back where there is nothing to say; options of
 * an upstream's reply stay. */
static void reply(void *self, struct request *r)
{
	const struct nsid *nsid = self;
	const bool *is_asked = request_state(r);

	if (!*is_asked || r->bare)
		return;
	if (!r->opt_length)
		r->edns.options_length = 0;
	edns_set_option(&r->edns, EDNS_NSID, nsid->data, nsid->length);
}

extern const struct plugin plugin_nsid;

const struct plugin plugin_nsid = {
	.name = "nsid",
	.state_size = sizeof(bool),
	.setup = setup,
	.serve = serve,
	.reply = reply,
};
