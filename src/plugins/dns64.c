/* dns64: IPv6 addresses for names that have none, so that a NAT64 gateway reaches them (RFC 6147, RFC 6052).
 *
 * The answer to the AAAA question comes up as it is. Where it has no address, A is asked of the whole server,
 * and what comes back is written over it. */
#include <string.h>

#include "svcdns/metrics.h"
#include "svcdns/router.h"
#include "svcdns/setup.h"
#include "svcdns/worker.h"

#define TTL_WITHOUT_SOA 600 /* RFC 6147 section 5.1.7 */
#define UNUSED_OCTET	8   /* bits 64 to 71 are zero (RFC 6052 section 2.2) */
#define BITS_MIN	32
#define BITS_MAX	96

struct dns64 { /* lifetime: configuration */
	struct prefix prefix;
	bool translate_all, allow_ipv4;
	const struct setup *setup;
	struct cell **translated; /* for each site of the block */
};

static const struct metric_family translated = {
	.name = "coredns_dns64_requests_translated_total",
	.help = "Counter of DNS requests translated by dns64.",
	.labels = {{.name = "server"}},
};
static const struct metric_family *const families[] = {&translated, NULL};

/* RFC 6147 section 5.1: questions for AAAA of class IN. */
static bool is_wanted(const struct dns64 *dns64, const struct request *r)
{
	struct ip client;

	if (r->question.type != TYPE_AAAA || r->question.class != CLASS_IN || r->flags & FLAG_OPCODE)
		return false;
	address_ip(&r->client, &client);
	return dns64->allow_ipv4 || client.family == 6;
}

static bool has_address(const struct request *r)
{
	unsigned records = r->reply.count[SECTION_ANSWER];
	struct reader reader;
	struct record record;

	reader_init(&reader, r->wire, r->reply.length, r->question.end);
	while (records-- && reader_record(&reader, &record))
		if (record.type == TYPE_AAAA)
			return true;
	return reader.failed;
}

/* RFC 6147 section 5.1.2: a name that does not exist stays so; other errors count as an empty answer, unless
 * they are our own. What was cut off is asked again over TCP first. */
static bool needs_synthesis(const struct dns64 *dns64, const struct request *r)
{
	if (r->bare || r->rcode == RCODE_NXDOMAIN || r->reply_flags & FLAG_TC)
		return false;
	return dns64->translate_all || !has_address(r);
}

/* No synthesized address lives longer than the denial of a real one (RFC 6147 section 5.1.7). */
static uint32_t denial_ttl(const struct request *r)
{
	unsigned answers = r->reply.count[SECTION_ANSWER], records = r->reply.count[SECTION_AUTHORITY];
	struct reader reader;
	struct record record;

	reader_init(&reader, r->wire, r->reply.length, r->question.end);
	while (answers-- && reader_record(&reader, &record))
		;
	while (records-- && reader_record(&reader, &record))
		if (record.type == TYPE_SOA)
			return record.ttl;
	return TTL_WITHOUT_SOA;
}

/* RFC 6052 section 2.2. */
static void embed(const struct prefix *prefix, const uint8_t ipv4[4], uint8_t ret_ipv6[16])
{
	size_t at = prefix->bits / 8;

	memcpy(ret_ipv6, prefix->ip.bytes, 16);
	for (size_t i = 0; i < 4; i++) {
		at += at == UNUSED_OCTET;
		ret_ipv6[at++] = ipv4[i];
	}
}

static void write_address(const struct dns64 *dns64, struct writer *w, const uint8_t *wire,
	const struct record *record, uint32_t ttl_max)
{
	uint8_t address[16];

	if (record->end - record->rdata != 4)
		return;
	embed(&dns64->prefix, wire + record->rdata, address);
	writer_name_compressed(w, &record->owner);
	writer_address(w, SECTION_ANSWER, address, sizeof(address), record->class,
		record->ttl < ttl_max ? record->ttl : ttl_max);
}

/* The answer for A, with the addresses translated: an empty one and an error included (RFC 6147 section
 * 5.1.6). All else is passed on as it is (sections 5.3.2 and 5.3.3). */
static void synthesize(const struct dns64 *dns64, struct request *r, const struct request *child)
{
	uint32_t ttl_max = denial_ttl(r);
	struct reader reader;
	struct record record;

	if (child->bare) {
		request_fail(r, child->rcode, "%s", child->error);
	} else {
		request_reply(r, child->rcode, child->reply_flags & FLAG_TC);
		r->error[0] = '\0';
	}
	r->extended_error = child->extended_error;
	r->extended_error_code = child->extended_error_code;
	reader_init(&reader, child->wire, child->reply.length, child->question.end);
	for (enum section section = SECTION_ANSWER; section <= SECTION_ADDITIONAL; section++)
		for (unsigned i = child->reply.count[section]; i && reader_record(&reader, &record); i--) {
			if (section == SECTION_ANSWER && record.type == TYPE_A)
				write_address(dns64, &r->reply, child->wire, &record, ttl_max);
			else
				writer_record(&r->reply, section, child->wire, child->reply.length, &record);
		}
}

static enum verdict resume(void *self, struct request *r, struct request *child)
{
	const struct dns64 *dns64 = self;

	if (!child->bare)
		cell_add(cell_of_worker(dns64->translated[r->route->site], r->worker->index), 1);
	synthesize(dns64, r, child);
	request_release(child);
	return VERDICT_ANSWERED;
}

static enum verdict amend(void *self, struct request *r)
{
	struct request *child;
	struct name name;

	if (!is_wanted(self, r) || !needs_synthesis(self, r) ||
		!name_from_wire(r->wire + MESSAGE_HEADER, r->question.name.length, &name))
		return VERDICT_ANSWERED;
	child = request_child(r, &name, TYPE_A);
	if (!child)
		return VERDICT_ANSWERED;
	if (request_ask_server(child) == VERDICT_PENDING)
		return VERDICT_PENDING;
	return resume(self, r, child);
}

static enum verdict serve(void *self, struct request *r)
{
	(void)self;
	(void)r;
	return VERDICT_NEXT;
}

/* The word on which the dispenser stands. RFC 6052 knows six lengths; CoreDNS takes all whole octets between
 * the least and the greatest of them. */
static bool read_prefix(struct dns64 *dns64, struct dispenser *d)
{
	struct prefix *prefix = &dns64->prefix;
	char text[PREFIX_TEXT_MAX];

	if (!prefix_parse(dispenser_value(d), prefix))
		return dispenser_error(d, "invalid CIDR address: %s", dispenser_value(d));
	prefix_text(prefix, text);
	if (prefix->ip.family != 6)
		return dispenser_error(d, "invalid netmask 32 IPv6 address: \"%s\"", text);
	if (prefix->bits % 8 || prefix->bits < BITS_MIN || prefix->bits > BITS_MAX)
		return dispenser_error(d, "invalid prefix length \"%s\"", text);
	return true;
}

static bool parse_prefix(void *config, struct setup *setup, struct dispenser *d)
{
	(void)setup;
	if (dispenser_arguments(d) != 1)
		return dispenser_argument_error(d);
	return dispenser_argument(d) && read_prefix(config, d);
}

static const struct option options[] = {
	{.name = "prefix", .type = OPTION_CALL, .parse = parse_prefix},
	{.name = "translate_all", .type = OPTION_FLAG, .offset = offsetof(struct dns64, translate_all)},
	{.name = "allow_ipv4", .type = OPTION_FLAG, .offset = offsetof(struct dns64, allow_ipv4)},
	{.name = NULL},
};

static bool read_directive(struct dns64 *dns64, struct setup *setup, struct dispenser *d)
{
	if (dispenser_argument(d) && !read_prefix(dns64, d))
		return false;
	if (dispenser_argument(d))
		return dispenser_argument_error(d);
	return options_parse(options, dns64, setup, d);
}

static void *setup(struct setup *setup, struct error *error)
{
	struct dns64 *dns64 = arena_alloc(setup->arena, sizeof(*dns64));
	struct dispenser d;

	dns64->setup = setup;
	prefix_parse("64:ff9b::/96", &dns64->prefix); /* the well-known one, RFC 6052 section 2.1 */
	dispenser_init(&d, setup->directive, error);
	while (dispenser_next(&d))
		if (!read_directive(dns64, setup, &d))
			return NULL;
	return dns64;
}

static bool open_counts(void *config, struct error *error)
{
	struct dns64 *dns64 = config;

	(void)error;
	dns64->translated = setup_cells(dns64->setup, &translated, NULL);
	return true;
}

extern const struct plugin plugin_dns64;

const struct plugin plugin_dns64 = {
	.name = "dns64",
	.families = families,
	.setup = setup,
	.open = open_counts,
	.serve = serve,
	.amend = amend,
	.resume = resume,
};
