#include "resource.h"

#include <string.h>

const struct resource resources[OBJECT_KINDS] = {
	[OBJECT_NAMESPACE] = {OBJECT_NAMESPACE, "namespaces", "", "/api/v1/namespaces", "v1", "NamespaceList",
		NULL},
	[OBJECT_SERVICE] = {OBJECT_SERVICE, "services", "", "/api/v1/services", "v1", "ServiceList", NULL},
	[OBJECT_ENDPOINT_SLICE] = {OBJECT_ENDPOINT_SLICE, "endpointslices", "discovery.k8s.io",
		"/apis/discovery.k8s.io/v1/endpointslices", "discovery.k8s.io/v1", "EndpointSliceList", NULL},
	[OBJECT_POD] = {OBJECT_POD, "pods", "", "/api/v1/pods", "v1", "PodList",
		"status.phase!=Succeeded,status.phase!=Failed,status.phase!=Unknown"},
};

/* Everything that is not unreserved is written as %XX (RFC 3986 section 2). */
static void add_value(struct buffer *out, const char *name, const char *value)
{
	static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

	buffer_format(out, "&%s=", name);
	for (; *value; value++)
		if (strchr(unreserved, *value))
			buffer_add(out, value, 1);
		else
			buffer_format(out, "%%%02X", (unsigned char)*value);
}

static void add_watch(struct buffer *out, const struct resource_request *request)
{
	buffer_text(out, "?watch=true&allowWatchBookmarks=true");
	if (request->ask == ASK_WATCH_LIST)
		buffer_text(out, "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan");
	buffer_format(out, "&timeoutSeconds=%u", request->timeout_s);
}

static void add_list(struct buffer *out, const struct resource_request *request)
{
	buffer_format(out, "?limit=%u", request->limit);
	if (*request->next)
		add_value(out, "continue", request->next);
}

void resource_target(const struct resource *resource, const struct resource_request *request,
	const struct selector *labels, struct buffer *out)
{
	struct buffer text;

	buffer_text(out, resource->path);
	if (request->ask == ASK_LIST)
		add_list(out, request);
	else
		add_watch(out, request);
	if (*request->version)
		add_value(out, "resourceVersion", request->version);
	if (resource->field_selector)
		add_value(out, "fieldSelector", resource->field_selector);
	if (!labels)
		return;
	buffer_init(&text);
	selector_format(labels, &text);
	if (text.length)
		add_value(out, "labelSelector", text.bytes);
	buffer_finish(&text);
}
