/* Octets where they are few: the names of a query. A call of memcmp() costs more than it compares. */
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

#define OCTETS_EACH(x) (UINT64_C(0x0101010101010101) * (x))

/* Eight octets of a name to lower case at once (ASCII, RFC 4343); length octets are below 'A' and stay as they are. */
static inline uint64_t octets_lower8(uint64_t octets)
{
	uint64_t low = octets & OCTETS_EACH(0x7f);
	uint64_t above_z = low + OCTETS_EACH(0x7f - 'Z');
	uint64_t from_a = low + OCTETS_EACH(0x80 - 'A');
	uint64_t letters = ~octets & (from_a ^ above_z) & OCTETS_EACH(0x80);

	return octets | letters >> 2;
}

static inline bool octets_equal_nocase(const uint8_t *a, const uint8_t *b, size_t length)
{
	uint64_t left, right;
	size_t i = 0;

	for (; i + 8 <= length; i += 8) {
		memcpy(&left, a + i, 8);
		memcpy(&right, b + i, 8);
		if (octets_lower8(left) != octets_lower8(right))
			return false;
	}
	left = right = 0;
	memcpy(&left, a + i, length - i);
	memcpy(&right, b + i, length - i);
	return octets_lower8(left) == octets_lower8(right);
}

/* to may be from. */
static inline void octets_copy_lower(uint8_t *to, const uint8_t *from, size_t length)
{
	uint64_t octets;
	size_t i = 0;

	for (; i + 8 <= length; i += 8) {
		memcpy(&octets, from + i, 8);
		octets = octets_lower8(octets);
		memcpy(to + i, &octets, 8);
	}
	octets = 0;
	memcpy(&octets, from + i, length - i);
	octets = octets_lower8(octets);
	memcpy(to + i, &octets, length - i);
}

#endif
