/* Properties by table. Every kind of value has one reader; what a table cannot say, its own parse() reads. */
#include "svcdns/options.h"

#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "svcdns/setup.h"

static void *target(const struct option *option, void *config)
{
	return (char *)config + option->offset;
}

/* How many words an option takes, by its type where the table is silent. */
static void arity(const struct option *option, unsigned *ret_min, unsigned *ret_max)
{
	*ret_min = option->min;
	*ret_max = option->max;
	if (option->min || option->max)
		return;
	*ret_min = option->type == OPTION_FLAG || option->type == OPTION_ZONES ? 0 : 1;
	*ret_max = option->type == OPTION_WORDS || option->type == OPTION_ZONES ? UINT_MAX : *ret_min;
}

/* For an integer value, or a duration in nanoseconds. */
static bool is_in_range(const struct option *option, int64_t value)
{
	return (!option->low && !option->high) || (value >= option->low && value <= option->high);
}

/* Passes on what a value's reader said. */
static bool refuse(struct dispenser *d, const struct error *reason)
{
	return dispenser_error(d, "%s", reason->message);
}

static bool out_of_range(const struct option *option, struct dispenser *d)
{
	return dispenser_error(d, "%s must be in range [%lld, %lld]: %s", option->name,
		(long long)option->low, (long long)option->high, dispenser_value(d));
}

static bool read_integer(const struct option *option, void *config, struct dispenser *d)
{
	struct error reason;
	int64_t value;

	if (!integer_parse(dispenser_value(d), &value, &reason))
		return refuse(d, &reason);
	if (!is_in_range(option, value))
		return out_of_range(option, d);
	*(int64_t *)target(option, config) = value;
	return true;
}

static bool read_duration(const struct option *option, void *config, struct dispenser *d)
{
	struct error reason;
	int64_t value;

	if (!duration_parse(dispenser_value(d), &value, &reason))
		return refuse(d, &reason);
	if (!is_in_range(option, value))
		return dispenser_error(d, "%s is out of range: %s", option->name, dispenser_value(d));
	*(int64_t *)target(option, config) = value;
	return true;
}

static bool read_number(const struct option *option, void *config, struct dispenser *d)
{
	const char *text = dispenser_value(d);
	char *end;
	double value = strtod(text, &end);

	if (*end || end == text || isspace((unsigned char)*text))
		return dispenser_error(d, "strconv.ParseFloat: parsing \"%s\": invalid syntax", text);
	if ((option->low || option->high) && !(value >= (double)option->low && value <= (double)option->high))
		return out_of_range(option, d);
	*(double *)target(option, config) = value;
	return true;
}

static bool read_choice(const struct option *option, void *config, struct dispenser *d)
{
	for (int i = 0; option->choices[i]; i++) {
		if (strcmp(option->choices[i], dispenser_value(d)) == 0) {
			*(int *)target(option, config) = i;
			return true;
		}
	}
	return dispenser_error(d, "unknown %s '%s'", option->name, dispenser_value(d));
}

static bool read_words(const struct option *option, void *config, struct setup *setup, struct dispenser *d)
{
	struct words *words = target(option, config);

	if (!option->is_repeatable)
		*words = (struct words){0};
	setup_words(setup, d, words);
	return true;
}

static bool read_zones(const struct option *option, void *config, struct setup *setup, struct dispenser *d)
{
	struct zones *zones = target(option, config);

	if (!option->is_repeatable)
		*zones = (struct zones){0};
	if (!dispenser_arguments(d))
		zones_add(zones, setup->arena, ".");
	while (dispenser_argument(d))
		zones_add(zones, setup->arena, dispenser_value(d));
	return true;
}

/* The last of the words counts, where several are allowed and one is wanted. */
static bool read_values(const struct option *option, void *config, struct dispenser *d)
{
	while (dispenser_argument(d)) {
		bool ok = true;

		switch (option->type) {
		case OPTION_INTEGER:
			ok = read_integer(option, config, d);
			break;
		case OPTION_NUMBER:
			ok = read_number(option, config, d);
			break;
		case OPTION_DURATION:
			ok = read_duration(option, config, d);
			break;
		case OPTION_CHOICE:
			ok = read_choice(option, config, d);
			break;
		default:
			*(const char **)target(option, config) = dispenser_value(d);
		}
		if (!ok)
			return false;
	}
	return true;
}

bool option_read(const struct option *option, void *config, struct setup *setup, struct dispenser *d)
{
	unsigned min, max;

	if (option->type == OPTION_CALL)
		return option->parse(config, setup, d);
	arity(option, &min, &max);
	if (dispenser_arguments(d) < min || dispenser_arguments(d) > max)
		return dispenser_wrong_count(d);
	switch (option->type) {
	case OPTION_FLAG:
		*(bool *)target(option, config) = true;
		return true;
	case OPTION_WORDS:
		return read_words(option, config, setup, d);
	case OPTION_ZONES:
		return read_zones(option, config, setup, d);
	default:
		return read_values(option, config, d);
	}
}

const struct option *options_find(const struct option *options, const char *name)
{
	while (options->name && strcmp(options->name, name) != 0)
		options++;
	return options->name ? options : NULL;
}

bool options_parse(const struct option *options, void *config, struct setup *setup, struct dispenser *d)
{
	while (dispenser_block(d)) {
		const struct option *option = options_find(options, dispenser_value(d));

		if (!option)
			return dispenser_unknown_property(d);
		if (!option_read(option, config, setup, d))
			return false;
	}
	return true;
}
