/* An arena: many small allocations, one free. It carries the lifetime "generation" (one loaded configuration). */
#ifndef SVCDNS_ARENA_H
#define SVCDNS_ARENA_H

#include "svcdns/compiler.h"

struct arena_block;

struct arena {
	struct arena_block *blocks;         /* newest first */
};

void  arena_init(struct arena *arena);
void  arena_finish(struct arena *arena);                                  /* frees all; accepts a zeroed arena */
void *arena_alloc(struct arena *arena, size_t size);                      /* cleared, aligned for any type */
void *arena_copy(struct arena *arena, const void *bytes, size_t size);
char *arena_text(struct arena *arena, const char *text);                  /* as strdup */
char *arena_text_n(struct arena *arena, const char *text, size_t length); /* as strndup */
char *arena_format(struct arena *arena, const char *format, ...) ATTRIBUTE_PRINTF(2, 3);

#endif
