#include "svcdns/reverse.h"

#include <string.h>

#define V4_SUFFIX "\7in-addr\4arpa" /* with the root: the terminating NUL */
#define V6_SUFFIX "\3ip6\4arpa"
#define V4_LABELS 4
#define V6_LABELS 32

static bool ends_with(const struct name *name, unsigned labels, const char *suffix, size_t size)
{
	size_t length;
	const uint8_t *rest;

	if (name->labels != labels + 2)
		return false;
	rest = name_suffix(name, labels, &length);
	return length == size && memcmp(rest, suffix, size) == 0;
}

/* A decimal octet without leading zeros. */
static bool read_octet(const uint8_t *label, uint8_t length, uint8_t *ret)
{
	unsigned value = 0;

	if (length > 3 || (length > 1 && label[0] == '0'))
		return false;
	for (uint8_t i = 0; i < length; i++) {
		if (label[i] < '0' || label[i] > '9')
			return false;
		value = value * 10 + (unsigned)(label[i] - '0');
	}
	*ret = (uint8_t)value;
	return value <= UINT8_MAX;
}

static int nibble(uint8_t digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

static bool read_v4(const struct name *name, struct ip *ret)
{
	for (unsigned i = 0; i < V4_LABELS; i++) {
		uint8_t length;
		const uint8_t *label = name_label(name, i, &length);

		if (!read_octet(label, length, &ret->bytes[V4_LABELS - 1 - i]))
			return false;
	}
	ret->family = 4;
	return true;
}

static bool read_v6(const struct name *name, struct ip *ret)
{
	for (unsigned i = 0; i < V6_LABELS; i++) {
		unsigned place = V6_LABELS - 1 - i;
		uint8_t length;
		const uint8_t *label = name_label(name, i, &length);
		int value = length == 1 ? nibble(label[0]) : -1;

		if (value < 0)
			return false;
		ret->bytes[place / 2] |= (uint8_t)(place % 2 ? value : value << 4);
	}
	ret->family = 6;
	return true;
}

bool reverse_address(const struct name *name, struct ip *ret)
{
	struct ip ip = {0};
	bool found = false;

	if (ends_with(name, V4_LABELS, V4_SUFFIX, sizeof(V4_SUFFIX)))
		found = read_v4(name, &ip);
	else if (ends_with(name, V6_LABELS, V6_SUFFIX, sizeof(V6_SUFFIX)))
		found = read_v6(name, &ip);
	if (found)
		*ret = ip;
	return found;
}
