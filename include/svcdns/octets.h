/* Comparing octets where they are few: the names of a query. A call of memcmp() costs more than it compares. */
#ifndef SVCDNS_OCTETS_H
#define SVCDNS_OCTETS_H

#include <string.h>

#include "svcdns/compiler.h"

static inline bool octets_equal8(const uint8_t *a, const uint8_t *b)
{
	uint64_t left, right;

	memcpy(&left, a, 8);
	memcpy(&right, b, 8);
	return left == right;
}

static inline bool octets_equal4(const uint8_t *a, const uint8_t *b)
{
	uint32_t left, right;

	memcpy(&left, a, 4);
	memcpy(&right, b, 4);
	return left == right;
}

/* Words that overlap at the end, so that no octet needs a step of its own. */
static inline bool octets_equal(const void *a, const void *b, size_t length)
{
	const uint8_t *left = a, *right = b;

	if (length >= 8) {
		for (size_t i = 0; i + 8 < length; i += 8)
			if (!octets_equal8(left + i, right + i))
				return false;
		return octets_equal8(left + length - 8, right + length - 8);
	}
	if (length >= 4)
		return octets_equal4(left, right) && octets_equal4(left + length - 4, right + length - 4);
	for (size_t i = 0; i < length; i++)
		if (left[i] != right[i])
			return false;
	return true;
}

#endif
