/* From a name to what fits it in the table. */
#include <string.h>
#include <strings.h>

#include "kubernetes.h"
#include "svcdns/octets.h"

static bool is_reverse(const struct name *name)
{
	uint8_t length;
	const uint8_t *label;

	if (name->labels < 2)
		return false;
	label = name_label(name, name->labels - 1u, &length);
	if (length != 4 || memcmp(label, "arpa", 4) != 0)
		return false;
	label = name_label(name, name->labels - 2u, &length);
	return (length == 7 && memcmp(label, "in-addr", 7) == 0) ||
	       (length == 3 && memcmp(label, "ip6", 3) == 0);
}

static bool is_text(const void *holder, struct text text, struct label label)
{
	return text.length == label.length && octets_equal(text_of(holder, text), label.octets, label.length);
}

/* A label that is left out, or empty but for its underscore, fits every port. */
static bool port_fits(const struct found *found, const struct port *port)
{
	const struct parsed *name = found->name;

	return (!name->port.length || is_text(found->service, port->name, name->port)) &&
	       (!name->protocol.length || is_text(found->service, port->protocol, name->protocol));
}

/* A topology zone may have dots: they part labels in the name. */
static bool is_zone(const struct parsed *name, const uint8_t *text, size_t length)
{
	const uint8_t *label = name->first;

	for (unsigned i = 0; i < name->zone_labels; label += 1 + *label, i++) {
		if (i && (!length || *text++ != '.'))
			return false;
		length -= i ? 1 : 0;
		if (length < *label || memcmp(text, label + 1, *label) != 0)
			return false;
		text += *label;
		length -= *label;
	}
	return !length;
}

static bool endpoint_fits(const struct found *found, const struct endpoint *endpoint)
{
	const struct parsed *name = found->name;
	uint8_t host[ENDPOINT_HOST_MAX], length;

	if (found->has_zone && !is_zone(name, text_of(found->service, endpoint->zone), endpoint->zone.length))
		return false;
	if (!name->endpoint.length)
		return true;
	length = endpoint_host(found->service, endpoint, host);
	return length == name->endpoint.length &&
	       strncasecmp((const char *)host, (const char *)name->endpoint.octets, length) == 0;
}

/* ClusterIPs inside ports. */
static bool next_cluster_ip(const struct found *found, struct candidates *at, struct candidate *ret)
{
	const struct service *service = found->service;

	for (; at->major < service->service_ports; at->major++, at->minor = 0) {
		const struct port *port = &service_ports(service)[at->major];
		const struct cluster_ip *ip;

		if (at->minor >= service->cluster_ips || !port_fits(found, port))
			continue;
		ip = &service_cluster_ips(service)[at->minor++];
		*ret = (struct candidate){ip->address, ip->family, port, NULL};
		return true;
	}
	return false;
}

/* Ports inside endpoints. */
static bool next_endpoint(const struct found *found, struct candidates *at, struct candidate *ret)
{
	const struct service *service = found->service;

	for (; at->major < service->endpoints; at->major++, at->minor = 0) {
		const struct endpoint *endpoint = &service_endpoints(service)[at->major];
		const struct slice *slice = &service_slices(service)[endpoint->slice];

		if (!at->minor && !endpoint_fits(found, endpoint))
			continue;
		while (at->minor < slice->ports) {
			const struct port *port = &service_ports(service)[slice->first_port + at->minor++];

			if (!port_fits(found, port))
				continue;
			*ret = (struct candidate){endpoint->address, endpoint->family, port, endpoint};
			return true;
		}
	}
	return false;
}

bool next_candidate(const struct found *found, struct candidates *at, struct candidate *ret)
{
	if (found->kind == FOUND_CLUSTER_IPS)
		return next_cluster_ip(found, at, ret);
	return found->kind == FOUND_ENDPOINTS && next_endpoint(found, at, ret);
}

static bool has_candidate(const struct found *found)
{
	struct candidates at = {0};
	struct candidate candidate;

	return next_candidate(found, &at, &candidate);
}

static bool any_port_fits(const struct found *found)
{
	for (uint32_t i = 0; i < found->service->service_ports; i++)
		if (port_fits(found, &service_ports(found->service)[i]))
			return true;
	return false;
}

/* A zonal name exists as soon as its headless Service does; "prefer" takes all endpoints where the zone has
 * none. */
static void settle_zonal(struct found *found)
{
	if (has_candidate(found))
		return;
	found->has_zone = !found->name->prefers_zone;
	if (found->has_zone || !has_candidate(found))
		found->kind = FOUND_NAME;
}

static void find_endpoints(struct found *found)
{
	found->kind = FOUND_ENDPOINTS;
	if (found->has_zone)
		settle_zonal(found);
	else if (!has_candidate(found))
		found->kind = FOUND_NOTHING;
}

static void find_external(struct found *found)
{
	const struct parsed *name = found->name;

	if (!name->endpoint.length && !name->has_port && found->service->external_name.length)
		found->kind = FOUND_EXTERNAL;
}

static const struct service *look_up(
	const struct snapshot *snapshot, const struct parsed *name, const uint64_t *hash)
{
	struct label namespace = name->namespace, service = name->service;

	if (hash)
		return snapshot_service_by_hash(
			snapshot, *hash, namespace.octets, namespace.length, service.octets, service.length);
	return snapshot_service(snapshot, namespace.octets, namespace.length, service.octets, service.length);
}

static void find_service(const struct kubernetes *config, const struct snapshot *snapshot,
	struct found *found, const uint64_t *hash)
{
	const struct parsed *name = found->name;
	const struct service *service = look_up(snapshot, name, hash);
	bool is_headless;

	if (!service)
		return;
	found->service = service;
	is_headless = service->kind == SERVICE_HEADLESS;
	if (service->kind == SERVICE_EXTERNAL_NAME) {
		if (!found->has_zone && !service->external_is_address)
			find_external(found);
	} else if ((config->ignore_empty && !is_headless && !service->endpoints) ||
		   (found->has_zone && !is_headless)) {
		return;
	} else if (is_headless || name->endpoint.length) {
		find_endpoints(found);
	} else if (any_port_fits(found)) {
		found->kind = service->cluster_ips ? FOUND_CLUSTER_IPS : FOUND_NAME;
	}
}

/* "10-0-0-1" is IPv4, everything else IPv6 with '-' for ':'. */
static bool pod_address(struct label label, struct ip *ret)
{
	char text[64];
	unsigned dashes = 0;
	bool has_double = false;

	if (label.length >= sizeof(text))
		return false;
	for (uint8_t i = 0; i < label.length; i++) {
		text[i] = (char)label.octets[i];
		dashes += text[i] == '-';
		has_double |= i && text[i] == '-' && text[i - 1] == '-';
		if (!text[i] || text[i] == '.' || text[i] == ':')
			return false;
	}
	text[label.length] = '\0';
	for (uint8_t i = 0; i < label.length; i++)
		if (text[i] == '-')
			text[i] = dashes == 3 && !has_double ? '.' : ':';
	return ip_parse(text, ret);
}

/* An IPv4 address in the form of IPv6 answers as IPv4. */
static void unmap(struct ip *ip)
{
	static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};

	if (ip->family != 6 || memcmp(ip->bytes, prefix, sizeof(prefix)) != 0)
		return;
	memmove(ip->bytes, ip->bytes + 12, 4);
	memset(ip->bytes + 4, 0, 12);
	ip->family = 4;
}

static bool is_known_pod(const struct snapshot *snapshot, const struct ip *ip, struct label namespace)
{
	uint64_t cursor = 0;
	const struct pod *pod;

	while ((pod = snapshot_pod(snapshot, ip, &cursor)))
		if (is_text(pod, pod->namespace, namespace))
			return true;
	return false;
}

static void find_pod(const struct kubernetes *config, const struct snapshot *snapshot, struct found *found)
{
	if (!pod_address(found->name->service, &found->pod))
		return;
	if (config->pods == PODS_VERIFIED && !is_known_pod(snapshot, &found->pod, found->name->namespace))
		return;
	unmap(&found->pod);
	found->kind = FOUND_POD;
}

/* Asked of the table only where the Service does not tell. */
static bool is_namespace_shown(const struct snapshot *snapshot, const struct parsed *name)
{
	if (LIKELY(name->kind == NAME_SERVICE && name->service.length && !snapshot_hides_services(snapshot)))
		return true;
	return snapshot_has_namespace(snapshot, name->namespace.octets, name->namespace.length);
}

struct found find_name(const struct kubernetes *config, const struct snapshot *snapshot,
	const struct name *name, const struct parsed *parsed, const uint64_t *hash)
{
	struct found found;

	found.kind = FOUND_NOTHING;
	found.service = NULL;
	found.name = parsed;
	found.has_zone = parsed->zone_labels;
	if (parsed->kind == NAME_INVALID)
		return found;
	if (parsed->kind == NAME_EXISTS) {
		found.kind = FOUND_NAME;
		return found;
	}
	if (is_reverse(name) || (parsed->kind == NAME_POD && config->pods == PODS_DISABLED) ||
		!is_namespace_shown(snapshot, parsed))
		return found;
	if (!parsed->service.length)
		found.kind = FOUND_NAME;
	else if (parsed->kind == NAME_POD)
		find_pod(config, snapshot, &found);
	else
		find_service(config, snapshot, &found, hash);
	return found;
}
