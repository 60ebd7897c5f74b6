#include "rfc1123.h"

#include <string.h>

static bool is_alphanumeric(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_part(const char *text, size_t length)
{
	if (!length || !is_alphanumeric(text[0]) || !is_alphanumeric(text[length - 1]))
		return false;
	for (size_t i = 0; i < length; i++)
		if (!is_alphanumeric(text[i]) && text[i] != '-')
			return false;
	return true;
}

bool rfc1123_is_label(const char *text, size_t length)
{
	return length <= 63 && is_part(text, length);
}

bool rfc1123_is_subdomain(const char *text, size_t length)
{
	const char *end = text + length, *dot;

	if (length > 253)
		return false;
	for (; (dot = memchr(text, '.', (size_t)(end - text))); text = dot + 1)
		if (!is_part(text, (size_t)(dot - text)))
			return false;
	return is_part(text, (size_t)(end - text));
}
