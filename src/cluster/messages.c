#include "messages.h"

#include <string.h>

static const struct message_field type_meta[] = {
	{1, MESSAGE_TEXT, "apiVersion", NULL, false},
	{2, MESSAGE_TEXT, "kind", NULL, false},
	{0},
};

const struct message_field messages_unknown[] = {
	{1, MESSAGE_INSIDE, NULL, type_meta, false},
	{2, MESSAGE_RAW, NULL, NULL, false},
	{0},
};

static const struct message_field raw_extension[] = {
	{1, MESSAGE_ENVELOPE, NULL, messages_unknown, false},
	{0},
};

const struct message_field messages_event[] = {
	{1, MESSAGE_TEXT, "type", NULL, false},
	{2, MESSAGE_OBJECT, "object", raw_extension, true},
	{0},
};

const struct message_field messages_label[] = {
	{1, MESSAGE_KEY, NULL, NULL, false},
	{2, MESSAGE_LABEL, NULL, NULL, false},
	{0},
};

static const struct message_field object_meta[] = {
	{1, MESSAGE_TEXT, "name", NULL, false},
	{3, MESSAGE_TEXT, "namespace", NULL, false},
	{6, MESSAGE_TEXT, "resourceVersion", NULL, false},
	{9, MESSAGE_PRESENCE, "deletionTimestamp", NULL, false},
	{11, MESSAGE_LABELS, "labels", NULL, false},
	{12, MESSAGE_LABELS, "annotations", NULL, false},
	{0},
};

static const struct message_field list_meta[] = {
	{2, MESSAGE_TEXT, "resourceVersion", NULL, false},
	{3, MESSAGE_TEXT, "continue", NULL, false},
	{0},
};

static const struct message_field service_port[] = {
	{1, MESSAGE_TEXT, "name", NULL, false},
	{2, MESSAGE_TEXT, "protocol", NULL, false},
	{3, MESSAGE_NUMBER, "port", NULL, false},
	{0},
};

static const struct message_field service_spec[] = {
	{1, MESSAGE_OBJECTS, "ports", service_port, false},
	{3, MESSAGE_TEXT, "clusterIP", NULL, false},
	{4, MESSAGE_TEXT, "type", NULL, false},
	{5, MESSAGE_TEXTS, "externalIPs", NULL, false},
	{10, MESSAGE_TEXT, "externalName", NULL, false},
	{18, MESSAGE_TEXTS, "clusterIPs", NULL, false},
	{0},
};

static const struct message_field ingress[] = {
	{1, MESSAGE_TEXT, "ip", NULL, false},
	{2, MESSAGE_TEXT, "hostname", NULL, false},
	{0},
};

static const struct message_field load_balancer[] = {
	{1, MESSAGE_OBJECTS, "ingress", ingress, false},
	{0},
};

static const struct message_field service_status[] = {
	{1, MESSAGE_OBJECT, "loadBalancer", load_balancer, false},
	{0},
};

static const struct message_field service[] = {
	{1, MESSAGE_OBJECT, "metadata", object_meta, false},
	{2, MESSAGE_OBJECT, "spec", service_spec, false},
	{3, MESSAGE_OBJECT, "status", service_status, false},
	{0},
};

static const struct message_field conditions[] = {
	{1, MESSAGE_BOOLEAN, "ready", NULL, false},
	{0},
};

static const struct message_field target[] = {
	{3, MESSAGE_TEXT, "name", NULL, false},
	{0},
};

static const struct message_field endpoint[] = {
	{1, MESSAGE_TEXTS, "addresses", NULL, false},
	{2, MESSAGE_OBJECT, "conditions", conditions, false},
	{3, MESSAGE_TEXT, "hostname", NULL, false},
	{4, MESSAGE_OBJECT, "targetRef", target, false},
	{7, MESSAGE_TEXT, "zone", NULL, false},
	{0},
};

static const struct message_field endpoint_slice[] = {
	{1, MESSAGE_OBJECT, "metadata", object_meta, false},
	{2, MESSAGE_OBJECTS, "endpoints", endpoint, false},
	{3, MESSAGE_OBJECTS, "ports", service_port, false}, /* EndpointPort has the same numbers */
	{4, MESSAGE_TEXT, "addressType", NULL, false},
	{0},
};

static const struct message_field pod_ip[] = {
	{1, MESSAGE_TEXT, "ip", NULL, false},
	{0},
};

static const struct message_field pod_status[] = {
	{1, MESSAGE_TEXT, "phase", NULL, false},
	{6, MESSAGE_TEXT, "podIP", NULL, false},
	{12, MESSAGE_OBJECTS, "podIPs", pod_ip, false},
	{0},
};

static const struct message_field pod[] = {
	{1, MESSAGE_OBJECT, "metadata", object_meta, false},
	{3, MESSAGE_OBJECT, "status", pod_status, false},
	{0},
};

static const struct message_field metadata_only[] = {
	{1, MESSAGE_OBJECT, "metadata", object_meta, false},
	{0},
};

static const struct message_field status[] = {
	{3, MESSAGE_TEXT, "message", NULL, false},
	{4, MESSAGE_TEXT, "reason", NULL, false},
	{6, MESSAGE_NUMBER, "code", NULL, false},
	{0},
};

static const struct message_field service_list[] = {
	{1, MESSAGE_OBJECT, "metadata", list_meta, false},
	{2, MESSAGE_OBJECTS, "items", service, true},
	{0},
};

static const struct message_field endpoint_slice_list[] = {
	{1, MESSAGE_OBJECT, "metadata", list_meta, false},
	{2, MESSAGE_OBJECTS, "items", endpoint_slice, true},
	{0},
};

static const struct message_field pod_list[] = {
	{1, MESSAGE_OBJECT, "metadata", list_meta, false},
	{2, MESSAGE_OBJECTS, "items", pod, true},
	{0},
};

static const struct message_field metadata_list[] = {
	{1, MESSAGE_OBJECT, "metadata", list_meta, false},
	{2, MESSAGE_OBJECTS, "items", metadata_only, true},
	{0},
};

const struct message_field *messages_of_kind(const char *kind)
{
	static const struct {
		const char *kind;
		const struct message_field *fields;
	} kinds[] = {
		{"EndpointSlice", endpoint_slice},
		{"EndpointSliceList", endpoint_slice_list},
		{"Namespace", metadata_only},
		{"NamespaceList", metadata_list},
		{"PartialObjectMetadata", metadata_only},
		{"PartialObjectMetadataList", metadata_list},
		{"Pod", pod},
		{"PodList", pod_list},
		{"Service", service},
		{"ServiceList", service_list},
		{"Status", status},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++)
		if (strcmp(kinds[i].kind, kind) == 0)
			return kinds[i].fields;
	return NULL;
}
