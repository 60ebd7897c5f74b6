/* local: answers what concerns the asking machine itself, so that it is asked nowhere else (RFC 6761
 * section 6.3).
 *
 * Every name in its zones is answered; the few that exist are told apart by what they have. */
#include <string.h>

#include "svcdns/log.h"
#include "svcdns/metrics.h"
#include "svcdns/setup.h"
#include "svcdns/worker.h"

#define TTL	       604800
#define LOCALHOST      "\11localhost" /* as a name in wire form, its NUL being the root */
#define LOCALHOST_ZONE 0	      /* of zone_texts */

enum { HAS_ADDRESSES = 1, HAS_POINTER = 2, IS_APEX = 4 };

struct local { /* lifetime: configuration */
	struct zones zones;
	struct name loopback;
	bool has_prefix;       /* localhost_prefix on */
	struct cell *requests; /* for "localhost.example.org" and the like */
};

static const struct metric_family requests = {
	.name = "coredns_local_localhost_requests_total",
	.help = "Counter of special localhost subdomain requests.",
};
static const struct metric_family *const families[] = {&requests, NULL};

static const char *const zone_texts[] = {
	"localhost.", "0.in-addr.arpa.", "127.in-addr.arpa.", "255.in-addr.arpa."};
static const uint8_t loopback4[4] = {127, 0, 0, 1}, loopback6[16] = {[15] = 1};

static bool parse_prefix(void *config, struct setup *setup, struct dispenser *d)
{
	struct local *local = config;
	const char *value;

	(void)setup;
	if (dispenser_arguments(d) != 1 || !dispenser_argument(d))
		return dispenser_wrong_count(d);
	value = dispenser_value(d);
	local->has_prefix = strcmp(value, "on") == 0;
	return local->has_prefix || strcmp(value, "off") == 0 ||
	       dispenser_error(d, "localhost_prefix expects 'on' or 'off', got \"%s\"", value);
}

static const struct option options[] = {
	{.name = "localhost_prefix", .type = OPTION_CALL, .parse = parse_prefix},
	{.name = NULL},
};

static bool read_directive(struct local *local, struct setup *setup, struct dispenser *d)
{
	return dispenser_arguments(d) ? dispenser_wrong_count(d) : options_parse(options, local, setup, d);
}

static void *setup(struct setup *setup, struct error *error)
{
	struct local *local = arena_alloc(setup->arena, sizeof(*local));
	struct dispenser d;

	local->has_prefix = true;
	local->requests = metrics_cells(setup->metrics, 0, &requests, NULL);
	for (size_t i = 0; i < ARRAY_LENGTH(zone_texts); i++)
		zones_add(&local->zones, setup->arena, zone_texts[i]);
	name_from_text("1.0.0.127.in-addr.arpa.", &local->loopback);
	dispenser_init(&d, setup->directive, error);
	while (dispenser_next(&d))
		if (!read_directive(local, setup, &d))
			return NULL;
	return local;
}

/* "localhost.example.org": what a stub resolver makes of "localhost" with its search list. */
static bool is_prefixed(const struct local *local, const struct name *name)
{
	uint8_t length;
	const uint8_t *label;

	if (!local->has_prefix || name->labels < 2)
		return false;
	label = name_label(name, 0, &length);
	return length == strlen("localhost") && memcmp(label, "localhost", length) == 0;
}

/* What a name has; nothing: it does not exist. */
static unsigned look_up(const struct local *local, const struct name *name, const struct name *zone)
{
	unsigned found = zone && name->labels == zone->labels ? IS_APEX : 0;

	if (!zone || zone == &local->zones.names[LOCALHOST_ZONE])
		found |= HAS_ADDRESSES;
	if (name_equal(name, &local->loopback))
		found |= HAS_POINTER;
	return found;
}

static void write_address(struct request *r, const uint8_t *address, size_t length)
{
	writer_u16(&r->reply, WRITER_QUESTION);
	writer_address(&r->reply, SECTION_ANSWER, address, length, CLASS_IN, TTL);
}

static void write_name(struct request *r)
{
	struct writer *w = &r->reply;

	writer_u16(w, WRITER_QUESTION);
	writer_open(w, SECTION_ANSWER, r->question.type, CLASS_IN, TTL);
	writer_bytes(w, LOCALHOST, sizeof(LOCALHOST));
	writer_close(w);
}

static void write_soa(struct request *r, enum section section, size_t owner)
{
	struct writer *w = &r->reply;

	writer_pointer(w, owner);
	writer_open(w, section, TYPE_SOA, CLASS_IN, TTL);
	writer_bytes(w, LOCALHOST, sizeof(LOCALHOST));
	writer_bytes(w, "\4root" LOCALHOST, sizeof("\4root" LOCALHOST));
	writer_u32(w, 1); /* serial */
	writer_u32(w, 0);
	writer_u32(w, 0);
	writer_u32(w, 0);
	writer_u32(w, TTL); /* of denials */
	writer_close(w);
}

static void write_answer(struct request *r, unsigned found)
{
	uint16_t type = r->question.type;

	if (type == TYPE_A && found & HAS_ADDRESSES)
		write_address(r, loopback4, sizeof(loopback4));
	else if (type == TYPE_AAAA && found & HAS_ADDRESSES)
		write_address(r, loopback6, sizeof(loopback6));
	else if ((type == TYPE_PTR && found & HAS_POINTER) || (type == TYPE_NS && found & IS_APEX))
		write_name(r);
	else if (type == TYPE_SOA && found & IS_APEX)
		write_soa(r, SECTION_ANSWER, MESSAGE_HEADER);
}

/* zone: NULL for a prefixed name, which is a zone of its own, as names below "localhost" are. */
static enum verdict answer(struct request *r, unsigned found, const struct name *zone)
{
	const struct name *name = &r->question.name;
	size_t owner = MESSAGE_HEADER;

	request_reply(r, found ? RCODE_NOERROR : RCODE_NXDOMAIN, 0);
	write_answer(r, found);
	if (!(found & (HAS_ADDRESSES | IS_APEX)))
		owner += name->offset[name->labels - zone->labels];
	if (!r->reply.count[SECTION_ANSWER])
		write_soa(r, SECTION_AUTHORITY, owner);
	return VERDICT_ANSWERED;
}

/* Tells which client looks for itself in the wrong place. */
static void log_query(const struct request *r)
{
	char name[NAME_TEXT_MAX], type[TYPE_TEXT_MAX], client[ADDRESS_TEXT_MAX];
	struct ip ip;

	name_to_text(&r->question.name, name);
	type_text(r->question.type, type);
	address_ip(&r->client, &ip);
	ip_text(&ip, client);
	log_line(LOG_DEBUG, "plugin/local", "Intercepting localhost query for \"%s\" %s, from %s", name, type,
		client);
}

static enum verdict serve(void *self, struct request *r)
{
	const struct local *local = self;
	const struct name *name = &r->question.name, *zone = NULL;
	unsigned found;

	if (!is_prefixed(local, name)) {
		zone = zones_match(&local->zones, name);
		if (!zone)
			return VERDICT_NEXT;
	}
	found = look_up(local, name, zone);
	if (found == HAS_ADDRESSES) {
		cell_add(cell_of_worker(local->requests, r->worker->index), 1);
		if (log_is_debug())
			log_query(r);
	}
	return answer(r, found, zone);
}

extern const struct plugin plugin_local;

const struct plugin plugin_local = {.name = "local", .families = families, .setup = setup, .serve = serve};
