/* bufsize: an upper limit for the UDP payload size of queries, so that replies are not fragmented on their
 * way. */
#include "svcdns/setup.h"

#define DEFAULT 1232 /* what DNS flag day 2020 agreed on */
#define LOWEST	512
#define HIGHEST 4096

struct bufsize { /* lifetime: configuration */
	int64_t size;
};

/* As CoreDNS, only the first directive counts, and whatever is wrong with it has the same message. */
static void *setup(struct setup *setup, struct error *error)
{
	struct bufsize *bufsize = arena_alloc(setup->arena, sizeof(*bufsize));
	struct error ignored;
	struct dispenser d;

	bufsize->size = DEFAULT;
	dispenser_init(&d, setup->directive, error);
	dispenser_next(&d);
	if (dispenser_argument(&d) && !integer_parse(dispenser_value(&d), &bufsize->size, &ignored))
		bufsize->size = 0;
	if (bufsize->size >= LOWEST && bufsize->size <= HIGHEST && !dispenser_arguments(&d))
		return bufsize;
	dispenser_wrong_count(&d);
	return NULL;
}

/* Lowered in the query itself too, which an upstream may get. */
static enum verdict serve(void *self, struct request *r)
{
	const struct bufsize *bufsize = self;

	if (r->edns.present && r->edns.payload > bufsize->size) {
		r->edns.payload = (uint16_t)bufsize->size;
		writer_put_u16_at(r->wire + r->edns.payload_at, r->edns.payload);
	}
	return VERDICT_NEXT;
}

extern const struct plugin plugin_bufsize;

const struct plugin plugin_bufsize = {.name = "bufsize", .setup = setup, .serve = serve};
