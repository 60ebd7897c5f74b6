/* The options of an OPT record: code and length, two octets each, then the data (RFC 6891 section 6.1.2). */
#include "svcdns/edns.h"

#include <string.h>

#include "svcdns/message.h"

#define OPTION_HEADER 4

bool edns_options_are_whole(const uint8_t *options, size_t length)
{
	size_t at = 0;

	while (length - at >= OPTION_HEADER) {
		size_t octets = OPTION_HEADER + (size_t)message_u16(options + at + 2);

		if (octets > length - at)
			return false;
		at += octets;
	}
	return at == length;
}

/* Offset of the option with this code, or options_length. Options were checked when they were read. */
static size_t find(const struct edns *edns, uint16_t code)
{
	size_t at = 0;

	while (at < edns->options_length && message_u16(edns->options + at) != code)
		at += OPTION_HEADER + (size_t)message_u16(edns->options + at + 2);
	return at;
}

const uint8_t *edns_option(const struct edns *edns, uint16_t code, uint16_t *ret_length)
{
	size_t at = find(edns, code);

	if (at == edns->options_length)
		return NULL;
	*ret_length = message_u16(edns->options + at + 2);
	return edns->options + at + OPTION_HEADER;
}

static void remove_option(struct edns *edns, size_t at)
{
	size_t octets = OPTION_HEADER + (size_t)message_u16(edns->options + at + 2);

	memmove(edns->options + at, edns->options + at + octets, edns->options_length - at - octets);
	edns->options_length = (uint16_t)(edns->options_length - octets);
}

bool edns_set_option(struct edns *edns, uint16_t code, const void *data, size_t length)
{
	size_t at = find(edns, code);
	uint8_t *option;

	if (at < edns->options_length)
		remove_option(edns, at);
	if (edns->options_length + OPTION_HEADER + length > EDNS_OPTIONS_MAX)
		return false;
	option = edns->options + edns->options_length;
	option[0] = (uint8_t)(code >> 8);
	option[1] = (uint8_t)code;
	option[2] = (uint8_t)(length >> 8);
	option[3] = (uint8_t)length;
	memcpy(option + OPTION_HEADER, data, length);
	edns->options_length = (uint16_t)(edns->options_length + OPTION_HEADER + length);
	return true;
}
