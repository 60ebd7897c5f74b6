/* One Kubernetes object, cut down to what DNS needs of it: a block without pointers that can be copied and
 * compared as octets. A draft is where a decoder puts one together. */
#ifndef SVCDNS_CLUSTER_OBJECT_H
#define SVCDNS_CLUSTER_OBJECT_H

#include "svcdns/address.h"
#include "svcdns/service.h"

enum object_kind { OBJECT_NAMESPACE, OBJECT_SERVICE, OBJECT_ENDPOINT_SLICE, OBJECT_POD, OBJECT_KINDS };

#define OBJECT_NAME_MAX 253   /* octets of a name (a DNS subdomain, RFC 1123) */
#define OBJECT_LIST_MAX 65535 /* addresses, ports or endpoints of one object */

struct object {
	uint32_t size;				   /* octets of this block */
	uint32_t text_at;			   /* where the texts begin; they reach to its end */
	uint8_t kind;				   /* enum object_kind */
	uint8_t service_kind;			   /* Service: enum service_kind, never SERVICE_ABSENT */
	uint8_t is_terminating;			   /* Pod */
	uint8_t reserved;			   /* 0 */
	struct text namespace, name;		   /* a Namespace's namespace is not set */
	struct text service_name;		   /* EndpointSlice: of the Service it belongs to */
	struct text external_name;		   /* Service */
	uint32_t addresses;			   /* Service: its ClusterIPs; Pod: one or two */
	uint32_t ports;				   /* 0: none declared */
	uint32_t endpoints;			   /* EndpointSlice: the ready ones */
	uint32_t port_at, endpoint_at, address_at; /* offsets of the arrays */
};

static inline const struct cluster_ip *object_addresses(const struct object *object)
{
	return (const struct cluster_ip *)(const void *)((const uint8_t *)object + object->address_at);
}

static inline const struct port *object_ports(const struct object *object)
{
	return (const struct port *)(const void *)((const uint8_t *)object + object->port_at);
}

static inline const struct endpoint *object_endpoints(const struct object *object)
{
	return (const struct endpoint *)(const void *)((const uint8_t *)object + object->endpoint_at);
}

bool object_text_equal(
	const struct object *a, struct text a_text, const struct object *b, struct text b_text);
/* Octets from outside: they are an object, and nothing in it points out of it. They are aligned as one. */
bool object_is_sound(const struct object *object, size_t size);
bool object_same_ports(const struct object *a, const struct object *b); /* the same list, in the same order */

struct draft_list {
	void *items;
	uint32_t count, capacity;
};

struct draft {				 /* a zeroed one is empty */
	struct object head;		 /* without counts and offsets until draft_pack() */
	struct draft_list addresses;	 /* struct cluster_ip */
	struct draft_list service_ports; /* struct port; spec.ports */
	struct draft_list slice_ports;	 /* struct port; ports */
	struct draft_list endpoints;	 /* struct endpoint */
	uint8_t *texts;			 /* text offsets count from here until draft_pack() */
	uint32_t text_length, text_capacity;
	struct object *packed; /* what draft_pack() returned */
	uint32_t packed_capacity;
};

void draft_clear(struct draft *draft); /* keeps the memory */
void draft_finish(struct draft *draft);
/* Each adds a cleared item at the end, or returns NULL when the list is full. */
struct cluster_ip *draft_address(struct draft *draft, const struct ip *ip);
struct port *draft_port(struct draft_list *ports);
struct endpoint *draft_endpoint(struct draft *draft, const struct ip *ip);
/* Keeps up to 255 octets. */
struct text draft_text(struct draft *draft, const void *bytes, size_t length);
/* The object: belongs to the draft, valid until that is cleared. The kind decides which lists it takes. */
const struct object *draft_pack(struct draft *draft);

#endif
