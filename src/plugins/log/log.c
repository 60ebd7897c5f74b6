/* log: a line for every query, in a format of one's choice. The line is made on the worker and handed to the
 * logger; what stdout is slow to take never holds a query up. */
#include <stdio.h>
#include <string.h>

#include "format.h"
#include "svcdns/clock.h"
#include "svcdns/log.h"
#include "svcdns/setup.h"

#define LINE_MAX_OCTETS 2048
#define PREFIX		"[INFO] "

enum { CLASS_SUCCESS = 1, CLASS_DENIAL = 2, CLASS_ERROR = 4, CLASS_ALL = 7 };

struct rule {
	struct name scope;
	const struct format *format;
	unsigned classes;
	struct rule *next;
};

struct rules { /* lifetime: configuration */
	struct rule *first, **last;
};

static unsigned class_of(const struct request *r)
{
	if (r->is_dropped)
		return CLASS_ERROR;
	switch (request_reply_kind(r)) {
	case REPLY_SUCCESS:
	case REPLY_DELEGATION:
		return CLASS_SUCCESS;
	case REPLY_NXDOMAIN:
	case REPLY_NODATA:
		return CLASS_DENIAL;
	default:
		return CLASS_ERROR;
	}
}

static const char *kind_text(const struct request *r)
{
	static const char *const texts[] = {
		[REPLY_OTHER] = "OTHERERROR",
		[REPLY_SUCCESS] = "NOERROR",
		[REPLY_DELEGATION] = "DELEGATION",
		[REPLY_NXDOMAIN] = "NXDOMAIN",
		[REPLY_NODATA] = "NODATA",
		[REPLY_FAILURE] = "SERVERERROR",
	};

	return texts[r->is_dropped ? REPLY_FAILURE : request_reply_kind(r)];
}

static const char *class_name(const struct request *r)
{
	unsigned class = class_of(r);

	return class == CLASS_SUCCESS ? "success" : class == CLASS_DENIAL ? "denial" : "error";
}

static bool find_label(void *self, const struct request *r, const char *label, char ret[METADATA_MAX])
{
	const char *value = NULL;

	(void)self;
	if (strcmp(label, "log/type") == 0)
		value = kind_text(r);
	else if (strcmp(label, "log/class") == 0)
		value = class_name(r);
	if (value)
		snprintf(ret, METADATA_MAX, "%s", value);
	return value;
}

static enum verdict serve(void *self, struct request *r)
{
	(void)self;
	(void)r;
	return VERDICT_NEXT;
}

static void write_line(const struct rule *rule, const struct request *r)
{
	char line[LINE_MAX_OCTETS] = PREFIX;
	size_t length = strlen(PREFIX);

	length += format_write(rule->format, r, clock_monotonic(), line + length, sizeof(line) - length - 1);
	line[length++] = '\n';
	log_raw(line, length);
}

/* The first rule whose scope holds the name decides. */
static void reply(void *self, struct request *r)
{
	const struct rules *rules = self;
	const struct rule *rule = rules->first;

	while (rule && !name_is_under(&r->question.name, &rule->scope))
		rule = rule->next;
	if (rule && (rule->classes == CLASS_ALL || rule->classes & class_of(r)))
		write_line(rule, r);
}

static void add(struct rules *rules, struct arena *arena, const char *scope, const struct format *format)
{
	struct rule *rule = arena_alloc(arena, sizeof(*rule));

	if (!name_from_text(scope, &rule->scope))
		return;
	name_lower(&rule->scope);
	rule->format = format;
	*rules->last = rule;
	rules->last = &rule->next;
}

static bool parse_class(void *config, struct setup *setup, struct dispenser *d)
{
	static const struct {
		const char *name;
		unsigned class;
	} classes[] = {
		{"all", CLASS_ALL},
		{"success", CLASS_SUCCESS},
		{"denial", CLASS_DENIAL},
		{"error", CLASS_ERROR},
	};
	unsigned *ret = config;

	(void)setup;
	if (!dispenser_arguments(d))
		return dispenser_argument_error(d);
	while (dispenser_argument(d)) {
		size_t i = 0;

		while (i < ARRAY_LENGTH(classes) && strcmp(classes[i].name, dispenser_value(d)) != 0)
			i++;
		if (i == ARRAY_LENGTH(classes))
			return dispenser_error(d, "invalid Class: %s", dispenser_value(d));
		*ret |= classes[i].class;
	}
	return true;
}

static const struct option options[] = {
	{.name = "class", .type = OPTION_CALL, .parse = parse_class},
	{.name = NULL},
};

/* [NAMES...] [FORMAT]: a format is the last of several words, and has a brace in it. A name that is none
 * matches nothing. */
static bool read_rules(struct rules *rules, struct setup *setup, struct dispenser *d)
{
	const struct format *format = format_parse("{common}", setup->arena);
	struct rule **first = rules->last;
	struct words words = {0};
	unsigned classes = 0;

	setup_words(setup, d, &words);
	if (words.count > 1 && strchr(words.words[words.count - 1], '{'))
		format = format_parse(words.words[--words.count], setup->arena);
	if (!words.count)
		add(rules, setup->arena, ".", format);
	for (size_t i = 0; i < words.count; i++)
		add(rules, setup->arena, words.words[i], format);
	if (!options_parse(options, &classes, setup, d))
		return false;
	for (struct rule *rule = *first; rule; rule = rule->next)
		rule->classes = classes ? classes : CLASS_ALL;
	return true;
}

static void *setup(struct setup *setup, struct error *error)
{
	struct rules *rules = arena_alloc(setup->arena, sizeof(*rules));
	struct dispenser d;

	rules->last = &rules->first;
	dispenser_init(&d, setup->directive, error);
	while (dispenser_next(&d))
		if (!read_rules(rules, setup, &d))
			return NULL;
	return rules;
}

extern const struct plugin plugin_log;

const struct plugin plugin_log = {
	.name = "log", .setup = setup, .serve = serve, .reply = reply, .find_label = find_label};
