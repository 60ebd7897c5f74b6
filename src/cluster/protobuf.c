/* A stack of messages, each with the octet at which it ends; between two octets everything that is known
 * stands in the struct, so that the input may be cut anywhere. What is not needed is counted, not read.
 *
 * Invariants: a message ends inside the one around it; while the state is PROTOBUF_TAG the top message has
 * octets left, or there is none. What is broken inside a Kubernetes object costs that object only, since its
 * end is known; the rest of it is skipped. */
#include "protobuf.h"

#include <stdio.h>
#include <string.h>

void protobuf_init(struct protobuf *p, struct decoder *decoder, bool is_watch)
{
	memset(p, 0, sizeof(*p));
	p->decoder = decoder;
	p->is_watch = is_watch;
	p->state = is_watch ? PROTOBUF_FRAME : PROTOBUF_MAGIC;
}

void protobuf_finish(struct protobuf *p)
{
	buffer_finish(&p->text);
}

static struct protobuf_level *top(struct protobuf *p)
{
	return &p->levels[p->depth - 1];
}

static bool emit(struct protobuf *p, enum scalar_kind kind, const char *text, size_t length)
{
	return decoder_scalar(p->decoder, &(struct scalar){kind, text, length});
}

static bool emit_name(struct protobuf *p, const char *name)
{
	return emit(p, SCALAR_QUOTED, name, strlen(name));
}

/* Ends the list or map in which the decoder stands. */
static bool close_open(struct protobuf *p, struct protobuf_level *level)
{
	if (!level->open)
		return true;
	level->open = NULL;
	return decoder_end(p->decoder);
}

static bool is_repeated(const struct message_field *field)
{
	return field->type == MESSAGE_TEXTS || field->type == MESSAGE_OBJECTS ||
	       field->type == MESSAGE_LABELS;
}

/* Leads the decoder to where the value of a field belongs. */
static bool enter(struct protobuf *p, const struct message_field *field)
{
	struct protobuf_level *level = top(p);

	if (level->open == field)
		return true;
	if (!close_open(p, level) || !emit_name(p, field->name))
		return false;
	if (!is_repeated(field))
		return true;
	level->open = field;
	return field->type == MESSAGE_LABELS ? decoder_begin_map(p->decoder) : decoder_begin_list(p->decoder);
}

static bool close_level(struct protobuf *p)
{
	struct protobuf_level *level = top(p);

	if (level->fields == messages_label && level->has_key && !emit(p, SCALAR_QUOTED, "", 0))
		return false;
	if (!close_open(p, level))
		return false;
	p->depth--;
	return !level->has_map || decoder_end(p->decoder);
}

/* After a value: ends the messages that end here. */
static bool close_levels(struct protobuf *p)
{
	p->state = PROTOBUF_TAG;
	while (p->depth && p->at == top(p)->end)
		if (!close_level(p))
			return false;
	if (!p->depth)
		p->state = PROTOBUF_FRAME;
	return true;
}

static bool skip_until(struct protobuf *p, uint64_t end)
{
	p->state = PROTOBUF_SKIP;
	p->until = end;
	return p->at < end || close_levels(p);
}

/* Gives up the innermost object; false: what is broken is around all objects. */
static bool abandon(struct protobuf *p, const char *why)
{
	unsigned keep = p->depth;

	while (keep && !p->levels[keep - 1].is_object)
		keep--;
	if (!keep)
		return decoder_refuse(p->decoder, "not protobuf: %s", why);
	decoder_fail(p->decoder, p->decoder->line, "", "not protobuf: %s", why);
	while (p->depth > keep)
		if (!close_level(p))
			return false;
	return close_open(p, top(p)) && skip_until(p, top(p)->end);
}

/* No more of them than the tables of messages.c are deep. */
static void push_level(struct protobuf *p, const struct protobuf_level *level)
{
	assert(p->depth < PROTOBUF_DEPTH);
	p->levels[p->depth++] = *level;
}

static bool begin_object(struct protobuf *p, uint64_t end)
{
	const struct message_field *field = p->field;
	struct protobuf_level level = {.fields = field->fields,
		.end = end,
		.has_map = field->type == MESSAGE_OBJECT || field->type == MESSAGE_OBJECTS,
		.is_object = field->is_kubernetes_object};

	if (field->type == MESSAGE_LABELS)
		level.fields = messages_label;
	if (field->name && !enter(p, field))
		return false;
	push_level(p, &level);
	return !level.has_map || decoder_begin_map(p->decoder);
}

static bool begin_envelope(struct protobuf *p, uint64_t end)
{
	struct protobuf_level level = {.fields = messages_unknown, .end = end};

	if (end - p->at < sizeof(p->head))
		return abandon(p, "not an object of Kubernetes");
	p->state = PROTOBUF_MAGIC;
	push_level(p, &level);
	return true;
}

/* The kind stands before the message itself. */
static bool begin_raw(struct protobuf *p, uint64_t end)
{
	struct protobuf_level level = {.fields = messages_of_kind(p->decoder->kind), .end = end};

	if (!level.fields)
		return skip_until(p, end);
	push_level(p, &level);
	return true;
}

static bool begin_text(struct protobuf *p, uint64_t end)
{
	p->state = PROTOBUF_TEXT;
	p->until = end;
	buffer_clear(&p->text);
	return true;
}

/* The length of a field has been read, and is within the message. */
static bool begin_value(struct protobuf *p, uint64_t end)
{
	switch (p->field ? p->field->type : MESSAGE_NUMBER) {
	case MESSAGE_TEXT:
	case MESSAGE_TEXTS:
	case MESSAGE_KEY:
	case MESSAGE_LABEL:
		return begin_text(p, end);
	case MESSAGE_PRESENCE:
		return enter(p, p->field) && emit(p, SCALAR_QUOTED, "set", 3) && skip_until(p, end);
	case MESSAGE_OBJECT:
	case MESSAGE_OBJECTS:
	case MESSAGE_LABELS:
	case MESSAGE_INSIDE:
		p->state = PROTOBUF_TAG;
		return begin_object(p, end);
	case MESSAGE_ENVELOPE:
		return begin_envelope(p, end);
	case MESSAGE_RAW:
		p->state = PROTOBUF_TAG;
		return begin_raw(p, end);
	default:
		return skip_until(p, end);
	}
}

static bool take_key(struct protobuf *p, const char *text, size_t length)
{
	struct protobuf_level *level = top(p);

	if (level->has_key)
		return true;
	level->has_key = true;
	return emit(p, SCALAR_QUOTED, text, length);
}

static bool take_label(struct protobuf *p, const char *text, size_t length)
{
	if (!take_key(p, "", 0))
		return false;
	top(p)->has_key = false;
	top(p)->fields = messages_label + 2; /* no more of them */
	return emit(p, SCALAR_QUOTED, text, length);
}

/* An empty text is one that is not set: Kubernetes writes both the same way. */
static bool take_text(struct protobuf *p, const char *text, size_t length)
{
	if (p->field->type == MESSAGE_KEY)
		return take_key(p, text, length);
	if (p->field->type == MESSAGE_LABEL)
		return take_label(p, text, length);
	return !length || (enter(p, p->field) && emit(p, SCALAR_QUOTED, text, length));
}

static bool take_number(struct protobuf *p)
{
	char text[24];
	int length;

	if (!p->field || (p->field->type != MESSAGE_NUMBER && p->field->type != MESSAGE_BOOLEAN))
		return true;
	if (p->field->type == MESSAGE_BOOLEAN)
		length = snprintf(text, sizeof(text), "%s", p->varint ? "true" : "false");
	else
		length = snprintf(text, sizeof(text), "%lld", (long long)(int64_t)p->varint);
	return enter(p, p->field) && emit(p, SCALAR_PLAIN, text, (size_t)length);
}

static const struct message_field *find_field(const struct protobuf_level *level, uint64_t number)
{
	for (const struct message_field *field = level->fields; field->number; field++)
		if (field->number == number)
			return field;
	return NULL;
}

static bool skip_octets(struct protobuf *p, unsigned octets)
{
	if (octets > top(p)->end - p->at)
		return abandon(p, "a value is cut");
	return skip_until(p, p->at + octets);
}

enum { TYPE_VARINT, TYPE_64_BITS, TYPE_LENGTH, TYPE_32_BITS = 5 };

static bool take_tag(struct protobuf *p)
{
	unsigned type = p->varint & 7;
	bool is_number;

	p->field = find_field(top(p), p->varint >> 3);
	is_number = p->field && (p->field->type == MESSAGE_NUMBER || p->field->type == MESSAGE_BOOLEAN);
	if (p->field && is_number != (type == TYPE_VARINT))
		p->field = NULL; /* a later version of the message has it otherwise */
	if (p->at == top(p)->end)
		return abandon(p, "a field without a value");
	switch (type) {
	case TYPE_VARINT:
		p->state = PROTOBUF_VALUE;
		return true;
	case TYPE_LENGTH:
		p->state = PROTOBUF_LENGTH;
		return true;
	case TYPE_64_BITS:
		return skip_octets(p, 8);
	case TYPE_32_BITS:
		return skip_octets(p, 4);
	default:
		return abandon(p, "a field of an unknown type");
	}
}

static bool take_length(struct protobuf *p)
{
	uint64_t length = p->varint;

	if (length > top(p)->end - p->at)
		return abandon(p, "a field is longer than what it is in");
	if (!begin_value(p, p->at + length))
		return false;
	if (p->state == PROTOBUF_TEXT && !length)
		return take_text(p, "", 0) && close_levels(p);
	return p->state != PROTOBUF_TAG || close_levels(p);
}

static bool take_varint(struct protobuf *p)
{
	switch (p->state) {
	case PROTOBUF_TAG:
		return take_tag(p);
	case PROTOBUF_LENGTH:
		return take_length(p);
	default:
		return take_number(p) && close_levels(p);
	}
}

/* Seven bits at a time, the lowest first. */
static bool push_varint(struct protobuf *p, uint8_t octet)
{
	bool is_last = octet < 0x80;

	p->at++;
	if (p->varint_bits < 64)
		p->varint |= (uint64_t)(octet & 0x7f) << p->varint_bits;
	p->varint_bits += 7;
	if (is_last) {
		bool goes_on = take_varint(p);

		p->varint = 0;
		p->varint_bits = 0;
		return goes_on;
	}
	if (p->varint_bits == 70 || p->at == top(p)->end) {
		p->varint = 0;
		p->varint_bits = 0;
		return abandon(p, "a number without an end");
	}
	return true;
}

static bool begin_frame(struct protobuf *p)
{
	struct protobuf_level level = {.fields = messages_event, .has_map = true, .is_object = true};
	uint32_t length = (uint32_t)p->head[0] << 24 | (uint32_t)p->head[1] << 16 |
			  (uint32_t)p->head[2] << 8 | p->head[3];

	if (length > PROTOBUF_FRAME_MAX)
		return decoder_refuse(p->decoder, "not protobuf: an event of %u octets", (unsigned)length);
	level.end = p->at + length;
	push_level(p, &level);
	return decoder_begin_map(p->decoder) && close_levels(p);
}

static bool begin_document(struct protobuf *p)
{
	struct protobuf_level level = {.fields = messages_unknown, .end = UINT64_MAX, .has_map = true};

	push_level(p, &level);
	return decoder_begin_map(p->decoder) && close_levels(p);
}

static bool take_magic(struct protobuf *p)
{
	bool is_magic = memcmp(p->head, "k8s", 4) == 0;

	if (!p->depth)
		return is_magic ? begin_document(p)
				: decoder_refuse(p->decoder, "not protobuf of Kubernetes");
	return is_magic ? close_levels(p) : abandon(p, "not an object of Kubernetes");
}

static bool push_head(struct protobuf *p, uint8_t octet)
{
	p->head[p->head_octets++] = octet;
	p->at++;
	if (p->head_octets == sizeof(p->head)) {
		p->head_octets = 0;
		return p->state == PROTOBUF_FRAME ? begin_frame(p) : take_magic(p);
	}
	return true;
}

static size_t shorter(uint64_t a, uint64_t b)
{
	return (size_t)(a < b ? a : b);
}

/* A text that lies in one piece is not copied. */
static bool push_text(struct protobuf *p, const uint8_t *octets, size_t length, bool is_whole)
{
	size_t room = PROTOBUF_TEXT_MAX - p->text.length;

	if (is_whole && !p->text.length)
		return take_text(p, (const char *)octets, shorter(length, room)) && close_levels(p);
	buffer_add(&p->text, octets, shorter(length, room));
	return !is_whole || (take_text(p, p->text.bytes, p->text.length) && close_levels(p));
}

static bool push_long(struct protobuf *p, const uint8_t *octets, size_t length)
{
	bool is_whole;

	p->at += length;
	is_whole = p->at == p->until;
	if (p->state == PROTOBUF_TEXT)
		return push_text(p, octets, length, is_whole);
	return !is_whole || close_levels(p);
}

bool protobuf_push(struct protobuf *p, const uint8_t *octets, size_t length)
{
	const uint8_t *end = octets + length;
	bool goes_on = true;

	while (goes_on && octets < end) {
		if (p->state == PROTOBUF_TEXT || p->state == PROTOBUF_SKIP) {
			size_t piece = shorter(p->until - p->at, (size_t)(end - octets));

			goes_on = push_long(p, octets, piece);
			octets += piece;
		} else if (p->state == PROTOBUF_FRAME || p->state == PROTOBUF_MAGIC) {
			goes_on = push_head(p, *octets++);
		} else {
			goes_on = push_varint(p, *octets++);
		}
	}
	return goes_on;
}

bool protobuf_end(struct protobuf *p)
{
	bool is_between = p->state == PROTOBUF_TAG && !p->varint_bits;

	if (p->is_watch && !p->depth && !p->head_octets)
		return true;
	if (!p->is_watch && p->depth == 1 && is_between)
		return close_level(p);
	return decoder_refuse(p->decoder, "not protobuf: it ends too early");
}
