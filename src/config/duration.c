/* Numbers as Go reads and refuses them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "svcdns/options.h"

bool integer_parse(const char *text, int64_t *ret, struct error *error)
{
	const char *digits = *text == '-' || *text == '+' ? text + 1 : text;
	char *end;
	long long value;

	if (!*digits || strspn(digits, "0123456789") != strlen(digits))
		return error_set(error, "strconv.Atoi: parsing \"%s\": invalid syntax", text);
	errno = 0;
	value = strtoll(text, &end, 10);
	if (errno)
		return error_set(error, "strconv.Atoi: parsing \"%s\": value out of range", text);
	*ret = value;
	return true;
}

struct unit {
	const char *name;
	double ns;
};

static const struct unit *find_unit(const char *text, size_t length)
{
	static const struct unit units[] = {
		{"ns", 1},
		{"us", 1e3},
		{"\xc2\xb5s", 1e3}, /* U+00B5 micro sign */
		{"\xce\xbcs", 1e3}, /* U+03BC Greek letter mu */
		{"ms", 1e6},
		{"s", 1e9},
		{"m", 60e9},
		{"h", 3600e9},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(units); i++)
		if (strlen(units[i].name) == length && memcmp(units[i].name, text, length) == 0)
			return &units[i];
	return NULL;
}

static bool invalid(const char *text, struct error *error)
{
	return error_set(error, "time: invalid duration \"%s\"", text);
}

/* One number with its unit; adds to *sum. */
static bool read_part(const char **at, const char *text, double *sum, struct error *error)
{
	size_t number = strspn(*at, "0123456789."), unit;
	const struct unit *found;

	if (!number || strspn(*at, ".") == number)
		return invalid(text, error);
	unit = strcspn(*at + number, "0123456789.");
	if (!unit)
		return error_set(error, "time: missing unit in duration \"%s\"", text);
	found = find_unit(*at + number, unit);
	if (!found)
		return error_set(error, "time: unknown unit \"%.*s\" in duration \"%s\"", (int)unit,
			*at + number, text);
	*sum += strtod(*at, NULL) * found->ns;
	*at += number + unit;
	return true;
}

bool duration_parse(const char *text, int64_t *ret_ns, struct error *error)
{
	const char *at = *text == '-' || *text == '+' ? text + 1 : text;
	double sum = 0;

	if (strcmp(at, "0") == 0) {
		*ret_ns = 0;
		return true;
	}
	if (!*at)
		return invalid(text, error);
	while (*at)
		if (!read_part(&at, text, &sum, error))
			return false;
	if (sum > 9.2e18)
		return invalid(text, error);
	*ret_ns = (int64_t)(*text == '-' ? -sum : sum);
	return true;
}
