/* What the service table holds: one Service with the ready endpoints of its EndpointSlices, a Pod, a Namespace.
 * Everything here is immutable and shared between snapshots (lifetime "shard"). Names are lower-case labels without
 * length octets or dots, not terminated. */
#ifndef SVCDNS_SERVICE_H
#define SVCDNS_SERVICE_H

#include "svcdns/shared.h"

enum service_kind {
	SERVICE_CLUSTER_IP,                 /* cluster_ips may be 0: none has been allocated yet */
	SERVICE_HEADLESS,
	SERVICE_EXTERNAL_NAME,              /* may have endpoints, too: they count for addresses only */
	SERVICE_ABSENT                      /* EndpointSlices whose Service is not in the table (or was filtered out): no name
					     * answers, only the addresses of its endpoints do (PTR). snapshot_service() and
					     * snapshot_each_service() never return it, snapshot_by_address() does. */
};

#define PORT_NONE (-1)                      /* an object that declares no ports has one port of this number */

struct text {                               /* octets in the block of the struct that holds it */
	uint32_t offset;                    /* from the start of that struct */
	uint8_t  length;                    /* 0: not set */
};

struct port {
	int32_t     number;                 /* 0 .. 65535, or PORT_NONE */
	struct text name;                   /* "http" */
	struct text protocol;               /* "tcp" */
};

struct endpoint {
	uint8_t     address[16];            /* IPv4 in the first four */
	uint8_t     family;                 /* 4 or 6 */
	bool        repeats;                /* one before it has the same address */
	uint16_t    slice;                  /* index into the service's slices: whose ports it has */
	struct text host;                   /* endpoint name: hostname, Pod name if so configured, or not set: derived from
					     * the address, '.' and ':' as '-' (see endpoint_host()) */
	struct text zone;                   /* topology zone */
};

struct slice {                              /* EndpointSlices with the same list of ports share one */
	uint32_t first_port, ports;         /* into the service's ports; ports is 1 or more */
};

struct service {
	struct shared     shared;
	uint32_t          size;             /* octets of this block */
	uint64_t          hash;             /* of namespace and name: also what the address index holds */
	enum service_kind kind;
	struct text       name, namespace;
	struct text       external_name;    /* wire form, root included; SERVICE_EXTERNAL_NAME only. length 0: it is no name */
	bool              external_is_address; /* an ExternalName that is an IP address answers nothing */
	uint32_t          cluster_ips;      /* number of */
	uint32_t          ports;            /* Service ports first, then those of the slices */
	uint32_t          service_ports;    /* how many of them are the Service's own: 1 or more, none of SERVICE_ABSENT */
	uint32_t          slices;
	uint32_t          endpoints;        /* the ready ones; an address that stands in the objects twice stands here twice */
	uint32_t          cluster_ip_at, port_at, slice_at, endpoint_at;      /* offsets of the arrays in this block */
};

struct cluster_ip {
	uint8_t address[16];
	uint8_t family;
};

#define POD_ADDRESSES 2

struct pod {
	struct shared shared;
	uint32_t    size;                   /* octets of this block */
	uint32_t    addresses;              /* 1, or 2: one of each family */
	struct cluster_ip address[POD_ADDRESSES];
	struct text name, namespace;        /* a Pod's name may have dots */
};

static inline const uint8_t *text_of(const void *holder, struct text text)
{
	return (const uint8_t *)holder + text.offset;
}

static inline const struct cluster_ip *service_cluster_ips(const struct service *s)
{
	return (const struct cluster_ip *)(const void *)((const uint8_t *)s + s->cluster_ip_at);
}

static inline const struct port *service_ports(const struct service *s)
{
	return (const struct port *)(const void *)((const uint8_t *)s + s->port_at);
}

static inline const struct slice *service_slices(const struct service *s)
{
	return (const struct slice *)(const void *)((const uint8_t *)s + s->slice_at);
}

static inline const struct endpoint *service_endpoints(const struct service *s)
{
	return (const struct endpoint *)(const void *)((const uint8_t *)s + s->endpoint_at);
}

#define ENDPOINT_HOST_MAX 63

/* The first label of an endpoint's name (Kubernetes DNS specification 1.1, section 2.4.1): returns its length. IPv6 in its
 * canonical text (RFC 5952) with '-' for ':', a '0' put behind a final '-'. */
uint8_t endpoint_host(const struct service *service, const struct endpoint *endpoint, uint8_t out[ENDPOINT_HOST_MAX]);

#endif
