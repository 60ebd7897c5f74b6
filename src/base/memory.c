/* Allocation that aborts instead of failing: a DNS server that cannot get memory cannot do anything better
 * than to be restarted, and code that cannot fail is code without untested branches. */
#include "svcdns/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

ATTRIBUTE_NORETURN static void out_of_memory(size_t size)
{
	fprintf(stderr, "out of memory: %zu bytes\n", size);
	abort();
}

void *memory_alloc(size_t size)
{
	void *block = malloc(size ? size : 1);

	if (!block)
		out_of_memory(size);
	return block;
}

void *memory_zero(size_t count, size_t size)
{
	void *block = calloc(count ? count : 1, size ? size : 1);

	if (!block)
		out_of_memory(count * size);
	return block;
}

void *memory_resize(void *old, size_t size)
{
	void *block = realloc(old, size ? size : 1);

	if (!block)
		out_of_memory(size);
	return block;
}

char *memory_copy_text(const char *text)
{
	size_t size = strlen(text) + 1;

	return memcpy(memory_alloc(size), text, size);
}

void memory_free(void *block)
{
	free(block);
}

void *memory_reserve(size_t size)
{
	void *range =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (range == MAP_FAILED)
		out_of_memory(size);
	return range;
}

void memory_unreserve(void *range, size_t size)
{
	if (range)
		munmap(range, size);
}

void memory_forget(void *range, size_t size)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t begin = ((uintptr_t)range + page - 1) & ~(page - 1);
	uintptr_t end = ((uintptr_t)range + size) & ~(page - 1);

	if (begin < end)
		madvise((char *)range + (begin - (uintptr_t)range), end - begin, MADV_DONTNEED);
}
