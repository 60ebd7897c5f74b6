/* SRV records and the addresses of their targets. Several candidates may lead to one record: the same target
 * and port, or the same target and address. Each is written once; what has been written is found by its
 * target in a hash table, so that a Service with many endpoints costs no more for each of them than one with
 * few. */
#include <string.h>

#include "kubernetes.h"
#include "svcdns/memory.h"

#define TARGETS_MAX 2048 /* more than 64 KiB can hold */
#define BUCKETS	    4096

/* Indices count from one; 0: none. */
struct target {
	uint16_t at, length; /* in the message */
	uint16_t next;	     /* in its bucket */
	uint16_t first_port, first_address;
};

struct target_port {
	int32_t number;
	uint16_t next; /* of the same target */
};

struct target_address {
	const uint8_t *address;
	uint8_t family;
	uint16_t target;
	uint16_t next; /* of the same target */
};

struct srv_scratch {
	uint16_t buckets[BUCKETS];
	struct target targets[TARGETS_MAX + 1];
	struct target_port ports[TARGETS_MAX + 1];
	struct target_address addresses[TARGETS_MAX + 1];
	uint16_t target_count, port_count, address_count;
};

struct srv_scratch *srv_scratch_create(void)
{
	return memory_zero(1, sizeof(struct srv_scratch));
}

void srv_scratch_destroy(struct srv_scratch *scratch)
{
	memory_free(scratch);
}

static uint16_t *bucket_of(struct srv_scratch *s, const uint8_t *octets, size_t length)
{
	uint32_t hash =
		2166136261u; /* FNV-1a: the octets are the cluster's own, nobody outside chooses them */

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ octets[i]) * 16777619u;
	return &s->buckets[hash % BUCKETS];
}

/* The target that was written last, or the same one written before. */
static uint16_t find_target(struct srv_scratch *s, const uint8_t *wire, size_t at, size_t length)
{
	uint16_t *bucket = bucket_of(s, wire + at, length);

	for (uint16_t i = *bucket; i; i = s->targets[i].next)
		if (s->targets[i].length == length && memcmp(wire + s->targets[i].at, wire + at, length) == 0)
			return i;
	s->targets[++s->target_count] = (struct target){(uint16_t)at, (uint16_t)length, *bucket, 0, 0};
	*bucket = s->target_count;
	return s->target_count;
}

/* False: the target has had this port already. */
static bool add_port(struct srv_scratch *s, struct target *target, int32_t number)
{
	for (uint16_t i = target->first_port; i; i = s->ports[i].next)
		if (s->ports[i].number == number)
			return false;
	s->ports[++s->port_count] = (struct target_port){number, target->first_port};
	target->first_port = s->port_count;
	return true;
}

static void add_address(struct srv_scratch *s, uint16_t target, const uint8_t *address, uint8_t family)
{
	size_t length = family == 4 ? 4 : 16;

	for (uint16_t i = s->targets[target].first_address; i; i = s->addresses[i].next)
		if (s->addresses[i].family == family && memcmp(s->addresses[i].address, address, length) == 0)
			return;
	s->addresses[++s->address_count] =
		(struct target_address){address, family, target, s->targets[target].first_address};
	s->targets[target].first_address = s->address_count;
}

static void open_record(const struct kubernetes *config, struct writer *w, uint16_t weight, int32_t port)
{
	writer_u16(w, WRITER_QUESTION);
	writer_open(w, SECTION_ANSWER, TYPE_SRV, CLASS_IN, config->ttl);
	writer_u16(w, 0);
	writer_u16(w, weight);
	writer_u16(w, (uint16_t)port);
}

/* False: there is no more room. */
static bool write_candidate(const struct kubernetes *config, struct srv_scratch *s, struct request *r,
	const struct found *found, const struct name *zone, const struct candidate *candidate,
	uint16_t weight)
{
	struct writer *w = &r->reply, before = *w;
	uint16_t target;
	size_t at;

	open_record(config, w, weight, candidate->port->number);
	at = w->length;
	write_service_labels(w, found->service, candidate->endpoint);
	copy_zone(r, zone);
	writer_close(w);
	if (w->overflow || s->port_count == TARGETS_MAX || s->address_count == TARGETS_MAX)
		return false;
	target = find_target(s, w->wire, at, w->length - at);
	if (!add_port(s, &s->targets[target], candidate->port->number))
		*w = before; /* a target that is new has no port: the record of another one goes */
	add_address(s, target, candidate->address, candidate->family);
	return true;
}

static void write_additional(const struct kubernetes *config, const struct srv_scratch *s, struct writer *w)
{
	for (uint16_t i = 1; i <= s->address_count && !w->overflow; i++) {
		const struct target_address *a = &s->addresses[i];

		if (s->targets[a->target].at < 0x4000)
			writer_pointer(w, s->targets[a->target].at);
		else
			writer_bytes(w, w->wire + s->targets[a->target].at, s->targets[a->target].length);
		writer_address(
			w, SECTION_ADDITIONAL, a->address, a->family == 4 ? 4 : 16, CLASS_IN, config->ttl);
	}
}

/* A hundred, shared by all candidates, those without a port included; one at least. */
static uint16_t weight_of(const struct found *found)
{
	struct candidates at = {0};
	struct candidate candidate;
	unsigned count = 0, weight;

	while (next_candidate(found, &at, &candidate))
		count++;
	weight = count > 1 ? 100 / count : 100;
	return (uint16_t)(weight ? weight : 1);
}

/* A Pod's name has the port 0, for whatever that is worth: CoreDNS answers so. */
static void write_pod_srv(const struct kubernetes *config, struct request *r, const struct found *found,
	const struct name *zone)
{
	struct writer *w = &r->reply;
	const struct parsed *name = found->name;
	size_t at;

	open_record(config, w, 100, 0);
	at = w->length;
	writer_label(w, name->service.octets, name->service.length);
	writer_label(w, name->namespace.octets, name->namespace.length);
	writer_label(w, "pod", 3);
	copy_zone(r, zone);
	writer_close(w);
	writer_pointer(w, at);
	writer_address(
		w, SECTION_ADDITIONAL, found->pod.bytes, ip_length(&found->pod), CLASS_IN, config->ttl);
}

void write_srv(const struct kubernetes *config, struct srv_scratch *s, struct request *r,
	const struct found *found, const struct name *zone)
{
	struct candidates at = {0};
	struct candidate candidate;
	uint16_t weight = weight_of(found);

	if (found->kind == FOUND_POD) {
		write_pod_srv(config, r, found, zone);
		return;
	}
	memset(s->buckets, 0, sizeof(s->buckets));
	s->target_count = s->port_count = s->address_count = 0;
	while (next_candidate(found, &at, &candidate))
		if (candidate.port->number != PORT_NONE &&
			!write_candidate(config, s, r, found, zone, &candidate, weight))
			break;
	write_additional(config, s, &r->reply);
}
