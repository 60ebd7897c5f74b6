/* Joins a Service and its EndpointSlices to one block: header, ports, lists of ports, ClusterIPs, texts,
 * endpoints. What most answers are made of stands together, at the beginning. The texts of an object are
 * copied as a whole, so that what refers to them only moves by one distance. EndpointSlices that declare the
 * same ports share one list of them; most Services have a single list. Invariant: the block is determined by
 * the objects, padding included, so that it can be compared as octets. */
#include "schema.h"

#include <string.h>

#include "svcdns/hash.h"
#include "svcdns/memory.h"
#include "svcdns/name.h"

#define LISTS_MAX UINT16_MAX	      /* different lists of ports in one Service */
#define BLOCK_MAX (UINT32_C(1) << 30) /* octets of a block */

struct part { /* an EndpointSlice that goes into the block */
	const struct object *slice;
	uint16_t list; /* its list of ports */
	bool has_own_list;
};

struct plan {
	const struct object *service; /* NULL: there are only slices */
	struct part *parts;
	uint32_t part_count, lists, ports, service_ports, endpoints;
	uint64_t texts;	      /* octets */
	struct name external; /* length 0: none, or not a name */
};

/* An object without ports has one without a number. */
static uint32_t ports_of(const struct object *object)
{
	return object->ports ? object->ports : 1;
}

/* The list that a slice shares with an earlier part, or a new one. */
static void choose_list(struct plan *plan, struct part *part)
{
	for (uint32_t i = 0; i < plan->part_count; i++)
		if (plan->parts[i].has_own_list && object_same_ports(plan->parts[i].slice, part->slice)) {
			part->list = plan->parts[i].list;
			return;
		}
	part->has_own_list = true;
	part->list = (uint16_t)plan->lists++;
	plan->ports += ports_of(part->slice);
}

static uint64_t texts_of(const struct object *object)
{
	return object->size - object->text_at;
}

static bool has_room(const struct plan *plan, const struct object *slice)
{
	uint64_t more = slice->size + sizeof(struct port);
	uint64_t size =
		plan->texts + plan->endpoints * sizeof(struct endpoint) + plan->ports * sizeof(struct port);

	return plan->lists < LISTS_MAX && size + more < BLOCK_MAX;
}

static void add_part(struct plan *plan, const struct object *slice)
{
	struct part *part = &plan->parts[plan->part_count];

	if (!slice->endpoints || !has_room(plan, slice))
		return;
	*part = (struct part){.slice = slice};
	choose_list(plan, part);
	plan->part_count++;
	plan->endpoints += slice->endpoints;
	plan->texts += texts_of(slice);
}

static void plan_external(struct plan *plan)
{
	const struct object *service = plan->service;
	char text[UINT8_MAX + 1];

	if (service->service_kind != SERVICE_EXTERNAL_NAME)
		return;
	memcpy(text, text_of(service, service->external_name), service->external_name.length);
	text[service->external_name.length] = '\0';
	if (!name_from_text(text, &plan->external))
		plan->external.length = 0;
	plan->texts += plan->external.length;
}

static void make_plan(struct plan *plan, const struct entity *entity)
{
	size_t slices = 0;

	*plan = (struct plan){.service = entity->object ? &entity->object->object : NULL};
	if (plan->service) {
		plan->service_ports = plan->ports = ports_of(plan->service);
		plan->texts = texts_of(plan->service);
		plan_external(plan);
	}
	for (const struct stored *slice = entity->slices; slice; slice = slice->next_slice)
		slices++;
	plan->parts = memory_alloc(slices * sizeof(plan->parts[0]));
	for (const struct stored *slice = entity->slices; slice; slice = slice->next_slice)
		add_part(plan, &slice->object);
}

static uint32_t aligned(uint32_t at)
{
	const uint32_t alignment = _Alignof(struct endpoint);

	return (at + alignment - 1) / alignment * alignment;
}

static struct service *allocate(const struct plan *plan)
{
	uint32_t cluster_ips = plan->service ? plan->service->addresses : 0;
	uint32_t cluster_ip_at = sizeof(struct service);
	uint32_t text_at = cluster_ip_at + cluster_ips * (uint32_t)sizeof(struct cluster_ip);
	uint32_t port_at = aligned(text_at + (uint32_t)plan->texts);
	uint32_t slice_at = port_at + plan->ports * (uint32_t)sizeof(struct port);
	uint32_t endpoint_at = slice_at + plan->lists * (uint32_t)sizeof(struct slice);
	uint32_t size = endpoint_at + plan->endpoints * (uint32_t)sizeof(struct endpoint);
	struct service *service = memory_zero(1, size);

	shared_init(&service->shared);
	service->size = size;
	service->cluster_ips = cluster_ips;
	service->ports = plan->ports;
	service->service_ports = plan->service_ports;
	service->slices = plan->lists;
	service->endpoints = plan->endpoints;
	service->cluster_ip_at = cluster_ip_at;
	service->port_at = port_at;
	service->slice_at = slice_at;
	service->endpoint_at = endpoint_at;
	return service;
}

struct fill { /* where the next of each goes */
	struct service *service;
	struct port *port;
	struct slice *slice;
	struct endpoint *endpoint;
	uint32_t text;
};

/* Copies an object's texts; returns where they are. */
static uint32_t put_texts(struct fill *fill, const struct object *object)
{
	uint32_t at = fill->text;

	memcpy((uint8_t *)fill->service + at, (const uint8_t *)object + object->text_at, texts_of(object));
	fill->text += (uint32_t)texts_of(object);
	return at;
}

/* A text of an object whose texts now begin at texts_at. */
static void move_text(struct text *to, struct text from, const struct object *object, uint32_t texts_at)
{
	to->offset = from.length ? from.offset - object->text_at + texts_at : 0;
	to->length = from.length;
}

static void put_ports(struct fill *fill, const struct object *object, uint32_t texts_at)
{
	const struct port *from = object_ports(object);

	if (!object->ports)
		(fill->port++)->number = PORT_NONE;
	for (uint32_t i = 0; i < object->ports; i++, fill->port++) {
		fill->port->number = from[i].number;
		move_text(&fill->port->name, from[i].name, object, texts_at);
		move_text(&fill->port->protocol, from[i].protocol, object, texts_at);
	}
}

static void put_endpoints(struct fill *fill, const struct part *part, uint32_t texts_at)
{
	const struct endpoint *from = object_endpoints(part->slice);

	for (uint32_t i = 0; i < part->slice->endpoints; i++, fill->endpoint++) {
		memcpy(fill->endpoint->address, from[i].address, sizeof(from[i].address));
		fill->endpoint->family = from[i].family;
		fill->endpoint->slice = part->list;
		move_text(&fill->endpoint->host, from[i].host, part->slice, texts_at);
		move_text(&fill->endpoint->zone, from[i].zone, part->slice, texts_at);
	}
}

static void put_part(struct fill *fill, const struct part *part)
{
	const struct port *first = service_ports(fill->service);
	uint32_t texts_at = put_texts(fill, part->slice);

	put_endpoints(fill, part, texts_at);
	if (!part->has_own_list)
		return;
	fill->slice->first_port = (uint32_t)(fill->port - first);
	fill->slice->ports = ports_of(part->slice);
	fill->slice++;
	put_ports(fill, part->slice, texts_at);
}

static bool is_address(const struct object *object, struct text text)
{
	struct ip ip;

	return ip_parse_n((const char *)text_of(object, text), text.length, &ip);
}

static void put_service(struct fill *fill, const struct plan *plan)
{
	struct service *service = fill->service;
	const struct object *object = plan->service;
	uint32_t texts_at = put_texts(fill, object);

	service->kind = (enum service_kind)object->service_kind;
	move_text(&service->name, object->name, object, texts_at);
	move_text(&service->namespace, object->namespace, object, texts_at);
	memcpy((uint8_t *)service + service->cluster_ip_at, object_addresses(object),
		object->addresses * sizeof(struct cluster_ip));
	put_ports(fill, object, texts_at);
	if (service->kind != SERVICE_EXTERNAL_NAME)
		return;
	service->external_is_address = is_address(object, object->external_name);
	service->external_name.offset = fill->text;
	service->external_name.length = plan->external.length;
	memcpy((uint8_t *)service + fill->text, plan->external.wire, plan->external.length);
	fill->text += plan->external.length;
}

/* Slices without a Service: the first tells their names. It is the first whose texts are put, too. */
static void name_absent(struct fill *fill, const struct object *slice)
{
	fill->service->kind = SERVICE_ABSENT;
	move_text(&fill->service->name, slice->service_name, slice, fill->text);
	move_text(&fill->service->namespace, slice->namespace, slice, fill->text);
}

/* The place of an endpoint's address in a table of indices + 1; where another endpoint with it stands, or
 * none. */
static uint32_t *find_seen(
	const struct service *service, uint32_t *seen, uint32_t mask, const struct endpoint *endpoint)
{
	static const struct hash_key
		fixed; /* the table lives as long as its building, and a bad one costs that some time */
	const struct endpoint *endpoints = service_endpoints(service);
	uint32_t at = (uint32_t)hash_bytes(&fixed, endpoint->address, sizeof(endpoint->address)) & mask;

	while (seen[at] && (endpoints[seen[at] - 1].family != endpoint->family ||
				   memcmp(endpoints[seen[at] - 1].address, endpoint->address,
					   sizeof(endpoint->address)) != 0))
		at = (at + 1) & mask;
	return &seen[at];
}

/* So that nobody who writes the addresses has to look for doubles. */
static void mark_repeats(struct service *service)
{
	struct endpoint *endpoint = (struct endpoint *)(void *)((uint8_t *)service + service->endpoint_at);
	uint32_t mask = 1, *seen;

	while (mask < 2 * service->endpoints)
		mask = mask * 2 + 1;
	seen = memory_zero(mask + 1U, sizeof(*seen));
	for (uint32_t i = 0; i < service->endpoints; i++) {
		uint32_t *place = find_seen(service, seen, mask, &endpoint[i]);

		endpoint[i].repeats = *place;
		if (!*place)
			*place = i + 1;
	}
	memory_free(seen);
}

static struct service *build(const struct plan *plan)
{
	struct service *service = allocate(plan);
	struct fill fill = {.service = service};

	fill.port = (struct port *)(void *)((uint8_t *)service + service->port_at);
	fill.slice = (struct slice *)(void *)((uint8_t *)service + service->slice_at);
	fill.endpoint = (struct endpoint *)(void *)((uint8_t *)service + service->endpoint_at);
	fill.text = service->cluster_ip_at + service->cluster_ips * (uint32_t)sizeof(struct cluster_ip);
	if (plan->service)
		put_service(&fill, plan);
	else
		name_absent(&fill, plan->parts[0].slice);
	for (uint32_t i = 0; i < plan->part_count; i++)
		put_part(&fill, &plan->parts[i]);
	assert(aligned(fill.text) == service->port_at);
	mark_repeats(service);
	return service;
}

struct service *schema_service(const struct entity *entity, const struct table *table)
{
	struct service *service = NULL;
	struct plan plan;

	make_plan(&plan, entity);
	if (plan.service || plan.part_count) {
		service = build(&plan);
		service->hash = table_hash(table, text_of(service, service->namespace),
			service->namespace.length, text_of(service, service->name), service->name.length);
	}
	memory_free(plan.parts);
	return service;
}

struct pod *schema_pod(const struct entity *entity)
{
	const struct object *object = entity->object ? &entity->object->object : NULL;
	uint8_t name = object ? object->name.length : 0, namespace = object ? object->namespace.length : 0;
	struct pod *pod;

	if (!object || !object->addresses)
		return NULL;
	pod = memory_zero(1, sizeof(*pod) + name + namespace);
	shared_init(&pod->shared);
	pod->size = (uint32_t)sizeof(*pod) + name + namespace;
	pod->addresses = object->addresses;
	memcpy(pod->address, object_addresses(object), object->addresses * sizeof(pod->address[0]));
	pod->name.offset = sizeof(*pod);
	pod->name.length = name;
	pod->namespace.offset = (uint32_t)sizeof(*pod) + name;
	pod->namespace.length = namespace;
	memcpy((uint8_t *)pod + pod->name.offset, text_of(object, object->name), name);
	memcpy((uint8_t *)pod + pod->namespace.offset, text_of(object, object->namespace), namespace);
	return pod;
}

struct namespace *schema_namespace(const struct entity *entity)
{
	const struct object *object = entity->object ? &entity->object->object : NULL;
	struct namespace *namespace;

	if (!object || object->name.length > sizeof(namespace->name))
		return NULL;
	namespace = memory_zero(1, sizeof(*namespace));
	shared_init(&namespace->shared);
	namespace->length = object->name.length;
	memcpy(namespace->name, text_of(object, object->name), object->name.length);
	return namespace;
}
