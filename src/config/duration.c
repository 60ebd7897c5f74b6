/* Numbers as Go reads and refuses them. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "svcdns/options.h"

#define DIGITS "0123456789"

bool integer_parse(const char *text, int64_t *ret, struct error *error)
{
	const char *digits = *text == '-' || *text == '+' ? text + 1 : text;
	long long value;

	if (!*digits || digits[strspn(digits, DIGITS)])
		return error_set(error, "strconv.Atoi: parsing \"%s\": invalid syntax", text);
	errno = 0;
	value = strtoll(text, NULL, 10);
	if (errno)
		return error_set(error, "strconv.Atoi: parsing \"%s\": value out of range", text);
	*ret = value;
	return true;
}

/* Nanoseconds of a unit, 0 for what is none. */
static uint64_t unit_ns(const char *name, size_t length)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = {
		{"ns", 1},
		{"us", 1000},
		{"\xc2\xb5s", 1000}, /* U+00B5 micro sign */
		{"\xce\xbcs", 1000}, /* U+03BC Greek letter mu */
		{"ms", 1000000},
		{"s", 1000000000},
		{"m", 60000000000},
		{"h", 3600000000000},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(units); i++)
		if (strlen(units[i].name) == length && memcmp(units[i].name, name, length) == 0)
			return units[i].ns;
	return 0;
}

/* Reads the digits at *at; false: they stand for more than a duration can hold. */
static bool read_whole(const char **at, uint64_t *ret)
{
	for (*ret = 0; **at && strchr(DIGITS, **at); (*at)++)
		if (__builtin_mul_overflow(*ret, 10, ret) ||
			__builtin_add_overflow(*ret, (uint64_t)(**at - '0'), ret))
			return false;
	return true;
}

/* Reads a dot and the digits behind it: the part of one that they are is digits / divisor. Once they are more
 * than an integer can hold, the rest is passed over. */
static uint64_t read_fraction(const char **at, double *ret_divisor)
{
	uint64_t digits = 0;

	*ret_divisor = 1;
	if (**at != '.')
		return 0;
	for ((*at)++; **at && strchr(DIGITS, **at); (*at)++)
		if (digits <= INT64_MAX / 10) {
			digits = digits * 10 + (uint64_t)(**at - '0');
			*ret_divisor *= 10;
		}
	return digits;
}

/* Adds `count` units and that part of one; false: it is more than a duration can hold. */
static bool add(uint64_t *sum, uint64_t count, uint64_t ns, uint64_t digits, double divisor)
{
	uint64_t part = (uint64_t)((double)digits * ((double)ns / divisor));

	return !__builtin_mul_overflow(count, ns, &count) && !__builtin_add_overflow(*sum, count, sum) &&
	       !__builtin_add_overflow(*sum, part, sum) && *sum <= INT64_MAX;
}

/* One number with its unit; adds to *sum. */
static bool read_part(const char **at, const char *text, uint64_t *sum, struct error *error)
{
	const char *begin = *at, *unit;
	uint64_t whole, digits, ns;
	double divisor;
	size_t length;

	if (!read_whole(at, &whole))
		return error_set(error, "time: invalid duration \"%s\"", text);
	digits = read_fraction(at, &divisor);
	if (strspn(begin, ".") == (size_t)(*at - begin))
		return error_set(error, "time: invalid duration \"%s\"", text);
	unit = *at;
	length = strcspn(unit, "." DIGITS);
	if (!length)
		return error_set(error, "time: missing unit in duration \"%s\"", text);
	ns = unit_ns(unit, length);
	if (!ns)
		return error_set(
			error, "time: unknown unit \"%.*s\" in duration \"%s\"", (int)length, unit, text);
	*at = unit + length;
	return add(sum, whole, ns, digits, divisor) ||
	       error_set(error, "time: invalid duration \"%s\"", text);
}

bool duration_parse(const char *text, int64_t *ret_ns, struct error *error)
{
	const char *at = *text == '-' || *text == '+' ? text + 1 : text;
	uint64_t sum = 0;

	if (!*at)
		return error_set(error, "time: invalid duration \"%s\"", text);
	if (strcmp(at, "0") != 0)
		while (*at)
			if (!read_part(&at, text, &sum, error))
				return false;
	*ret_ns = *text == '-' ? -(int64_t)sum : (int64_t)sum;
	return true;
}

/* So many units, with what is left of one as digits behind a dot, the last of them not 0. */
static void put_units(char *out, size_t size, uint64_t ns, uint64_t unit_ns, const char *unit)
{
	int length = snprintf(out, size, "%" PRIu64, ns / unit_ns);
	uint64_t rest = ns % unit_ns;

	if (rest)
		out[length++] = '.';
	for (; rest; rest %= unit_ns) {
		rest *= 10;
		out[length++] = (char)('0' + rest / unit_ns);
	}
	snprintf(out + length, size - (size_t)length, "%s", unit);
}

void duration_text(int64_t ns, char out[DURATION_TEXT_MAX])
{
	static const uint64_t second = 1000000000, minute = 60 * second, hour = 60 * minute;
	uint64_t left = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;
	size_t at = 0;

	if (ns < 0)
		out[at++] = '-';
	if (left && left < second) {
		uint64_t unit = left < 1000 ? 1 : left < 1000000 ? 1000 : 1000000;

		put_units(out + at, DURATION_TEXT_MAX - at, left, unit,
			unit == 1      ? "ns"
			: unit == 1000 ? "\xc2\xb5s"
				       : "ms");
		return;
	}
	if (left >= hour)
		at += (size_t)snprintf(out + at, DURATION_TEXT_MAX - at, "%" PRIu64 "h", left / hour);
	if (left >= minute)
		at += (size_t)snprintf(
			out + at, DURATION_TEXT_MAX - at, "%" PRIu64 "m", left % hour / minute);
	put_units(out + at, DURATION_TEXT_MAX - at, left % minute, second, "s");
}
