/* For tests: writes protobuf messages, field by field. */
#ifndef SVCDNS_TESTS_PROTOBUF_TEXT_H
#define SVCDNS_TESTS_PROTOBUF_TEXT_H

#include <string.h>

#include "svcdns/buffer.h"

static inline void put_varint(struct buffer *out, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		buffer_add(out, &(uint8_t){(uint8_t)(value | 0x80)}, 1);
	buffer_add(out, &(uint8_t){(uint8_t)value}, 1);
}

static inline void put_number(struct buffer *out, uint32_t field, uint64_t value)
{
	put_varint(out, field << 3);
	put_varint(out, value);
}

static inline void put_octets(struct buffer *out, uint32_t field, const void *octets, size_t length)
{
	put_varint(out, field << 3 | 2);
	put_varint(out, length);
	buffer_add(out, octets, length);
}

static inline void put_text(struct buffer *out, uint32_t field, const char *text)
{
	put_octets(out, field, text, strlen(text));
}

/* Takes the message, which is empty afterwards. */
static inline void put_message(struct buffer *out, uint32_t field, struct buffer *message)
{
	put_octets(out, field, message->bytes, message->length);
	buffer_finish(message);
}

static inline void put_label(struct buffer *out, uint32_t field, const char *key, const char *value)
{
	struct buffer entry = {0};

	put_text(&entry, 1, key);
	put_text(&entry, 2, value);
	put_message(out, field, &entry);
}

/* "k8s\0" and Unknown. Takes the message. */
static inline void put_envelope(
	struct buffer *out, const char *api_version, const char *kind, struct buffer *message)
{
	struct buffer type = {0};

	buffer_add(out, "k8s", 4);
	put_text(&type, 1, api_version);
	put_text(&type, 2, kind);
	put_message(out, 1, &type);
	put_message(out, 2, message);
	put_text(out, 3, "");
}

/* One event of a watch. Takes the object. */
static inline void put_frame(struct buffer *out, const char *type, const char *api_version, const char *kind,
	struct buffer *object)
{
	struct buffer envelope = {0}, raw = {0}, event = {0};

	put_envelope(&envelope, api_version, kind, object);
	put_message(&raw, 1, &envelope);
	put_text(&event, 1, type);
	put_message(&event, 2, &raw);
	for (int shift = 24; shift >= 0; shift -= 8)
		buffer_add(out, &(uint8_t){(uint8_t)(event.length >> shift)}, 1);
	buffer_add(out, event.bytes, event.length);
	buffer_finish(&event);
}

#endif
