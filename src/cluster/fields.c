/* What each field means. Refused is what the API server would refuse, too, as far as DNS would answer
 * something wrong by it. */
#include "fields.h"

#include <stdio.h>
#include <string.h>

#include "assemble.h"
#include "rfc1123.h"
#include "svcdns/name.h"

#define SERVICE_NAME_LABEL "kubernetes.io/service-name"

static void fail(struct decoder *d, const char *why, const struct scalar *scalar)
{
	char quoted[FIELDS_QUOTED];

	decoder_fail(d, d->line, "", "%s: %s", why, fields_quote(quoted, scalar->text, scalar->length));
}

static bool is_text(const struct scalar *scalar, const char *text)
{
	return strlen(text) == scalar->length && memcmp(scalar->text, text, scalar->length) == 0;
}

static bool is_one_of(const struct scalar *scalar, const char *const *texts)
{
	for (; *texts; texts++)
		if (is_text(scalar, *texts))
			return true;
	return false;
}

static void keep_word(struct decoder *d, const struct scalar *scalar, char out[DECODER_KIND_MAX + 1])
{
	if (scalar->length > DECODER_KIND_MAX)
		fail(d, "too long", scalar);
	else
		snprintf(out, DECODER_KIND_MAX + 1, "%.*s", (int)scalar->length, scalar->text);
}

void fields_take_kind(struct decoder *d, const struct scalar *scalar)
{
	keep_word(d, scalar, d->kind);
}

void fields_take_api_version(struct decoder *d, const struct scalar *scalar)
{
	keep_word(d, scalar, d->api_version);
}

void fields_take_name(struct decoder *d, const struct scalar *scalar)
{
	if (!rfc1123_is_subdomain(scalar->text, scalar->length))
		fail(d, "not a lower-case DNS name", scalar);
	else
		d->draft.head.name = draft_text(&d->draft, scalar->text, scalar->length);
}

void fields_take_namespace(struct decoder *d, const struct scalar *scalar)
{
	if (!rfc1123_is_label(scalar->text, scalar->length))
		fail(d, "not a lower-case DNS label", scalar);
	else
		d->draft.head.namespace = draft_text(&d->draft, scalar->text, scalar->length);
}

void fields_take_deletion(struct decoder *d, const struct scalar *scalar)
{
	d->draft.head.is_terminating = scalar->length > 0;
}

static void take_label(struct decoder *d, const struct scalar *scalar)
{
	const char *key = d->label_key.bytes ? d->label_key.bytes : "";

	if (strcmp(key, SERVICE_NAME_LABEL) == 0 && rfc1123_is_label(scalar->text, scalar->length))
		d->draft.head.service_name = draft_text(&d->draft, scalar->text, scalar->length);
	if (d->config->labels || d->config->namespace_labels)
		labels_add(&d->labels, key, scalar->text, scalar->length);
}

static void take_service_type(struct decoder *d, const struct scalar *scalar)
{
	static const char *const types[] = {
		"", "ClusterIP", "NodePort", "LoadBalancer", "ExternalName", NULL};

	d->is_external = is_text(scalar, "ExternalName");
	if (!is_one_of(scalar, types))
		fail(d, "not a type of Service", scalar);
}

/* False: not an address, and that has been said. */
static bool read_address(struct decoder *d, const struct scalar *scalar, struct ip *ret)
{
	if (ip_parse_n(scalar->text, scalar->length, ret))
		return true;
	fail(d, "not an IP address", scalar);
	return false;
}

static void take_single_address(struct decoder *d, const struct scalar *scalar)
{
	if (scalar->length)
		read_address(d, scalar, &d->single_address);
}

static void take_cluster_ip(struct decoder *d, const struct scalar *scalar)
{
	d->single_is_none = is_text(scalar, "None");
	if (!d->single_is_none)
		take_single_address(d, scalar);
}

void decoder_keep_address(struct decoder *d, const struct ip *ip)
{
	if (!draft_address(&d->draft, ip))
		decoder_fail(d, d->line, "", "more than %d", OBJECT_LIST_MAX);
}

static void take_cluster_ips(struct decoder *d, const struct scalar *scalar)
{
	bool is_none = is_text(scalar, "None");
	struct ip ip;

	if (is_none && !d->has_address_list)
		d->first_is_none = true;
	d->has_address_list = true;
	if (!is_none && read_address(d, scalar, &ip))
		decoder_keep_address(d, &ip);
}

static void take_pod_ip(struct decoder *d, const struct scalar *scalar)
{
	struct ip ip;

	if (scalar->length && read_address(d, scalar, &ip))
		decoder_keep_address(d, &ip);
}

static void take_external_name(struct decoder *d, const struct scalar *scalar)
{
	char text[OBJECT_NAME_MAX + 2];
	struct name name;

	snprintf(
		text, sizeof(text), "%.*s", (int)(scalar->length > 255 ? 255 : scalar->length), scalar->text);
	if (scalar->length && (scalar->length >= sizeof(text) || !name_from_text(text, &name)))
		fail(d, "not a domain name", scalar);
	else
		d->draft.head.external_name = draft_text(&d->draft, scalar->text, scalar->length);
}

static void begin_port(struct decoder *d, struct draft_list *list)
{
	d->port_line = d->line;
	d->port = draft_port(list);
	if (!d->port) {
		decoder_fail(d, d->line, "", "more than %d", OBJECT_LIST_MAX);
		d->port = &d->spare_port;
	}
	d->port->number = PORT_NONE;
}

static void begin_service_port(struct decoder *d)
{
	begin_port(d, &d->draft.service_ports);
}

static void begin_slice_port(struct decoder *d)
{
	begin_port(d, &d->draft.slice_ports);
}

static bool end_port(struct decoder *d)
{
	if (!d->port->protocol.length)
		d->port->protocol = draft_text(&d->draft, "tcp", 3);
	return true;
}

static bool end_service_port(struct decoder *d)
{
	if (d->port->number == PORT_NONE)
		decoder_fail(d, d->port_line, "port", "missing");
	return end_port(d);
}

static void take_port_name(struct decoder *d, const struct scalar *scalar)
{
	if (scalar->length && !rfc1123_is_label(scalar->text, scalar->length))
		fail(d, "not a lower-case DNS label", scalar);
	else
		d->port->name = draft_text(&d->draft, scalar->text, scalar->length);
}

static void take_protocol(struct decoder *d, const struct scalar *scalar)
{
	static const struct {
		const char *upper, *lower;
	} names[] = {{"TCP", "tcp"}, {"UDP", "udp"}, {"SCTP", "sctp"}};

	for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
		if (is_text(scalar, names[i].upper)) {
			d->port->protocol = draft_text(&d->draft, names[i].lower, scalar->length);
			return;
		}
	fail(d, "not a protocol", scalar);
}

static void take_port_number(struct decoder *d, const struct scalar *scalar)
{
	bool is_number = scalar->kind == SCALAR_PLAIN && scalar->length > 0;
	int32_t number = 0;

	for (size_t i = 0; i < scalar->length; i++) {
		is_number = is_number && scalar->text[i] >= '0' && scalar->text[i] <= '9';
		if (is_number && number <= 65535)
			number = number * 10 + (scalar->text[i] - '0');
	}
	if (!is_number)
		fail(d, "not a number", scalar);
	else if (number < 1 || number > 65535)
		fail(d, "not between 1 and 65535", scalar);
	else
		d->port->number = number;
}

void fields_take_address_type(struct decoder *d, const struct scalar *scalar)
{
	static const char *const types[] = {"IPv4", "IPv6", "FQDN", NULL};

	d->is_fqdn = is_text(scalar, "FQDN");
	if (!is_one_of(scalar, types))
		fail(d, "not IPv4, IPv6 or FQDN", scalar);
}

static void begin_endpoint(struct decoder *d)
{
	memset(&d->endpoint, 0, sizeof(d->endpoint));
	d->endpoint.first = d->draft.endpoints.count;
	d->endpoint.is_ready =
		true; /* an unknown state stands for ready (discovery.k8s.io/v1, EndpointConditions) */
}

/* All addresses of an endpoint have its names; of one that is not ready none is kept. */
static bool end_endpoint(struct decoder *d)
{
	struct endpoint *endpoints = d->draft.endpoints.items;
	struct text host = d->endpoint.hostname.length ? d->endpoint.hostname : d->endpoint.pod;

	if (!d->endpoint.is_ready)
		d->draft.endpoints.count = d->endpoint.first;
	for (uint32_t i = d->endpoint.first; i < d->draft.endpoints.count; i++) {
		endpoints[i].host = host;
		endpoints[i].zone = d->endpoint.zone;
	}
	return true;
}

static void take_endpoint_address(struct decoder *d, const struct scalar *scalar)
{
	struct ip ip;

	if (read_address(d, scalar, &ip) && !draft_endpoint(&d->draft, &ip))
		decoder_fail(d, d->line, "", "more than %d", OBJECT_LIST_MAX);
}

static void take_ready(struct decoder *d, const struct scalar *scalar)
{
	static const char *const yes[] = {"true", "True", "TRUE", NULL}, *const no[] = {"false", "False",
										 "FALSE", NULL};

	d->endpoint.is_ready = is_one_of(scalar, yes);
	if (scalar->kind != SCALAR_PLAIN || (!d->endpoint.is_ready && !is_one_of(scalar, no)))
		fail(d, "not true or false", scalar);
}

static void take_hostname(struct decoder *d, const struct scalar *scalar)
{
	if (scalar->length && !rfc1123_is_label(scalar->text, scalar->length))
		fail(d, "not a lower-case DNS label", scalar);
	else
		d->endpoint.hostname = draft_text(&d->draft, scalar->text, scalar->length);
}

/* A Pod's name that is no label (too long, or with dots) cannot be the first label of a name. */
static void take_target_name(struct decoder *d, const struct scalar *scalar)
{
	if (d->config->endpoint_pod_names && rfc1123_is_label(scalar->text, scalar->length))
		d->endpoint.pod = draft_text(&d->draft, scalar->text, scalar->length);
}

/* In lower case, as the names that ask for it. */
static void take_zone(struct decoder *d, const struct scalar *scalar)
{
	char lower[UINT8_MAX];
	size_t length = scalar->length < sizeof(lower) ? scalar->length : sizeof(lower);

	for (size_t i = 0; i < length; i++)
		lower[i] = scalar->text[i] >= 'A' && scalar->text[i] <= 'Z'
				   ? (char)(scalar->text[i] + 'a' - 'A')
				   : scalar->text[i];
	d->endpoint.zone = draft_text(&d->draft, lower, length);
}

static void take_phase(struct decoder *d, const struct scalar *scalar)
{
	static const char *const over[] = {"Succeeded", "Failed", "Unknown", NULL};

	d->is_over = is_one_of(scalar, over);
}

const struct field fields_label = {.name = "", .type = FIELD_SCALAR, .take = take_label};

static const struct field metadata_fields[] = {
	{.name = "name", .type = FIELD_SCALAR, .take = fields_take_name},
	{.name = "namespace", .type = FIELD_SCALAR, .take = fields_take_namespace},
	{.name = "labels", .type = FIELD_LABELS, .fields = &fields_label},
	{.name = "deletionTimestamp", .type = FIELD_SCALAR, .take = fields_take_deletion},
	{0},
};

static const struct field port_fields[] = {
	{.name = "name", .type = FIELD_SCALAR, .take = take_port_name},
	{.name = "protocol", .type = FIELD_SCALAR, .take = take_protocol},
	{.name = "port", .type = FIELD_SCALAR, .take = take_port_number},
	{0},
};

static const struct field service_port = {
	.type = FIELD_MAP, .fields = port_fields, .begin = begin_service_port, .end = end_service_port};
const struct field fields_slice_port = {
	.type = FIELD_MAP, .fields = port_fields, .begin = begin_slice_port, .end = end_port};
static const struct field cluster_ip = {.type = FIELD_SCALAR, .take = take_cluster_ips};
static const struct field endpoint_address = {.type = FIELD_SCALAR, .take = take_endpoint_address};

const struct field fields_spec[] = {
	{.name = "type", .type = FIELD_SCALAR, .take = take_service_type},
	{.name = "clusterIP", .type = FIELD_SCALAR, .take = take_cluster_ip},
	{.name = "clusterIPs", .type = FIELD_LIST, .fields = &cluster_ip},
	{.name = "externalName", .type = FIELD_SCALAR, .take = take_external_name},
	{.name = "ports", .type = FIELD_LIST, .fields = &service_port},
	{0},
};

static const struct field pod_ip_fields[] = {
	{.name = "ip", .type = FIELD_SCALAR, .take = take_pod_ip},
	{0},
};

static const struct field pod_ip = {.type = FIELD_MAP, .fields = pod_ip_fields};

const struct field fields_status[] = {
	{.name = "phase", .type = FIELD_SCALAR, .take = take_phase},
	{.name = "podIP", .type = FIELD_SCALAR, .take = take_single_address},
	{.name = "podIPs", .type = FIELD_LIST, .fields = &pod_ip},
	{0},
};

static const struct field condition_fields[] = {
	{.name = "ready", .type = FIELD_SCALAR, .take = take_ready},
	{0},
};

static const struct field target_fields[] = {
	{.name = "name", .type = FIELD_SCALAR, .take = take_target_name},
	{0},
};

static const struct field endpoint_fields[] = {
	{.name = "addresses", .type = FIELD_LIST, .fields = &endpoint_address},
	{.name = "conditions", .type = FIELD_MAP, .fields = condition_fields},
	{.name = "hostname", .type = FIELD_SCALAR, .take = take_hostname},
	{.name = "targetRef", .type = FIELD_MAP, .fields = target_fields},
	{.name = "zone", .type = FIELD_SCALAR, .take = take_zone},
	{0},
};

const struct field fields_endpoint = {
	.type = FIELD_MAP, .fields = endpoint_fields, .begin = begin_endpoint, .end = end_endpoint};

static const struct field item; /* has the same fields as a document, but "items" (see find_field()) */

static const struct field document_fields[] = {
	{.name = "kind", .type = FIELD_SCALAR, .take = fields_take_kind},
	{.name = "apiVersion", .type = FIELD_SCALAR, .take = fields_take_api_version},
	{.name = "metadata", .type = FIELD_MAP, .fields = metadata_fields},
	{.name = "spec", .type = FIELD_MAP, .fields = fields_spec},
	{.name = "status", .type = FIELD_MAP, .fields = fields_status},
	{.name = "addressType", .type = FIELD_SCALAR, .take = fields_take_address_type},
	{.name = "endpoints", .type = FIELD_LIST, .fields = &fields_endpoint},
	{.name = "ports", .type = FIELD_LIST, .fields = &fields_slice_port},
	{.name = "items", .type = FIELD_LIST, .fields = &item, .begin = assemble_begin_items},
	{0},
};

static const struct field item = {
	.type = FIELD_MAP,
	.fields = document_fields,
	.begin = assemble_begin_item,
	.end = assemble_end_item,
	.is_object = true,
};

const struct field fields_document = {
	.type = FIELD_MAP,
	.fields = document_fields,
	.begin = assemble_begin_document,
	.end = assemble_end_document,
	.is_object = true,
};
