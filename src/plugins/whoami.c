/* whoami: tells a client its own address and port. For trying things out. */
#include "svcdns/setup.h"

static void *setup(struct setup *setup, struct error *error)
{
	struct dispenser d;

	dispenser_init(&d, setup->directive, error);
	return dispenser_next(&d) && setup_bare(&d) ? setup : NULL;
}

/* The address as a record at the question's name, the port as an SRV record at _udp. or _tcp. before it. */
static enum verdict serve(void *self, struct request *r)
{
	struct writer *w = &r->reply;
	struct ip ip;

	(void)self;
	request_reply(r, RCODE_NOERROR, FLAG_AA);
	address_ip(&r->client, &ip);
	writer_u16(w, WRITER_QUESTION);
	writer_address(w, SECTION_ADDITIONAL, ip.bytes, ip_length(&ip), r->question.class, 0);
	writer_label(w, r->transport == TRANSPORT_TCP ? "_tcp" : "_udp", 4);
	writer_u16(w, WRITER_QUESTION);
	writer_open(w, SECTION_ADDITIONAL, TYPE_SRV, r->question.class, 0);
	writer_u32(w, 0);
	writer_u16(w, address_port(&r->client));
	writer_u8(w, 0);
	writer_close(w);
	return VERDICT_ANSWERED;
}

extern const struct plugin plugin_whoami;

const struct plugin plugin_whoami = {.name = "whoami", .setup = setup, .serve = serve};
