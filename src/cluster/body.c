/* Events of a watch in JSON are lines, each of which gets a parser of its own: what is broken in one does not
 * reach the next. */
#include "body.h"

#include <string.h>

#include "fields.h"

#define PROTOBUF_TYPE "application/vnd.kubernetes.protobuf"

void body_init(struct body *body, struct decoder *decoder, bool is_watch, const char *content_type)
{
	*body = (struct body){.decoder = decoder, .is_watch = is_watch};
	decoder_reset(decoder);
	decoder->root = is_watch ? &fields_event : &fields_list;
	body->is_protobuf = strncmp(content_type, PROTOBUF_TYPE, strlen(PROTOBUF_TYPE)) == 0;
	if (body->is_protobuf)
		protobuf_init(&body->protobuf, decoder, is_watch);
	else if (!is_watch)
		body->json = json_create(decoder);
}

void body_finish(struct body *body)
{
	protobuf_finish(&body->protobuf);
	json_destroy(body->json);
	*body = (struct body){0};
}

static bool skip_event(struct body *body)
{
	struct decoder *d = body->decoder;

	d->failure = *d->error;
	decoder_reset(d);
	body->skips_event = true;
	return d->on_object(d->context, d, DECODED_BROKEN, NULL);
}

static bool push_piece(struct body *body, const uint8_t *octets, size_t length)
{
	body->event_octets += length;
	if (body->event_octets > BODY_EVENT_MAX)
		return decoder_refuse(
			body->decoder, "not JSON: an event of more than %u octets", BODY_EVENT_MAX);
	if (body->skips_event || !length)
		return true;
	if (!body->json)
		body->json = json_create(body->decoder);
	return json_push(body->json, octets, length) || skip_event(body);
}

static bool end_line(struct body *body)
{
	bool is_good = body->skips_event || !body->json || json_end(body->json) || skip_event(body);

	json_destroy(body->json);
	body->json = NULL;
	body->event_octets = 0;
	body->skips_event = false;
	return is_good;
}

static bool push_lines(struct body *body, const uint8_t *octets, size_t length)
{
	const uint8_t *end = octets + length, *newline;

	while ((newline = memchr(octets, '\n', (size_t)(end - octets)))) {
		if (!push_piece(body, octets, (size_t)(newline - octets)) || !end_line(body))
			return false;
		octets = newline + 1;
	}
	return push_piece(body, octets, (size_t)(end - octets));
}

bool body_push(struct body *body, const uint8_t *octets, size_t length)
{
	if (body->is_protobuf)
		return protobuf_push(&body->protobuf, octets, length);
	return body->is_watch ? push_lines(body, octets, length) : json_push(body->json, octets, length);
}

bool body_end(struct body *body)
{
	return body->is_protobuf ? protobuf_end(&body->protobuf) : json_end(body->json);
}
