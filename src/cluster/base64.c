#include "base64.h"

#include <string.h>

static int value_of(char c)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(alphabet, c) : NULL;

	return at ? (int)(at - alphabet) : -1;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Four characters stand for three octets; of the last four, one or two may be '='. */
bool base64_decode(const char *text, size_t length, struct buffer *ret)
{
	uint32_t bits = 0;
	unsigned characters = 0, padding = 0;

	for (size_t i = 0; i < length; i++) {
		int value = value_of(text[i]);

		if (is_space(text[i]))
			continue;
		if (text[i] == '=')
			padding++;
		else if (value < 0 || padding)
			return false;
		bits = bits << 6 | (uint32_t)(value < 0 ? 0 : value);
		if (++characters % 4 == 0) {
			uint8_t octets[3] = {(uint8_t)(bits >> 16), (uint8_t)(bits >> 8), (uint8_t)bits};

			if (padding > 2)
				return false;
			buffer_add(ret, octets, 3 - padding);
		}
	}
	return characters % 4 == 0 && padding <= 2;
}
