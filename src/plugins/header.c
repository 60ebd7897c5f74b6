/* header: sets and clears flags, of queries on their way down and of replies on their way up.
 *
 * Rules are applied in their order, so that of two the later one counts: what they come to is known at the
 * start. */
#include <strings.h>

#include "svcdns/setup.h"

struct change { /* no flag is in both */
	uint16_t clear, set;
};

struct header { /* lifetime: configuration */
	struct change query, response;
};

static const struct {
	const char *name;
	uint16_t flag;
} flags[] = {{"aa", FLAG_AA}, {"ra", FLAG_RA}, {"rd", FLAG_RD}};

static bool is(const struct dispenser *d, const char *word)
{
	return strcasecmp(dispenser_value(d), word) == 0;
}

static void add(struct change *change, uint16_t flag, bool on)
{
	change->set = (uint16_t)(on ? change->set | flag : change->set & ~flag);
	change->clear = (uint16_t)(on ? change->clear & ~flag : change->clear | flag);
}

static bool read_flag(struct change *change, bool on, struct dispenser *d)
{
	for (size_t i = 0; i < ARRAY_LENGTH(flags); i++) {
		if (is(d, flags[i].name)) {
			add(change, flags[i].flag, on);
			return true;
		}
	}
	return dispenser_error(d, "setting up rule: unknown/unsupported flag=%s", dispenser_value(d));
}

/* set|clear FLAG... */
static bool read_flags(struct change *change, struct dispenser *d)
{
	bool on;

	if (!dispenser_argument(d))
		return dispenser_error(d, "setting up rule: no flag action provided");
	if (!dispenser_arguments(d))
		return dispenser_error(
			d, "setting up rule: invalid length for flags, at least one should be provided");
	on = is(d, "set");
	if (!on && !is(d, "clear"))
		return dispenser_error(d, "setting up rule: unknown flag action=%s, should be set or clear",
			dispenser_value(d));
	while (dispenser_argument(d))
		if (!read_flag(change, on, d))
			return false;
	return true;
}

/* query|response set|clear FLAG... */
static bool read_rule(struct header *header, struct dispenser *d)
{
	if (is(d, "query"))
		return read_flags(&header->query, d);
	if (is(d, "response"))
		return read_flags(&header->response, d);
	return dispenser_error(
		d, "setting up rule: invalid selector=%s should be query or response", dispenser_value(d));
}

/* The first block with rules is the one that counts. */
static void *setup(struct setup *setup, struct error *error)
{
	struct header *header = arena_alloc(setup->arena, sizeof(*header));
	bool has_rules = false;
	struct dispenser d;

	dispenser_init(&d, setup->directive, error);
	while (!has_rules && dispenser_next(&d)) {
		while (dispenser_block(&d)) {
			if (!read_rule(header, &d))
				return NULL;
			has_rules = true;
		}
	}
	if (has_rules)
		return header;
	dispenser_argument_error(&d);
	return NULL;
}

static enum verdict serve(void *self, struct request *r)
{
	const struct header *header = self;

	request_change_flags(r, header->query.clear, header->query.set);
	return VERDICT_NEXT;
}

/* What no plugin answered is a matter between the server and the client, as in CoreDNS. */
static void reply(void *self, struct request *r)
{
	const struct header *header = self;

	if (!r->bare)
		r->reply_flags =
			(uint16_t)((r->reply_flags & ~header->response.clear) | header->response.set);
}

extern const struct plugin plugin_header;

const struct plugin plugin_header = {
	.name = "header", .passes_on = true, .setup = setup, .serve = serve, .reply = reply};
