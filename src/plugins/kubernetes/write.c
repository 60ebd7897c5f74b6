/* From what was found to records. Names are written so that the zone's part shows the case of the question:
 * as pointers into it where the type allows that, else as copies of it. */
#include <string.h>

#include "kubernetes.h"

#define VERSION	    "1.1.0" /* of the Kubernetes DNS specification */
#define VERSION_TTL 28800
#define SOA_TTL_MAX 300

/* Where the zone's part of the question begins in the message. */
static size_t zone_at(const struct request *r, const struct name *zone)
{
	const struct name *name = &r->question.name;

	return (size_t)MESSAGE_HEADER + name->offset[name->labels - zone->labels];
}

/* A SOA record is most of a negative answer: it is copied as a whole, and then completed where it is not
 * always the same. Refresh 7200, retry 1800, expire 86400. */
#define SOA_OWNER   0
#define SOA_TTL	    6
#define SOA_MNAME   19 /* where the zone follows "ns.dns" */
#define SOA_RNAME   32 /* and "hostmaster" */
#define SOA_SERIAL  34
#define SOA_MINIMUM 50
static const uint8_t soa[54] = "\0\0"
			       "\0\6"
			       "\0\1"
			       "\0\0\0\0"
			       "\0\x2a"
			       "\2ns\3dns"
			       "\0\0"
			       "\12hostmaster"
			       "\0\0"
			       "\0\0\0\0"
			       "\0\0\x1c\x20"
			       "\0\0\x07\x08"
			       "\0\1\x51\x80"
			       "\0\0\0";

static void put_u32(uint8_t *at, uint32_t value)
{
	writer_put_u16_at(at, (uint16_t)(value >> 16));
	writer_put_u16_at(at + 2, (uint16_t)value);
}

void write_soa(const struct kubernetes *config, const struct snapshot *snapshot, struct request *r,
	const struct name *zone, enum section section)
{
	uint16_t pointer = (uint16_t)(0xC000 | zone_at(r, zone));
	struct writer *w = &r->reply;
	uint8_t *at = w->wire + w->length;

	writer_bytes(w, soa, sizeof(soa));
	if (w->overflow)
		return;
	w->count[section]++;
	writer_put_u16_at(at + SOA_OWNER, pointer);
	put_u32(at + SOA_TTL, config->ttl < SOA_TTL_MAX ? config->ttl : SOA_TTL_MAX);
	writer_put_u16_at(at + SOA_MNAME, pointer);
	writer_put_u16_at(at + SOA_RNAME, pointer);
	put_u32(at + SOA_SERIAL, snapshot_serial(snapshot));
	put_u32(at + SOA_MINIMUM, config->ttl);
}

/* NULL: the question's name. */
static void write_owner(struct writer *w, const struct name *owner)
{
	if (owner)
		writer_name_compressed(w, owner);
	else
		writer_u16(w, WRITER_QUESTION);
}

/* length: 4 or 16. */
static void write_address(const struct kubernetes *config, struct writer *w, const struct name *owner,
	const uint8_t *address, size_t length)
{
	write_owner(w, owner);
	writer_address(w, SECTION_ANSWER, address, length, CLASS_IN, config->ttl);
}

/* Whether a record has this address. The first, which ends at `second`, may have a longer owner than those
 * behind it, which point to that. */
static bool is_written(const struct writer *w, size_t second, const uint8_t *address, size_t length)
{
	for (size_t end = second; second && end <= w->length; end += 2 + WRITER_FIXED + length)
		if (memcmp(w->wire + end - length, address, length) == 0)
			return true;
	return false;
}

static bool write_pod(const struct kubernetes *config, struct request *r, const struct ip *pod, size_t length,
	const struct name *owner)
{
	if (ip_length(pod) != length)
		return false;
	write_address(config, &r->reply, owner, pod->bytes, length);
	return true;
}

static bool is_among(const struct cluster_ip *ip, uint32_t count, const uint8_t *address)
{
	while (count && memcmp(ip->address, address, sizeof(ip->address)) != 0)
		ip++, count--;
	return count;
}

/* Each once, whatever the Service's ports. */
static bool write_cluster_ips(const struct kubernetes *config, struct request *r,
	const struct service *service, size_t length, const struct name *owner)
{
	const struct cluster_ip *ip = service_cluster_ips(service);
	bool any = false;

	for (uint32_t i = 0; i < service->cluster_ips; i++) {
		if (ip[i].family != (length == 4 ? 4 : 6) || is_among(ip, i, ip[i].address))
			continue;
		write_address(config, &r->reply, owner, ip[i].address, length);
		any = true;
	}
	return any;
}

/* All of a Service's endpoints: each has a port, which fits a name that asks for none. */
static bool write_endpoints(const struct kubernetes *config, struct request *r, const struct service *service,
	size_t length, const struct name *owner)
{
	const struct endpoint *endpoints = service_endpoints(service);
	struct writer *w = &r->reply;
	bool any = false;

	for (uint32_t i = 0; i < service->endpoints && !w->overflow; i++) {
		if (endpoints[i].repeats || endpoints[i].family != (length == 4 ? 4 : 6))
			continue;
		write_address(config, w, owner, endpoints[i].address, length);
		any = true;
	}
	return any;
}

static bool asks_for_all(const struct found *found)
{
	return found->kind == FOUND_ENDPOINTS && !found->name->endpoint.length && !found->name->port.length &&
	       !found->name->protocol.length && !found->has_zone;
}

bool write_addresses(const struct kubernetes *config, struct request *r, const struct found *found,
	uint16_t type, const struct name *owner)
{
	struct writer *w = &r->reply;
	size_t length = type == TYPE_A ? 4 : 16, second = 0;
	uint8_t family = type == TYPE_A ? 4 : 6;
	const struct endpoint *last = NULL;
	struct candidates at = {0};
	struct candidate candidate;

	if (found->kind == FOUND_POD)
		return write_pod(config, r, &found->pod, length, owner);
	if (found->kind == FOUND_CLUSTER_IPS)
		return write_cluster_ips(config, r, found->service, length, owner);
	if (asks_for_all(found))
		return write_endpoints(config, r, found->service, length, owner);
	while (next_candidate(found, &at, &candidate)) {
		if (candidate.family != family || candidate.endpoint == last)
			continue; /* several of its ports fit */
		last = candidate.endpoint;
		if (last->repeats && is_written(w, second, candidate.address, length))
			continue;
		write_address(config, w, owner, candidate.address, length);
		second = second ? second : w->length;
		if (w->overflow)
			break;
	}
	return second;
}

/* What stands before the zone in the name of a Service, and of an endpoint of it. */
void write_service_labels(struct writer *w, const struct service *service, const struct endpoint *endpoint)
{
	uint8_t host[ENDPOINT_HOST_MAX];

	if (endpoint)
		writer_label(w, host, endpoint_host(service, endpoint, host));
	writer_label(w, text_of(service, service->name), service->name.length);
	writer_label(w, text_of(service, service->namespace), service->namespace.length);
	writer_label(w, "svc", 3);
}

/* The zone's part of the question, whole: RFC 2782 does not let SRV targets be compressed. */
void copy_zone(struct request *r, const struct name *zone)
{
	writer_bytes(&r->reply, r->wire + zone_at(r, zone), zone->length);
}

void write_version(struct request *r)
{
	struct writer *w = &r->reply;

	writer_u16(w, WRITER_QUESTION);
	writer_open(w, SECTION_ANSWER, TYPE_TXT, CLASS_IN, VERSION_TTL);
	writer_label(w, VERSION, strlen(VERSION));
	writer_close(w);
}

void write_cname(const struct kubernetes *config, struct request *r, const struct name *owner,
	const struct name *target)
{
	write_owner(&r->reply, owner);
	writer_open(&r->reply, SECTION_ANSWER, TYPE_CNAME, CLASS_IN, config->ttl);
	writer_name_compressed(&r->reply, target);
	writer_close(&r->reply);
}

/* Names of PTR records stand in the primary zone, whichever zone was asked. */
static void write_one_ptr(const struct kubernetes *config, struct request *r, const struct service *service,
	const struct endpoint *endpoint)
{
	struct writer *w = &r->reply;

	writer_u16(w, WRITER_QUESTION);
	writer_open(w, SECTION_ANSWER, TYPE_PTR, CLASS_IN, config->ttl);
	write_service_labels(w, service, endpoint);
	writer_bytes(w, config->primary->wire, config->primary->length);
	writer_close(w);
}

static bool is_hidden(
	const struct kubernetes *config, const struct snapshot *snapshot, const struct service *service)
{
	return config->has_namespaces &&
	       !snapshot_has_namespace(
		       snapshot, text_of(service, service->namespace), service->namespace.length);
}

static bool has_cluster_ip(const struct service *service, const struct ip *ip)
{
	for (uint32_t i = 0; i < service->cluster_ips; i++) {
		const struct cluster_ip *own = &service_cluster_ips(service)[i];

		if (own->family == ip->family && memcmp(own->address, ip->bytes, ip_length(ip)) == 0)
			return true;
	}
	return false;
}

/* Takes the last record back if its RDATA stands in an earlier one, all of which begin behind the question.
 */
static void drop_repeated(struct request *r, const struct writer *before)
{
	struct writer *w = &r->reply;
	size_t length = w->length - before->length;
	struct reader reader;
	struct record record;

	reader_init(&reader, w->wire, before->length, r->question.end);
	while (!w->overflow && reader_left(&reader) && reader_record(&reader, &record)) {
		if (record.end - record.begin == length &&
			memcmp(w->wire + record.begin, w->wire + before->length, length) == 0) {
			*w = *before;
			return;
		}
	}
}

static void write_endpoint_ptrs(const struct kubernetes *config, struct request *r,
	const struct service *service, const struct ip *ip)
{
	for (uint32_t i = 0; i < service->endpoints; i++) {
		const struct endpoint *endpoint = &service_endpoints(service)[i];
		struct writer before = r->reply;

		if (endpoint->family != ip->family ||
			memcmp(endpoint->address, ip->bytes, ip_length(ip)) != 0)
			continue;
		write_one_ptr(config, r, service, endpoint);
		drop_repeated(r, &before);
	}
}

/* The Service that has the address as its ClusterIP; if there is none, every endpoint that has it. */
bool write_ptr(const struct kubernetes *config, const struct snapshot *snapshot, struct request *r,
	const struct ip *ip)
{
	const struct service *service;
	uint64_t cursor = 0;

	while ((service = snapshot_by_address(snapshot, ip, &cursor))) {
		if (is_hidden(config, snapshot, service) || !has_cluster_ip(service, ip))
			continue;
		write_one_ptr(config, r, service, NULL);
		return true;
	}
	cursor = 0;
	while ((service = snapshot_by_address(snapshot, ip, &cursor)))
		if (!is_hidden(config, snapshot, service))
			write_endpoint_ptrs(config, r, service, ip);
	return r->reply.count[SECTION_ANSWER];
}

/* Calls visit() for every name and address under which this server itself is known: those of the Services
 * that it is an endpoint of, or its own addresses under ns.dns (service NULL) where there is no such Service.
 */
static void each_name_server(const struct kubernetes *config, const struct snapshot *snapshot, void *context,
	void (*visit)(void *context, const struct service *service, const struct endpoint *endpoint,
		const uint8_t *address, uint8_t family))
{
	bool found = false;

	for (size_t i = 0; i < config->local_count; i++) {
		const struct service *service;
		uint64_t cursor = 0;

		while ((service = snapshot_by_address(snapshot, &config->local[i], &cursor))) {
			if (has_cluster_ip(service, &config->local[i]))
				continue;
			found = true;
			for (uint32_t j = 0; service->kind == SERVICE_HEADLESS && j < service->endpoints;
				j++) {
				const struct endpoint *endpoint = &service_endpoints(service)[j];

				visit(context, service, endpoint, endpoint->address, endpoint->family);
			}
			for (uint32_t j = 0; service->kind == SERVICE_CLUSTER_IP && j < service->cluster_ips;
				j++) {
				const struct cluster_ip *ip = &service_cluster_ips(service)[j];

				visit(context, service, NULL, ip->address, ip->family);
			}
		}
	}
	for (size_t i = 0; !found && i < config->local_count; i++)
		visit(context, NULL, NULL, config->local[i].bytes, config->local[i].family);
}

struct ns_writer {
	const struct kubernetes *config;
	struct request *request;
	const struct name *zone;
	bool as_addresses; /* additional ones; otherwise NS records */
};

static void write_ns_name(
	struct ns_writer *ns, const struct service *service, const struct endpoint *endpoint)
{
	struct writer *w = &ns->request->reply;

	if (service) {
		write_service_labels(w, service, endpoint);
	} else {
		writer_label(w, "ns", 2);
		writer_label(w, "dns", 3);
	}
	writer_pointer(w, zone_at(ns->request, ns->zone));
}

static void write_one_ns(void *context, const struct service *service, const struct endpoint *endpoint,
	const uint8_t *address, uint8_t family)
{
	struct ns_writer *ns = context;
	struct writer *w = &ns->request->reply, before = *w;

	if (ns->as_addresses) {
		write_ns_name(ns, service, endpoint);
		writer_address(
			w, SECTION_ADDITIONAL, address, family == 4 ? 4 : 16, CLASS_IN, ns->config->ttl);
		return;
	}
	writer_u16(w, WRITER_QUESTION);
	writer_open(w, SECTION_ANSWER, TYPE_NS, CLASS_IN, ns->config->ttl);
	write_ns_name(ns, service, endpoint);
	writer_close(w);
	drop_repeated(ns->request, &before);
}

void write_ns(const struct kubernetes *config, const struct snapshot *snapshot, struct request *r,
	const struct name *zone)
{
	struct ns_writer ns = {config, r, zone, false};

	each_name_server(config, snapshot, &ns, write_one_ns);
	ns.as_addresses = true;
	each_name_server(config, snapshot, &ns, write_one_ns);
}

static void write_one_address(void *context, const struct service *service, const struct endpoint *endpoint,
	const uint8_t *address, uint8_t family)
{
	struct ns_writer *ns = context;
	struct writer *w = &ns->request->reply;

	(void)service;
	(void)endpoint;
	if (family != (ns->request->question.type == TYPE_A ? 4 : 6))
		return;
	writer_u16(w, WRITER_QUESTION);
	writer_address(w, SECTION_ANSWER, address, family == 4 ? 4 : 16, CLASS_IN, ns->config->ttl);
}

void write_ns_addresses(const struct kubernetes *config, const struct snapshot *snapshot, struct request *r)
{
	struct ns_writer ns = {config, r, NULL, false};

	each_name_server(config, snapshot, &ns, write_one_address);
}
