/* A stack of passages that are being read. Invariant: each has a token left, so that the next one is that of
 * the innermost. Passages are only pointed at: an import costs nothing but what is read of it. */
#include "stream.h"

#include <string.h>

#include "svcdns/memory.h"

#define FIRST_CAPACITY 8

struct reading {
	const struct token *at, *end;
};

static void push(struct stream *stream, struct passage passage)
{
	if (!passage.count)
		return;
	if (stream->depth == stream->capacity) {
		stream->capacity = stream->capacity ? 2 * stream->capacity : FIRST_CAPACITY;
		stream->readings =
			memory_resize(stream->readings, stream->capacity * sizeof(*stream->readings));
	}
	stream->readings[stream->depth++] = (struct reading){passage.tokens, passage.tokens + passage.count};
}

static struct reading *innermost(const struct stream *stream)
{
	return stream->depth ? &stream->readings[stream->depth - 1] : NULL;
}

void stream_init(struct stream *stream, const char *file, struct passage passage)
{
	*stream = (struct stream){.token = {"", file, 0}}; /* line 0: whatever comes first begins a line */
	push(stream, passage);
	stream_next(stream);
}

void stream_finish(struct stream *stream)
{
	memory_free(stream->readings);
	*stream = (struct stream){0};
}

void stream_next(struct stream *stream)
{
	struct reading *reading = innermost(stream);

	if (!reading) {
		stream->is_over = true;
		return;
	}
	stream->before = stream->token;
	stream->token = *reading->at++;
	if (reading->at == reading->end)
		stream->depth--;
}

bool stream_is_at(const struct stream *stream, const char *text)
{
	return !stream->is_over && strcmp(stream->token.text, text) == 0;
}

bool stream_is_new_line(const struct stream *stream)
{
	return stream->is_over || !token_continues(&stream->before, &stream->token);
}

bool stream_has_argument(const struct stream *stream)
{
	const struct reading *next = innermost(stream);

	return next && token_continues(&stream->token, next->at);
}

void stream_replace(struct stream *stream, const struct token *before, struct passage passage)
{
	push(stream, passage);
	stream->token = *before;
	stream_next(stream);
}
