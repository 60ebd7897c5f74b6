/* A byte buffer that grows. `bytes` is always terminated with a NUL that `length` does not count. */
#ifndef SVCDNS_BUFFER_H
#define SVCDNS_BUFFER_H

#include "svcdns/compiler.h"

struct buffer {
	char  *bytes;                       /* owned; NULL while empty and never used */
	size_t length, capacity;
};

void buffer_init(struct buffer *buffer);
void buffer_finish(struct buffer *buffer);                              /* accepts a zeroed buffer */
void buffer_clear(struct buffer *buffer);                               /* keeps the memory */
void buffer_add(struct buffer *buffer, const void *bytes, size_t length);
void buffer_text(struct buffer *buffer, const char *text);
void buffer_format(struct buffer *buffer, const char *format, ...) ATTRIBUTE_PRINTF(2, 3);
/* The whole of a file; false with "open NAME: no such file or directory" and the like. */
bool buffer_read_file(struct buffer *buffer, const char *path, char *ret_reason, size_t reason_size);

#endif
