/* What differs between compilers, in one place. */
#ifndef SVCDNS_COMPILER_H
#define SVCDNS_COMPILER_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ATTRIBUTE_PRINTF(text, first) __attribute__((format(printf, text, first)))
#define ATTRIBUTE_NORETURN              __attribute__((noreturn))
#define LIKELY(x)                       __builtin_expect(!!(x), 1)
#define UNLIKELY(x)                     __builtin_expect(!!(x), 0)
#define ARRAY_LENGTH(array)             (sizeof(array) / sizeof((array)[0]))

#define CONTAINER_OF(pointer, type, member) ((type *)(void *)((char *)(pointer) - offsetof(type, member)))

#endif
