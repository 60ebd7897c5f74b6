/* A draft's lists and texts grow apart from each other; draft_pack() puts them behind one another into one
 * block. Invariant: every octet of a block is determined by the object, padding included, so that equal
 * objects are equal octets. */
#include "object.h"

#include <string.h>

#include "svcdns/memory.h"

#define LABEL_MAX 63

bool object_text_equal(const struct object *a, struct text a_text, const struct object *b, struct text b_text)
{
	return a_text.length == b_text.length &&
	       memcmp(text_of(a, a_text), text_of(b, b_text), a_text.length) == 0;
}

bool object_same_ports(const struct object *a, const struct object *b)
{
	const struct port *left = object_ports(a), *right = object_ports(b);

	if (a->ports != b->ports)
		return false;
	for (uint32_t i = 0; i < a->ports; i++)
		if (left[i].number != right[i].number ||
			!object_text_equal(a, left[i].name, b, right[i].name) ||
			!object_text_equal(a, left[i].protocol, b, right[i].protocol))
			return false;
	return true;
}

static bool is_text_inside(const struct object *object, struct text text, uint8_t longest)
{
	return !text.length ||
	       (text.length <= longest && text.offset >= object->text_at && text.offset <= object->size &&
		       text.length <= object->size - text.offset);
}

static bool is_array_inside(const struct object *object, uint32_t at, uint32_t count, size_t item_size)
{
	return at >= sizeof(*object) && at % _Alignof(struct object) == 0 && count <= OBJECT_LIST_MAX &&
	       at <= object->text_at && count * item_size <= object->text_at - at;
}

static bool are_ports_sound(const struct object *object)
{
	const struct port *port = object_ports(object);

	for (uint32_t i = 0; i < object->ports; i++)
		if (port[i].number < PORT_NONE || port[i].number > UINT16_MAX ||
			!is_text_inside(object, port[i].name, LABEL_MAX) ||
			!is_text_inside(object, port[i].protocol, LABEL_MAX))
			return false;
	return true;
}

static bool is_family(uint8_t family)
{
	return family == 4 || family == 6;
}

static bool are_addresses_sound(const struct object *object)
{
	const struct cluster_ip *address = object_addresses(object);
	const struct endpoint *endpoint = object_endpoints(object);

	for (uint32_t i = 0; i < object->addresses; i++)
		if (!is_family(address[i].family))
			return false;
	for (uint32_t i = 0; i < object->endpoints; i++)
		if (!is_family(endpoint[i].family) || !is_text_inside(object, endpoint[i].host, LABEL_MAX) ||
			!is_text_inside(object, endpoint[i].zone, UINT8_MAX))
			return false;
	return true;
}

static bool are_names_sound(const struct object *object)
{
	bool is_label = object->kind == OBJECT_SERVICE || object->kind == OBJECT_NAMESPACE;

	return object->name.length &&
	       is_text_inside(object, object->name, is_label ? LABEL_MAX : OBJECT_NAME_MAX) &&
	       is_text_inside(object, object->namespace, LABEL_MAX) &&
	       is_text_inside(object, object->service_name, LABEL_MAX) &&
	       is_text_inside(object, object->external_name, UINT8_MAX);
}

bool object_is_sound(const struct object *object, size_t size)
{
	return size >= sizeof(*object) && object->size == size && object->text_at <= size &&
	       object->kind < OBJECT_KINDS && object->service_kind < SERVICE_ABSENT &&
	       (object->kind != OBJECT_POD || object->addresses <= POD_ADDRESSES) &&
	       is_array_inside(object, object->port_at, object->ports, sizeof(struct port)) &&
	       is_array_inside(object, object->endpoint_at, object->endpoints, sizeof(struct endpoint)) &&
	       is_array_inside(object, object->address_at, object->addresses, sizeof(struct cluster_ip)) &&
	       are_names_sound(object) && are_ports_sound(object) && are_addresses_sound(object);
}

static void *list_add(struct draft_list *list, size_t item_size)
{
	uint8_t *item;

	if (list->count == OBJECT_LIST_MAX)
		return NULL;
	if (list->count == list->capacity) {
		list->capacity = list->capacity ? list->capacity * 2 : 16;
		list->items = memory_resize(list->items, list->capacity * item_size);
	}
	item = (uint8_t *)list->items + list->count++ * item_size;
	return memset(item, 0, item_size);
}

void draft_clear(struct draft *draft)
{
	memset(&draft->head, 0, sizeof(draft->head));
	draft->addresses.count = 0;
	draft->service_ports.count = 0;
	draft->slice_ports.count = 0;
	draft->endpoints.count = 0;
	draft->text_length = 0;
}

void draft_finish(struct draft *draft)
{
	memory_free(draft->addresses.items);
	memory_free(draft->service_ports.items);
	memory_free(draft->slice_ports.items);
	memory_free(draft->endpoints.items);
	memory_free(draft->texts);
	memory_free(draft->packed);
	memset(draft, 0, sizeof(*draft));
}

struct cluster_ip *draft_address(struct draft *draft, const struct ip *ip)
{
	struct cluster_ip *item = list_add(&draft->addresses, sizeof(*item));

	if (item) {
		memcpy(item->address, ip->bytes, sizeof(item->address));
		item->family = ip->family;
	}
	return item;
}

struct port *draft_port(struct draft_list *ports)
{
	return list_add(ports, sizeof(struct port));
}

struct endpoint *draft_endpoint(struct draft *draft, const struct ip *ip)
{
	struct endpoint *item = list_add(&draft->endpoints, sizeof(*item));

	if (item) {
		memcpy(item->address, ip->bytes, sizeof(item->address));
		item->family = ip->family;
	}
	return item;
}

struct text draft_text(struct draft *draft, const void *bytes, size_t length)
{
	struct text text = {draft->text_length, length > UINT8_MAX ? UINT8_MAX : (uint8_t)length};

	if (draft->text_capacity - draft->text_length < UINT8_MAX) {
		draft->text_capacity = draft->text_capacity ? draft->text_capacity * 2 : 4096;
		draft->texts = memory_resize(draft->texts, draft->text_capacity);
	}
	if (text.length)
		memcpy(draft->texts + text.offset, bytes, text.length);
	draft->text_length += text.length;
	return text;
}

#define RECENT 8

struct packing {
	const struct draft *draft;
	uint8_t *block;
	uint32_t text_at;	    /* where the next text goes */
	struct text host;	    /* the last: several addresses may have it */
	struct text recent[RECENT]; /* texts that come again and again: port names, protocols, zones */
	unsigned next_recent;
};

static bool is_same_text(const struct packing *packing, struct text packed, struct text text)
{
	return packed.length == text.length &&
	       memcmp(packing->block + packed.offset, packing->draft->texts + text.offset, text.length) == 0;
}

/* Field by field, so that the padding of what was cleared stays cleared. */
static void refer(struct text *to, struct text packed)
{
	to->offset = packed.offset;
	to->length = packed.length;
}

static void put_text(struct packing *packing, struct text *to, struct text text)
{
	if (!text.length)
		return;
	memcpy(packing->block + packing->text_at, packing->draft->texts + text.offset, text.length);
	to->offset = packing->text_at;
	to->length = text.length;
	packing->text_at += text.length;
}

static void put_recent_text(struct packing *packing, struct text *to, struct text text)
{
	for (size_t i = 0; text.length && i < RECENT; i++)
		if (is_same_text(packing, packing->recent[i], text)) {
			refer(to, packing->recent[i]);
			return;
		}
	put_text(packing, to, text);
	if (text.length)
		packing->recent[packing->next_recent++ % RECENT] = *to;
}

static void put_host(struct packing *packing, struct text *to, struct text host)
{
	if (host.length && is_same_text(packing, packing->host, host)) {
		refer(to, packing->host);
		return;
	}
	put_text(packing, to, host);
	packing->host = *to;
}

static const struct draft_list *ports_of(const struct draft *draft)
{
	static const struct draft_list none;

	if (draft->head.kind == OBJECT_SERVICE)
		return &draft->service_ports;
	return draft->head.kind == OBJECT_ENDPOINT_SLICE ? &draft->slice_ports : &none;
}

static void lay_out(struct object *head, const struct draft *draft)
{
	bool has_addresses = head->kind == OBJECT_SERVICE || head->kind == OBJECT_POD;

	head->ports = ports_of(draft)->count;
	head->endpoints = head->kind == OBJECT_ENDPOINT_SLICE ? draft->endpoints.count : 0;
	head->addresses = has_addresses ? draft->addresses.count : 0;
	head->port_at = sizeof(*head);
	head->endpoint_at = head->port_at + head->ports * (uint32_t)sizeof(struct port);
	head->address_at = head->endpoint_at + head->endpoints * (uint32_t)sizeof(struct endpoint);
	head->text_at = head->address_at + head->addresses * (uint32_t)sizeof(struct cluster_ip);
}

/* An upper bound for the texts of the block: some of the draft's are referred to more than once. */
static uint32_t count_texts(const struct draft *draft)
{
	const struct port *port = ports_of(draft)->items;
	const struct endpoint *endpoint = draft->endpoints.items;
	uint32_t octets = draft->text_length;

	for (uint32_t i = 0; i < draft->head.ports; i++)
		octets += (uint32_t)port[i].name.length + port[i].protocol.length;
	for (uint32_t i = 0; i < draft->head.endpoints; i++)
		octets += (uint32_t)endpoint[i].host.length + endpoint[i].zone.length;
	return octets;
}

static void pack_head(struct packing *packing, const struct object *head)
{
	struct object *packed = (struct object *)(void *)packing->block;

	packed->text_at = head->text_at;
	packed->kind = head->kind;
	packed->service_kind = head->service_kind;
	packed->is_terminating = head->is_terminating;
	put_text(packing, &packed->namespace, head->namespace);
	put_text(packing, &packed->name, head->name);
	put_text(packing, &packed->service_name, head->service_name);
	put_text(packing, &packed->external_name, head->external_name);
	packed->addresses = head->addresses;
	packed->ports = head->ports;
	packed->endpoints = head->endpoints;
	packed->port_at = head->port_at;
	packed->endpoint_at = head->endpoint_at;
	packed->address_at = head->address_at;
}

static void pack_ports(struct packing *packing, const struct object *head)
{
	struct port *to = (struct port *)(void *)(packing->block + head->port_at);
	const struct port *from = ports_of(packing->draft)->items;

	for (uint32_t i = 0; i < head->ports; i++) {
		to[i].number = from[i].number;
		put_recent_text(packing, &to[i].name, from[i].name);
		put_recent_text(packing, &to[i].protocol, from[i].protocol);
	}
}

static void pack_endpoints(struct packing *packing, const struct object *head)
{
	struct endpoint *to = (struct endpoint *)(void *)(packing->block + head->endpoint_at);
	const struct endpoint *from = packing->draft->endpoints.items;

	for (uint32_t i = 0; i < head->endpoints; i++) {
		memcpy(to[i].address, from[i].address, sizeof(to[i].address));
		to[i].family = from[i].family;
		put_host(packing, &to[i].host, from[i].host);
		put_recent_text(packing, &to[i].zone, from[i].zone);
	}
}

static void make_room(struct draft *draft, uint32_t size)
{
	if (size <= draft->packed_capacity)
		return;
	draft->packed_capacity = size;
	draft->packed = memory_resize(draft->packed, size);
}

const struct object *draft_pack(struct draft *draft)
{
	const struct object *head = &draft->head;
	struct packing packing = {.draft = draft};

	lay_out(&draft->head, draft);
	make_room(draft, head->text_at + count_texts(draft));
	memset(draft->packed, 0, head->text_at);
	packing.block = (uint8_t *)draft->packed;
	packing.text_at = head->text_at;
	pack_head(&packing, head);
	pack_ports(&packing, head);
	pack_endpoints(&packing, head);
	if (head->addresses)
		memcpy(packing.block + head->address_at, draft->addresses.items,
			head->addresses * sizeof(struct cluster_ip));
	draft->packed->size = packing.text_at;
	return draft->packed;
}
