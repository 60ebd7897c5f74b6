/* Allocation that does not fail: no memory is the end of the process, with a message. */
#ifndef SVCDNS_MEMORY_H
#define SVCDNS_MEMORY_H

#include "svcdns/compiler.h"

void *memory_alloc(size_t size);                        /* not cleared */
void *memory_zero(size_t count, size_t size);           /* cleared; aborts when count * size overflows */
void *memory_resize(void *old, size_t size);            /* as realloc */
char *memory_copy_text(const char *text);               /* as strdup */
void  memory_free(void *block);                         /* accepts NULL */

/* A range of address space of which only the touched pages cost memory; page-aligned, cleared. */
void *memory_reserve(size_t size);
void  memory_unreserve(void *range, size_t size);        /* accepts NULL */
void  memory_forget(void *range, size_t size);           /* gives whole pages inside back; they read as zero then */

#endif
