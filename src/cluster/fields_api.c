/* What answers of an API server have besides the fields of files: versions, the token of a list's next page,
 * the type of an event, and Status objects. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "assemble.h"
#include "fields.h"

static bool is_text(const struct scalar *scalar, const char *text)
{
	return strlen(text) == scalar->length && memcmp(scalar->text, text, scalar->length) == 0;
}

static void keep_text(char *to, size_t size, const struct scalar *scalar)
{
	size_t length = scalar->length < size ? scalar->length : size - 1;

	memcpy(to, scalar->text, length);
	to[length] = '\0';
}

static void take_version(struct decoder *d, const struct scalar *scalar)
{
	if (scalar->length > VERSION_MAX)
		decoder_fail(d, d->line, "", "too long");
	else
		keep_text(d->is_item ? d->version : d->list.version, VERSION_MAX + 1, scalar);
}

/* A token that was cut is refused by the server, and the list is asked for anew, in one piece. */
static void take_continue(struct decoder *d, const struct scalar *scalar)
{
	if (!d->is_item)
		keep_text(d->list.next, sizeof(d->list.next), scalar);
}

/* RFC 3339 in UTC, "2026-11-25T20:10:30.123456789Z"; 0: it is not. */
static double unix_time(const struct scalar *scalar)
{
	struct tm when = {0};
	double fraction = 0;
	char text[48], *rest;

	keep_text(text, sizeof(text), scalar);
	rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &when);
	if (rest && *rest == '.')
		fraction = strtod(rest, &rest);
	return rest && strcmp(rest, "Z") == 0 ? (double)timegm(&when) + fraction : 0;
}

static void take_annotation(struct decoder *d, const struct scalar *scalar)
{
	const char *key = d->label_key.bytes ? d->label_key.bytes : "";

	if (strcmp(key, "k8s.io/initial-events-end") == 0)
		d->event.ends_initial = is_text(scalar, "true");
	else if (strcmp(key, "endpoints.kubernetes.io/last-change-trigger-time") == 0)
		d->triggered_at = unix_time(scalar);
}

static void take_status_reason(struct decoder *d, const struct scalar *scalar)
{
	keep_text(d->status.reason, sizeof(d->status.reason), scalar);
}

static void take_status_message(struct decoder *d, const struct scalar *scalar)
{
	keep_text(d->status.message, sizeof(d->status.message), scalar);
}

static void take_status_code(struct decoder *d, const struct scalar *scalar)
{
	int32_t code = 0;

	for (size_t i = 0; i < scalar->length && i < 9 && scalar->text[i] >= '0' && scalar->text[i] <= '9';
		i++)
		code = code * 10 + (scalar->text[i] - '0');
	d->status.code = code;
}

static void take_event_type(struct decoder *d, const struct scalar *scalar)
{
	static const char *const types[] = {"", "ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"};

	for (size_t i = 0; i < ARRAY_LENGTH(types); i++)
		if (is_text(scalar, types[i]))
			d->event.type = (enum event_type)i;
}

static const struct field annotation = {.name = "", .type = FIELD_SCALAR, .take = take_annotation};

static const struct field metadata_fields[] = {
	{.name = "name", .type = FIELD_SCALAR, .take = fields_take_name},
	{.name = "namespace", .type = FIELD_SCALAR, .take = fields_take_namespace},
	{.name = "labels", .type = FIELD_LABELS, .fields = &fields_label},
	{.name = "deletionTimestamp", .type = FIELD_SCALAR, .take = fields_take_deletion},
	{.name = "resourceVersion", .type = FIELD_SCALAR, .take = take_version},
	{.name = "continue", .type = FIELD_SCALAR, .take = take_continue},
	{.name = "annotations", .type = FIELD_LABELS, .fields = &annotation},
	{0},
};

static const struct field item;

static const struct field object_fields[] = {
	{.name = "kind", .type = FIELD_SCALAR, .take = fields_take_kind},
	{.name = "apiVersion", .type = FIELD_SCALAR, .take = fields_take_api_version},
	{.name = "metadata", .type = FIELD_MAP, .fields = metadata_fields},
	{.name = "spec", .type = FIELD_MAP, .fields = fields_spec},
	{.name = "status", .type = FIELD_MAP, .fields = fields_status},
	{.name = "addressType", .type = FIELD_SCALAR, .take = fields_take_address_type},
	{.name = "endpoints", .type = FIELD_LIST, .fields = &fields_endpoint},
	{.name = "ports", .type = FIELD_LIST, .fields = &fields_slice_port},
	{.name = "items", .type = FIELD_LIST, .fields = &item, .begin = assemble_begin_items},
	{.name = "reason", .type = FIELD_SCALAR, .take = take_status_reason},
	{.name = "message", .type = FIELD_SCALAR, .take = take_status_message},
	{.name = "code", .type = FIELD_SCALAR, .take = take_status_code},
	{0},
};

static const struct field item = {
	.type = FIELD_MAP,
	.fields = object_fields,
	.begin = assemble_begin_item,
	.end = assemble_end_item,
	.is_object = true,
};

const struct field fields_list = {
	.type = FIELD_MAP,
	.fields = object_fields,
	.begin = assemble_begin_document,
	.end = assemble_end_document,
	.is_object = true,
};

static const struct field event_fields[] = {
	{.name = "type", .type = FIELD_SCALAR, .take = take_event_type},
	{.name = "object",
		.type = FIELD_MAP,
		.fields = object_fields,
		.begin = assemble_begin_item,
		.end = assemble_end_event_object},
	{0},
};

const struct field fields_event = {
	.type = FIELD_MAP,
	.fields = event_fields,
	.begin = assemble_begin_event,
	.end = assemble_end_event,
	.is_object = true,
};
