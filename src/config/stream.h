/* Inside config: the tokens of a Corefile one after the other, those of an import in its place. */
#ifndef CONFIG_STREAM_H
#define CONFIG_STREAM_H

#include "token.h"

struct stream {
	struct token token;  /* the current one; at the end, the last that there was */
	struct token before; /* the one before it */
	bool is_over;
	struct reading *readings; /* the innermost import last; owned */
	size_t depth, capacity;
};

/* Stands on the first token afterwards; what the passage holds outlives the stream. */
void stream_init(struct stream *stream, const char *file, struct passage passage);
void stream_finish(struct stream *stream);

void stream_next(struct stream *stream);
bool stream_is_at(const struct stream *stream, const char *text);
bool stream_is_new_line(
	const struct stream *stream); /* the current token is not on the line of the one before */
bool stream_has_argument(const struct stream *stream); /* the next token is on the line of the current one */

/* Goes on with the passage as if it stood where the tokens behind `before`, up to the current one, have been.
 */
void stream_replace(struct stream *stream, const struct token *before, struct passage passage);

#endif
