#include "svcdns/error.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

bool error_set(struct error *error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(error->message, sizeof(error->message), format, arguments);
	va_end(arguments);
	return false;
}

bool error_prefix(struct error *error, const char *format, ...)
{
	char old[sizeof(error->message)];
	va_list arguments;
	int length;

	memcpy(old, error->message, sizeof(old));
	va_start(arguments, format);
	length = vsnprintf(error->message, sizeof(error->message), format, arguments);
	va_end(arguments);
	if (length >= 0 && (size_t)length < sizeof(error->message))
		snprintf(error->message + length, sizeof(error->message) - (size_t)length, "%s", old);
	return false;
}

const char *error_reason(int code, char out[ERROR_REASON_MAX])
{
	snprintf(out, ERROR_REASON_MAX, "%s", strerror(code));
	out[0] = (char)tolower((unsigned char)out[0]);
	return out;
}
