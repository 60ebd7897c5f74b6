/* From the fields to the object: its kind, the names it must have, whether it is wanted. */
#include "assemble.h"

#include <string.h>

#include "fields.h"
#include "rfc1123.h"

static void begin_object(struct decoder *d)
{
	draft_clear(&d->draft);
	labels_clear(&d->labels);
	d->first_line = d->line;
	*d->kind = '\0';
	*d->api_version = '\0';
	d->single_address = (struct ip){0};
	d->single_is_none = d->first_is_none = d->has_address_list = false;
	d->is_external = d->is_fqdn = d->is_over = false;
	d->has_failed = false;
}

void assemble_begin_document(struct decoder *d)
{
	begin_object(d);
	d->is_list = false;
}

void assemble_begin_items(struct decoder *d)
{
	memcpy(d->list_kind, d->kind, sizeof(d->list_kind));
	memcpy(d->list_version, d->api_version, sizeof(d->list_version));
	d->is_list = true;
}

void assemble_begin_item(struct decoder *d)
{
	begin_object(d);
}

/* Items of a ServiceList and the like need not say what they are. */
static void inherit_kind(struct decoder *d)
{
	size_t length = strlen(d->list_kind);

	if (*d->kind || length <= 4)
		return;
	memcpy(d->kind, d->list_kind, length - 4);
	d->kind[length - 4] = '\0';
	if (!*d->api_version)
		memcpy(d->api_version, d->list_version, sizeof(d->api_version));
}

static bool find_kind(struct decoder *d)
{
	static const struct {
		const char *kind, *api_version;
		enum object_kind object;
	} kinds[] = {
		{"Namespace", "v1", OBJECT_NAMESPACE},
		{"Service", "v1", OBJECT_SERVICE},
		{"EndpointSlice", "discovery.k8s.io/v1", OBJECT_ENDPOINT_SLICE},
		{"Pod", "v1", OBJECT_POD},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++)
		if (strcmp(kinds[i].kind, d->kind) == 0 &&
			strcmp(kinds[i].api_version, d->api_version) == 0) {
			d->draft.head.kind = (uint8_t)kinds[i].object;
			return true;
		}
	return false;
}

static void complete_name(struct decoder *d)
{
	struct object *head = &d->draft.head;
	bool is_label = head->kind == OBJECT_SERVICE || head->kind == OBJECT_NAMESPACE;
	const char *name = (const char *)d->draft.texts + head->name.offset;
	char quoted[FIELDS_QUOTED];

	if (!head->name.length)
		decoder_fail(d, d->first_line, "metadata.name", "missing");
	else if (is_label && !rfc1123_is_label(name, head->name.length))
		decoder_fail(d, d->first_line, "metadata.name", "not a lower-case DNS label: %s",
			fields_quote(quoted, name, head->name.length));
	if (head->kind == OBJECT_NAMESPACE)
		head->namespace = (struct text){0};
	else if (!head->namespace.length)
		head->namespace = draft_text(&d->draft, "default", 7);
}

static void complete_service(struct decoder *d)
{
	struct object *head = &d->draft.head;
	bool is_headless = d->has_address_list ? d->first_is_none : d->single_is_none;

	head->service_kind = is_headless ? SERVICE_HEADLESS : SERVICE_CLUSTER_IP;
	if (d->is_external)
		head->service_kind = SERVICE_EXTERNAL_NAME;
	else
		head->external_name = (struct text){0};
	if (d->is_external && !head->external_name.length)
		decoder_fail(d, d->first_line, "spec.externalName", "missing");
	if (head->service_kind != SERVICE_CLUSTER_IP)
		d->draft.addresses.count = 0;
	else if (!d->has_address_list && d->single_address.family)
		decoder_keep_address(d, &d->single_address);
}

static void complete_pod(struct decoder *d)
{
	d->draft.addresses.count = 0;
	if (d->single_address.family)
		decoder_keep_address(d, &d->single_address);
}

static bool is_listed_namespace(const struct decoder *d)
{
	struct text name = d->draft.head.name;

	for (size_t i = 0; i < d->config->namespace_count; i++)
		if (strlen(d->config->namespaces[i]) == name.length &&
			memcmp(d->config->namespaces[i], d->draft.texts + name.offset, name.length) == 0)
			return true;
	return !d->config->namespaces;
}

/* What an API server would leave out of its answer, or CoreDNS would not ask for. */
static bool is_wanted(const struct decoder *d)
{
	const struct selector *labels = d->config->labels;

	if (d->draft.head.kind == OBJECT_NAMESPACE) {
		labels = d->config->namespace_labels;
		if (!is_listed_namespace(d))
			return false;
	}
	if (d->draft.head.kind == OBJECT_ENDPOINT_SLICE && !d->config->endpoints)
		return false;
	if (d->draft.head.kind == OBJECT_POD && (!d->config->pods || d->is_over || !d->draft.addresses.count))
		return false;
	return !labels || selector_matches(labels, &d->labels);
}

/* Slices of host names (deprecated in Kubernetes) and such that belong to no Service give no records. */
static bool is_of_no_use(const struct decoder *d)
{
	return d->draft.head.kind == OBJECT_ENDPOINT_SLICE &&
	       (d->is_fqdn || !d->draft.head.service_name.length);
}

static bool end_object(struct decoder *d)
{
	if (!*d->kind || !*d->api_version) {
		d->has_failed = false;
		decoder_fail(d, d->first_line, *d->kind ? "apiVersion" : "kind", "missing");
		return decoder_give_up(d);
	}
	if (!find_kind(d)) {
		d->on_other_kind(d->context, d->kind, d->api_version);
		return true;
	}
	if (is_of_no_use(d))
		return true;
	complete_name(d);
	if (d->draft.head.kind == OBJECT_SERVICE)
		complete_service(d);
	if (d->draft.head.kind == OBJECT_POD)
		complete_pod(d);
	else
		d->draft.head.is_terminating = false;
	if (d->has_failed)
		return decoder_give_up(d);
	return !is_wanted(d) || d->on_object(d->context, d, draft_pack(&d->draft));
}

bool fields_is_list(const char *kind)
{
	size_t length = strlen(kind);

	return length >= 4 && strcmp(kind + length - 4, "List") == 0;
}

bool assemble_end_item(struct decoder *d)
{
	inherit_kind(d);
	return end_object(d);
}

bool assemble_end_document(struct decoder *d)
{
	return d->is_list || fields_is_list(d->kind) || end_object(d);
}
