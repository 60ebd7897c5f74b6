/* A draft's lists and texts grow apart from each other; draft_pack() puts them behind one another into one
 * block. Invariant: every octet of a block is determined by the object, padding included, so that equal
 * objects are equal octets. */
#include "object.h"

#include <string.h>

#include "svcdns/memory.h"

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
	memset(draft->recent, 0, sizeof(draft->recent));
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

struct text draft_recent_text(struct draft *draft, const void *bytes, size_t length)
{
	struct text text;

	for (size_t i = 0; i < DRAFT_RECENT; i++)
		if (length && draft->recent[i].length == length &&
			memcmp(draft->texts + draft->recent[i].offset, bytes, length) == 0)
			return draft->recent[i];
	text = draft_text(draft, bytes, length);
	draft->recent[draft->next_recent++ % DRAFT_RECENT] = text;
	return text;
}

/* Field by field, so that the padding of what was cleared stays cleared. */
static void put_text(struct text *to, struct text from, uint32_t text_at)
{
	to->offset = from.length ? from.offset + text_at : 0;
	to->length = from.length;
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
	head->size = head->text_at + draft->text_length;
}

static void pack_head(struct object *packed, const struct object *head)
{
	packed->size = head->size;
	packed->text_at = head->text_at;
	packed->kind = head->kind;
	packed->service_kind = head->service_kind;
	packed->is_terminating = head->is_terminating;
	put_text(&packed->namespace, head->namespace, head->text_at);
	put_text(&packed->name, head->name, head->text_at);
	put_text(&packed->service_name, head->service_name, head->text_at);
	put_text(&packed->external_name, head->external_name, head->text_at);
	packed->addresses = head->addresses;
	packed->ports = head->ports;
	packed->endpoints = head->endpoints;
	packed->port_at = head->port_at;
	packed->endpoint_at = head->endpoint_at;
	packed->address_at = head->address_at;
}

static void pack_ports(struct port *to, const struct port *from, uint32_t count, uint32_t text_at)
{
	for (uint32_t i = 0; i < count; i++) {
		to[i].number = from[i].number;
		put_text(&to[i].name, from[i].name, text_at);
		put_text(&to[i].protocol, from[i].protocol, text_at);
	}
}

static void pack_endpoints(struct endpoint *to, const struct endpoint *from, uint32_t count, uint32_t text_at)
{
	for (uint32_t i = 0; i < count; i++) {
		memcpy(to[i].address, from[i].address, sizeof(to[i].address));
		to[i].family = from[i].family;
		put_text(&to[i].host, from[i].host, text_at);
		put_text(&to[i].zone, from[i].zone, text_at);
	}
}

static void copy(uint8_t *to, const void *from, size_t size)
{
	if (size)
		memcpy(to, from, size);
}

const struct object *draft_pack(struct draft *draft)
{
	struct object *head = &draft->head;
	uint8_t *at;

	lay_out(head, draft);
	if (head->size > draft->packed_capacity) {
		draft->packed_capacity = head->size;
		draft->packed = memory_resize(draft->packed, head->size);
	}
	memset(draft->packed, 0, head->text_at);
	at = (uint8_t *)draft->packed;
	pack_head(draft->packed, head);
	pack_ports((struct port *)(void *)(at + head->port_at), ports_of(draft)->items, head->ports,
		head->text_at);
	pack_endpoints((struct endpoint *)(void *)(at + head->endpoint_at), draft->endpoints.items,
		head->endpoints, head->text_at);
	copy(at + head->address_at, draft->addresses.items, head->addresses * sizeof(struct cluster_ip));
	copy(at + head->text_at, draft->texts, draft->text_length);
	return draft->packed;
}
