/* ready: says whether every plugin of its block could answer now. Blocks that share an address share the
 * answer. What it remembers is touched by the address' thread only. */
#include <string.h>

#include "svcdns/http.h"
#include "svcdns/log.h"
#include "svcdns/setup.h"

#define TOPIC "plugin/ready"
#define PATH  "/ready"

struct ready { /* lifetime: configuration */
	const struct setup *setup;
	const char *address;
	bool continuously; /* whoever was ready is asked again */
	bool *was_ready;   /* for each plugin of the block */
	struct http_endpoint *endpoint;
};

static bool is_ready(struct ready *ready, size_t index, struct buffer *ret_why)
{
	const struct place_plugin *plugin = &ready->setup->place->plugins[index];

	if (!plugin->plugin->is_ready || (ready->was_ready[index] && !ready->continuously))
		return true;
	ready->was_ready[index] = plugin->plugin->is_ready(plugin->config, ret_why);
	return ready->was_ready[index];
}

/* Whether a list "a,b,c" has a word. */
static bool has_word(const char *list, const char *word)
{
	size_t length = strlen(word);

	while (*list) {
		if (strncmp(list, word, length) == 0 && (!list[length] || list[length] == ','))
			return true;
		list += strcspn(list, ",");
		list += *list == ',';
	}
	return false;
}

static void add_word(struct buffer *list, const char *word)
{
	if (!list->length)
		buffer_text(list, word);
	else if (!has_word(list->bytes, word))
		buffer_format(list, ",%s", word);
}

/* Each line behind the name of who says it. */
static void add_lines(struct buffer *lines, const char *name, const struct buffer *why)
{
	const char *text = why->length ? why->bytes : "";

	while (*text) {
		size_t length = strcspn(text, "\n");

		buffer_format(lines, "\n%s: %.*s", name, (int)length, text);
		text += length + (text[length] == '\n');
	}
}

struct body {
	struct buffer names; /* CoreDNS' body: "a,b" */
	struct buffer lines; /* what the plugins wait for, a newline before each line */
};

/* Of blocks with the same address, the one before has left its part. */
static void take_apart(const struct buffer *whole, struct body *ret)
{
	size_t names = whole->length ? strcspn(whole->bytes, "\n") : 0;

	*ret = (struct body){0};
	buffer_add(&ret->names, whole->bytes, names);
	buffer_add(&ret->lines, whole->length ? whole->bytes + names : "", whole->length - names);
}

static void put_together(struct body *body, struct buffer *whole)
{
	buffer_clear(whole);
	buffer_add(whole, body->names.bytes, body->names.length);
	buffer_add(whole, body->lines.bytes, body->lines.length);
	buffer_finish(&body->names);
	buffer_finish(&body->lines);
}

static void answer(void *context, const char *rest, struct http_answer *ret)
{
	struct ready *ready = context;
	struct buffer mine, why;
	struct body body;

	(void)rest;
	buffer_init(&mine);
	buffer_init(&why);
	take_apart(&ret->body, &body);
	for (size_t i = 0; i < ready->setup->place->plugin_count; i++) {
		const char *name = ready->setup->place->plugins[i].plugin->name;

		buffer_clear(&why);
		if (is_ready(ready, i, &why))
			continue;
		ret->status = 503;
		add_word(&body.names, name);
		add_word(&mine, name);
		add_lines(&body.lines, name, &why);
	}
	if (mine.length)
		log_line(LOG_INFO, TOPIC, "Plugins not ready: \"%s\"", mine.bytes);
	put_together(&body, &ret->body);
	buffer_finish(&mine);
	buffer_finish(&why);
}

/* An address that cannot be had costs the endpoint, not the start, as in CoreDNS; but it is told. */
static bool open_endpoint(void *config, struct error *error)
{
	struct ready *ready = config;

	ready->was_ready = arena_alloc(
		ready->setup->arena, ready->setup->place->plugin_count * sizeof(*ready->was_ready));
	ready->endpoint = http_open(ready->setup->http, ready->address, PATH, answer, ready, error);
	if (!ready->endpoint)
		log_line(LOG_ERROR, TOPIC, "Failed to start ready handler: %s", error->message);
	return true;
}

static void close_endpoint(void *config)
{
	struct ready *ready = config;

	http_close(ready->endpoint);
	ready->endpoint = NULL;
}

static bool parse_monitor(void *config, struct setup *setup, struct dispenser *d)
{
	struct ready *ready = config;
	struct words words = {0};

	setup_words(setup, d, &words);
	if (words.count != 1)
		return dispenser_argument_error(d);
	ready->continuously = strcmp(words.words[0], "continuously") == 0;
	return ready->continuously || strcmp(words.words[0], "until-ready") == 0 ||
	       dispenser_error(d, "monitor type '%s' not supported", words.words[0]);
}

static const struct option options[] = {
	{.name = "monitor", .type = OPTION_CALL, .parse = parse_monitor},
	{.name = NULL},
};

static bool read_directive(struct ready *ready, struct setup *setup, struct dispenser *d)
{
	struct words words = {0};

	if (!setup_once(setup, d))
		return false;
	setup_words(setup, d, &words);
	if (words.count > 1)
		return dispenser_argument_error(d);
	if (words.count) {
		ready->address = words.words[0];
		if (!http_check_address(ready->address, d->error))
			return false;
	}
	return options_parse(options, ready, setup, d);
}

static void *setup(struct setup *setup, struct error *error)
{
	struct ready *ready = arena_alloc(setup->arena, sizeof(*ready));
	struct dispenser d;

	ready->setup = setup;
	ready->address = ":8181";
	dispenser_init(&d, setup->directive, error);
	while (dispenser_next(&d))
		if (!read_directive(ready, setup, &d))
			return NULL;
	return ready;
}

extern const struct plugin plugin_ready;

const struct plugin plugin_ready = {
	.name = "ready",
	.setup = setup,
	.open = open_endpoint,
	.leave = close_endpoint,
	.close = close_endpoint,
};
