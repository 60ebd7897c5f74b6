/* any: one short record for who asks for all types (RFC 8482 section 4.2). */
#include <string.h>

#include "svcdns/setup.h"

#define TTL 8482
#define CPU "ANY obsoleted"
#define OS  "See RFC 8482"

static void *setup(struct setup *setup, struct error *error)
{
	struct dispenser d;

	dispenser_init(&d, setup->directive, error);
	return dispenser_next(&d) && setup_bare(&d) ? setup : NULL;
}

static enum verdict serve(void *self, struct request *r)
{
	struct writer *w = &r->reply;

	(void)self;
	if (r->question.type != TYPE_ANY)
		return VERDICT_NEXT;
	request_reply(r, RCODE_NOERROR, 0);
	writer_u16(w, WRITER_QUESTION);
	writer_open(w, SECTION_ANSWER, TYPE_HINFO, CLASS_IN, TTL);
	writer_label(w, CPU, strlen(CPU));
	writer_label(w, OS, strlen(OS));
	writer_close(w);
	return VERDICT_ANSWERED;
}

extern const struct plugin plugin_any;

const struct plugin plugin_any = {.name = "any", .setup = setup, .serve = serve};
