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
	*d->version = '\0';
	d->triggered_at = 0;
}

void assemble_begin_document(struct decoder *d)
{
	begin_object(d);
	d->is_list = d->is_item = false;
	*d->list.version = *d->list.next = '\0';
	memset(&d->status, 0, sizeof(d->status));
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
	d->is_item = true;
}

void assemble_begin_event(struct decoder *d)
{
	assemble_begin_document(d);
	memset(&d->event, 0, sizeof(d->event));
	d->event.what = DECODED_OTHER_KIND;
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
			return d->expected == OBJECT_KINDS || d->expected == kinds[i].object;
		}
	return false;
}

static void complete_name(struct decoder *d)
{
	struct object *head = &d->draft.head;
	bool is_label = head->kind == OBJECT_SERVICE || head->kind == OBJECT_NAMESPACE;
	const char *name = head->name.length ? (const char *)d->draft.texts + head->name.offset : "";
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

/* podIPs has all of them, podIP the first; of a family only one can be meant. */
static void complete_pod(struct decoder *d)
{
	const struct cluster_ip *addresses = d->draft.addresses.items;

	if (!d->draft.addresses.count && d->single_address.family)
		decoder_keep_address(d, &d->single_address);
	if (d->draft.addresses.count > POD_ADDRESSES)
		d->draft.addresses.count = POD_ADDRESSES;
	if (d->draft.addresses.count == POD_ADDRESSES && addresses[0].family == addresses[1].family)
		d->draft.addresses.count = 1;
}

static bool is_listed_namespace(const struct decoder *d)
{
	struct text name = d->draft.head.name;

	for (size_t i = 0; i < d->config->namespace_count && name.length; i++)
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

/* By name alone: whatever the kind is called, and whatever else is wrong. */
static enum decoded judge_name(struct decoder *d)
{
	d->has_failed = false;
	d->draft.head.kind = (uint8_t)d->expected;
	complete_name(d);
	return d->has_failed ? DECODED_BROKEN : DECODED_OBJECT;
}

/* Completes the draft, as far as there is something to be handed over. */
static enum decoded judge(struct decoder *d)
{
	if (d->only_names)
		return judge_name(d);
	if (!*d->kind || !*d->api_version) {
		d->has_failed = false;
		decoder_fail(d, d->first_line, *d->kind ? "apiVersion" : "kind", "missing");
		return DECODED_BROKEN;
	}
	if (!find_kind(d))
		return DECODED_OTHER_KIND;
	complete_name(d);
	if (is_of_no_use(d))
		return DECODED_UNWANTED;
	if (d->draft.head.kind == OBJECT_SERVICE)
		complete_service(d);
	if (d->draft.head.kind == OBJECT_POD)
		complete_pod(d);
	else
		d->draft.head.is_terminating = false;
	if (d->has_failed)
		return DECODED_BROKEN;
	return is_wanted(d) ? DECODED_OBJECT : DECODED_UNWANTED;
}

static bool tell(struct decoder *d, enum decoded what)
{
	return d->on_object(d->context, d, what, draft_pack(&d->draft));
}

bool fields_is_list(const char *kind)
{
	size_t length = strlen(kind);

	return length >= 4 && strcmp(kind + length - 4, "List") == 0;
}

bool assemble_end_item(struct decoder *d)
{
	enum decoded what;

	inherit_kind(d);
	what = judge(d);
	d->is_item = false;
	return tell(d, what);
}

bool assemble_end_document(struct decoder *d)
{
	return d->is_list || fields_is_list(d->kind) || tell(d, judge(d));
}

/* The type of an event may stand behind its object, which is therefore kept until the end. */
bool assemble_end_event_object(struct decoder *d)
{
	d->event.what = judge(d);
	d->is_item = false;
	return true;
}

bool assemble_end_event(struct decoder *d)
{
	return tell(d, d->event.what);
}
