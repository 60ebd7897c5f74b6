/* minimal: answers go out without authority and additional records, where they are answers. */
#include "svcdns/setup.h"

static void *setup(struct setup *setup, struct error *error)
{
	struct dispenser d;

	dispenser_init(&d, setup->directive, error);
	return dispenser_next(&d) && setup_bare(&d) ? setup : NULL;
}

static enum verdict serve(void *self, struct request *r)
{
	(void)self;
	(void)r;
	return VERDICT_NEXT;
}

/* The OPT record of an upstream's reply is an additional record too: its options go with it. */
static void drop_upstream_options(struct request *r)
{
	if (!r->opt_length)
		return;
	r->edns.options_length = 0;
	r->opt_length = 0;
}

/* Denials need their SOA record, delegations their NS records; what was cut off is cut off further later. */
static void reply(void *self, struct request *r)
{
	struct writer *w = &r->reply;
	const uint16_t answers[3] = {w->count[SECTION_ANSWER]};

	(void)self;
	if (r->bare || w->overflow || request_reply_kind(r) != REPLY_SUCCESS)
		return;
	w->length = message_cut(w->wire, w->length, w->length, answers, w->count);
	w->names = 0;
	drop_upstream_options(r);
}

extern const struct plugin plugin_minimal;

const struct plugin plugin_minimal = {
	.name = "minimal", .passes_on = true, .setup = setup, .serve = serve, .reply = reply};
