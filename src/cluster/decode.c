/* A stack of frames follows the document down the tree of fields.c; what is not in the tree is counted in
 * `skipped` and otherwise ignored. Invariant: frames[depth - 1].field is a map, list or labels; a scalar has
 * no frame. */
#include "decode.h"

#include <stdio.h>
#include <string.h>

#include "fields.h"

void decoder_init(struct decoder *d)
{
	memset(d, 0, sizeof(*d));
	d->root = &fields_document;
	d->expected = OBJECT_KINDS;
}

void decoder_finish(struct decoder *d)
{
	draft_finish(&d->draft);
	labels_finish(&d->labels);
	buffer_finish(&d->label_key);
}

void decoder_reset(struct decoder *d)
{
	d->depth = d->skipped = 0;
	d->has_failed = false;
	buffer_clear(&d->label_key);
}

static struct frame *top(struct decoder *d)
{
	return d->depth ? &d->frames[d->depth - 1] : NULL;
}

/* In a file it matters where an object stands, in an answer of the API it does not. */
static unsigned first_of_path(const struct decoder *d)
{
	if (d->file || !d->is_item)
		return 0;
	return d->root == &fields_event ? 1 : 2;
}

static void add_path(const struct decoder *d, struct buffer *path)
{
	for (unsigned i = first_of_path(d); i < d->depth; i++) {
		const struct frame *frame = &d->frames[i];

		if (frame->field->type == FIELD_LIST)
			buffer_format(path, "[%u]", frame->index - 1);
		else if (frame->field->type == FIELD_LABELS && d->label_key.length)
			buffer_format(path, ".%s", d->label_key.bytes);
		else if (frame->key)
			buffer_format(path, "%s%s", path->length ? "." : "", frame->key->name);
	}
}

static bool add_place(const struct decoder *d, unsigned line, struct error *error)
{
	return d->file ? error_prefix(error, "%s:%u: ", d->file, line) : false;
}

void decoder_fail(struct decoder *d, unsigned line, const char *below, const char *format, ...)
{
	struct buffer message;
	va_list arguments;
	char why[256];

	if (d->has_failed)
		return;
	d->has_failed = true;
	buffer_init(&message);
	add_path(d, &message);
	if (*below)
		buffer_format(&message, "%s%s", message.length ? "." : "", below);
	va_start(arguments, format);
	vsnprintf(why, sizeof(why), format, arguments);
	va_end(arguments);
	error_set(&d->failure, "%s: %s", message.length ? message.bytes : "object", why);
	add_place(d, line, &d->failure);
	buffer_finish(&message);
}

bool decoder_give_up(struct decoder *d)
{
	*d->error = d->failure;
	return false;
}

bool decoder_refuse(struct decoder *d, const char *format, ...)
{
	va_list arguments;
	char why[256];

	va_start(arguments, format);
	vsnprintf(why, sizeof(why), format, arguments);
	va_end(arguments);
	error_set(d->error, "%s", why);
	return add_place(d, d->line, d->error);
}

const char *fields_quote(char out[FIELDS_QUOTED], const char *text, size_t length)
{
	size_t shown = length < FIELDS_QUOTED - 8 ? length : FIELDS_QUOTED - 8;

	snprintf(out, FIELDS_QUOTED, "\"%.*s%s\"", (int)shown, text, shown < length ? "..." : "");
	for (char *at = out; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 127)
			*at = '?';
	return out;
}

/* Items are objects only where a List holds them: other kinds may have "items" of their own. */
static bool has_objects(const struct decoder *d)
{
	return d->depth == 1 && (!*d->kind || fields_is_list(d->kind));
}

static const struct field *find_field(
	const struct decoder *d, const struct frame *frame, const struct scalar *key)
{
	for (const struct field *field = frame->field->fields; field->name; field++)
		if (strlen(field->name) == key->length && memcmp(field->name, key->text, key->length) == 0)
			return field->type != FIELD_LIST || !field->fields->is_object || has_objects(d)
				       ? field
				       : NULL;
	return NULL;
}

static void take_key(struct decoder *d, struct frame *frame, const struct scalar *key)
{
	char quoted[FIELDS_QUOTED];
	uint32_t bit;

	frame->awaits_value = true;
	if (frame->field->type == FIELD_LABELS) {
		buffer_clear(&d->label_key);
		buffer_add(&d->label_key, key->text, key->length);
		frame->key = frame->field->fields;
		return;
	}
	frame->key = find_field(d, frame, key);
	if (key->length == 2 && memcmp(key->text, "<<", 2) == 0)
		decoder_fail(d, d->line, "", "merge keys (<<) are not supported");
	if (!frame->key)
		return;
	bit = UINT32_C(1) << (frame->key - frame->field->fields);
	if (frame->seen & bit)
		decoder_fail(
			d, d->line, "", "%s is there twice", fields_quote(quoted, key->text, key->length));
	frame->seen |= bit;
}

/* The field whose value begins now: NULL if it is not needed. False: a value cannot stand here. */
static bool next_field(struct decoder *d, const struct field **ret)
{
	struct frame *frame = top(d);

	if (!frame) {
		*ret = d->root;
	} else if (frame->field->type == FIELD_LIST) {
		frame->index++;
		*ret = frame->field->fields;
	} else if (frame->awaits_value) {
		frame->awaits_value = false;
		*ret = frame->key;
	} else {
		return decoder_refuse(d, "a key has to be text");
	}
	return true;
}

static const char *name_of(enum field_type type)
{
	if (type == FIELD_LIST)
		return "a list";
	return type == FIELD_SCALAR ? "a single value" : "an object";
}

static bool skip(struct decoder *d)
{
	if (++d->skipped > DECODER_DEPTH_MAX)
		return decoder_refuse(d, "nested more than %d levels deep", DECODER_DEPTH_MAX);
	return true;
}

/* A value of the wrong shape. Where an object of its own should be (a document, an item of a List), there is
 * none that could turn out not to matter. */
static bool mismatch(struct decoder *d, const struct field *field, const struct scalar *scalar)
{
	char quoted[FIELDS_QUOTED] = "";

	if (scalar)
		fields_quote(quoted, scalar->text, scalar->length);
	if (!d->depth)
		return decoder_refuse(d, "not an object%s%s", scalar ? ": " : "", quoted);
	if (field->is_object)
		d->has_failed = false;
	decoder_fail(d, d->line, "", "not %s%s%s", name_of(field->type), scalar ? ": " : "", quoted);
	return !field->is_object || d->on_object(d->context, d, DECODED_BROKEN, NULL);
}

static bool begin(struct decoder *d, bool is_list)
{
	const struct field *field = NULL;

	if (d->skipped)
		return skip(d);
	if (!next_field(d, &field))
		return false;
	if (field && is_list == (field->type == FIELD_LIST) && field->type != FIELD_SCALAR) {
		assert(d->depth < DECODER_FRAMES);
		d->frames[d->depth++] = (struct frame){.field = field};
		if (field->begin)
			field->begin(d);
		return true;
	}
	return (!field || mismatch(d, field, NULL)) && skip(d);
}

bool decoder_begin_map(struct decoder *d)
{
	return begin(d, false);
}

bool decoder_begin_list(struct decoder *d)
{
	return begin(d, true);
}

bool decoder_end(struct decoder *d)
{
	const struct field *field;

	if (d->skipped) {
		d->skipped--;
		return true;
	}
	assert(d->depth);
	field = d->frames[--d->depth].field;
	return !field->end || field->end(d);
}

bool decoder_scalar(struct decoder *d, const struct scalar *scalar)
{
	struct frame *frame = top(d);
	const struct field *field = NULL;

	if (d->skipped)
		return true;
	if (frame && frame->field->type != FIELD_LIST && !frame->awaits_value) {
		take_key(d, frame, scalar);
		return true;
	}
	if (!next_field(d, &field))
		return false;
	if (!field || scalar->kind == SCALAR_NULL)
		return true;
	if (field->type != FIELD_SCALAR)
		return mismatch(d, field, scalar);
	field->take(d, scalar);
	return true;
}

bool decoder_alias(struct decoder *d)
{
	const struct field *field = NULL;

	if (d->skipped)
		return true;
	if (!next_field(d, &field))
		return false;
	if (field)
		decoder_fail(d, d->line, "", "aliases (*name) are not supported");
	return true;
}
