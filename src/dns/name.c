/* Domain names. Invariant of struct name: offset[0 .. labels] and length agree with wire, which ends with the
 * root. */
#include "svcdns/name.h"

#include <stdio.h>
#include <string.h>

#include "svcdns/octets.h"

#define LABEL_MAX 63
#define SHORT	  64 /* octets: what most names fit into is copied without a call (25 ns of a bare name) */

/* Reads one octet of presentation form: a plain character, \C or \DDD (RFC 1035 section 5.1). */
static bool text_octet(const char **at, uint8_t *ret)
{
	const char *p = *at;

	if (*p != '\\') {
		*ret = (uint8_t)*p;
		*at = p + 1;
		return true;
	}
	p++;
	if (p[0] >= '0' && p[0] <= '9') {
		unsigned value;

		if (p[1] < '0' || p[1] > '9' || p[2] < '0' || p[2] > '9')
			return false;
		value = (unsigned)(p[0] - '0') * 100 + (unsigned)(p[1] - '0') * 10 + (unsigned)(p[2] - '0');
		if (value > UINT8_MAX)
			return false;
		*ret = (uint8_t)value;
		*at = p + 3;
		return true;
	}
	*ret = (uint8_t)*p;
	*at = p + 1;
	return *p != '\0';
}

/* Reads one label up to its dot or the end of the text. */
static bool text_label(const char **at, struct name *name, size_t *used)
{
	size_t begin = *used, length = 0;

	while (**at && **at != '.') {
		uint8_t octet;

		if (!text_octet(at, &octet) || length == LABEL_MAX || begin + 1 + length >= NAME_WIRE_MAX - 1)
			return false;
		name->wire[begin + 1 + length++] = octet;
	}
	if (length == 0)
		return false;
	if (**at == '.')
		(*at)++;
	name->wire[begin] = (uint8_t)length;
	name->offset[name->labels++] = (uint8_t)begin;
	*used = begin + 1 + length;
	return true;
}

bool name_from_text(const char *text, struct name *ret)
{
	struct name name;
	size_t used = 0;

	name.labels = 0;
	if (!*text)
		return false;
	if (strcmp(text, ".") == 0)
		text++;
	while (*text)
		if (!text_label(&text, &name, &used))
			return false;
	name.wire[used] = 0;
	name.offset[name.labels] = (uint8_t)used;
	name.length = (uint8_t)(used + 1);
	*ret = name;
	return true;
}

static char *octet_to_text(uint8_t octet, char *out)
{
	if (octet <= ' ' || octet >= 0x7f)
		return out + sprintf(out, "\\%03u", octet);
	if (strchr(".\\\"();@$", octet))
		*out++ = '\\';
	*out++ = (char)octet;
	return out;
}

void name_wire_to_text(const uint8_t *wire, char out[NAME_TEXT_MAX])
{
	if (*wire == 0)
		*out++ = '.';
	while (*wire) {
		for (uint8_t left = *wire++; left; left--)
			out = octet_to_text(*wire++, out);
		*out++ = '.';
	}
	*out = '\0';
}

void name_to_text(const struct name *name, char out[NAME_TEXT_MAX])
{
	name_wire_to_text(name->wire, out);
}

bool name_from_wire(const uint8_t *wire, size_t length, struct name *ret)
{
	size_t at = 0;
	uint8_t labels = 0;

	while (at < length && wire[at]) {
		if (wire[at] > LABEL_MAX || at + 1 + wire[at] >= NAME_WIRE_MAX)
			return false;
		ret->offset[labels++] = (uint8_t)at;
		at += 1u + wire[at];
	}
	if (at + 1 != length)
		return false;
	ret->offset[labels] = (uint8_t)at;
	ret->labels = labels;
	ret->length = (uint8_t)length;
	memcpy(ret->wire, wire, length);
	return true;
}

void name_lower(struct name *name)
{
	octets_copy_lower(name->wire, name->wire, name->length);
}

bool name_equal(const struct name *a, const struct name *b)
{
	return a->length == b->length && octets_equal(a->wire, b->wire, a->length);
}

bool name_equal_nocase(const struct name *a, const struct name *b)
{
	return a->length == b->length && octets_equal_nocase(a->wire, b->wire, a->length);
}

bool name_is_under(const struct name *name, const struct name *zone)
{
	size_t length;
	const uint8_t *suffix;

	if (name->labels < zone->labels)
		return false;
	suffix = name_suffix(name, name->labels - (unsigned)zone->labels, &length);
	return length == zone->length && octets_equal(suffix, zone->wire, length);
}

bool name_replace_suffix(
	const struct name *name, unsigned zone_labels, const struct name *suffix, struct name *ret)
{
	unsigned kept = name->labels - zone_labels;
	size_t octets = name->offset[kept];

	assert(zone_labels <= name->labels);
	if (octets + suffix->length > NAME_WIRE_MAX)
		return false;
	if (octets <= SHORT && suffix->length <= SHORT) {
		memcpy(ret->wire, name->wire, SHORT);
		memcpy(ret->wire + octets, suffix->wire, SHORT);
	} else {
		memcpy(ret->wire, name->wire, octets);
		memcpy(ret->wire + octets, suffix->wire, suffix->length);
	}
	memcpy(ret->offset, name->offset, kept);
	for (unsigned i = 0; i <= suffix->labels; i++)
		ret->offset[kept + i] = (uint8_t)(octets + suffix->offset[i]);
	ret->labels = (uint8_t)(kept + suffix->labels);
	ret->length = (uint8_t)(octets + suffix->length);
	return true;
}

bool name_join(const struct name *name, const struct name *suffix, struct name *ret)
{
	return name_replace_suffix(name, 0, suffix, ret);
}
