/* A configuration is known by the SHA-512 of its tokens, with the file and line of each: comments and spaces
 * make no difference. */
#include "corefile_watch.h"

#include <nettle/sha2.h>
#include <stdio.h>
#include <string.h>

#include "svcdns/clock.h"
#include "svcdns/log.h"
#include "svcdns/memory.h"

#define TOPIC "plugin/reload"

struct digest {
	char text[2 * SHA512_DIGEST_SIZE + 1]; /* hexadecimal */
};

struct corefile_watch {
	const struct generation_config *config;
	struct digest tried;	  /* last, with or without success */
	struct cell *shown;	  /* of version_info; NULL: none */
	int64_t interval, jitter; /* ns; interval 0: nobody wants to know */
	uint64_t due;
	struct random random;
};

static const struct metric_family failures = {
	.name = "coredns_reload_failed_total",
	.help = "Counter of the number of failed reload attempts.",
};

static const struct metric_family version_info = {
	.name = "coredns_reload_version_info",
	.help = "A metric with a constant '1' value labeled by hash, and value which type of hash generated.",
	.type = METRIC_GAUGE,
	.labels = {{.name = "hash"}, {.name = "value"}},
};

const struct metric_family *const corefile_watch_families[] = {&failures, &version_info, NULL};

static void add_text(struct sha512_ctx *hash, const char *text)
{
	sha512_update(hash, strlen(text) + 1, (const uint8_t *)text);
}

static void add_tokens(struct sha512_ctx *hash, const struct token *tokens, size_t count)
{
	char line[16];

	for (size_t i = 0; i < count; i++) {
		snprintf(line, sizeof(line), "%u", tokens[i].line);
		add_text(hash, tokens[i].file);
		add_text(hash, line);
		add_text(hash, tokens[i].text);
	}
	add_text(hash, ""); /* no file has this name: the list is at its end */
}

static struct digest digest_of(const struct corefile *corefile)
{
	uint8_t octets[SHA512_DIGEST_SIZE];
	struct sha512_ctx hash;
	struct digest ret;

	sha512_init(&hash);
	for (const struct server_block *block = corefile->blocks; block; block = block->next) {
		add_tokens(&hash, block->keys, block->key_count);
		for (const struct directive *d = block->directives; d; d = d->next)
			add_tokens(&hash, d->tokens, d->count);
		add_text(&hash, "");
	}
	sha512_digest(&hash, sizeof(octets), octets);
	for (size_t i = 0; i < sizeof(octets); i++)
		snprintf(ret.text + 2 * i, 3, "%02x", octets[i]);
	return ret;
}

struct corefile_watch *corefile_watch_create(const struct generation_config *config)
{
	struct corefile_watch *watch = memory_zero(1, sizeof(*watch));

	watch->config = config;
	watch->due = UINT64_MAX;
	return watch;
}

void corefile_watch_destroy(struct corefile_watch *watch)
{
	memory_free(watch);
}

/* Of many servers that read one ConfigMap not all shall look at the same moment. */
static void schedule(struct corefile_watch *watch)
{
	int64_t wait = watch->interval;

	if (!wait) {
		watch->due = UINT64_MAX;
		return;
	}
	watch->due = clock_monotonic() + (uint64_t)(wait + watch->jitter);
}

/* Once for each configuration: from minus half to half of what the directive says. */
static int64_t choose_jitter(struct corefile_watch *watch, int64_t jitter)
{
	uint64_t number;

	if (!jitter)
		return 0;
	random_fill(&watch->random, &number, sizeof(number));
	return (int64_t)(number % (uint64_t)jitter) - jitter / 2;
}

static void show(struct corefile_watch *watch)
{
	const char *const values[] = {"sha512", watch->tried.text};

	if (watch->shown)
		atomic_store_explicit(&watch->shown->value, 0, memory_order_relaxed);
	watch->shown = metrics_cells(watch->config->metrics, 0, &version_info, values);
	atomic_store_explicit(&watch->shown->value, 1, memory_order_relaxed);
}

void corefile_watch_adopt(struct corefile_watch *watch, const struct generation *generation)
{
	const struct reload *reload = generation_reload(generation);
	bool was_wanted = watch->interval;

	watch->tried = digest_of(generation_corefile(generation));
	watch->interval = reload->is_wanted ? reload->interval : 0;
	watch->jitter = choose_jitter(watch, reload->jitter);
	schedule(watch);
	if (reload->is_wanted || was_wanted) {
		log_line(LOG_INFO, TOPIC, "Running configuration SHA512 = %s", watch->tried.text);
		show(watch);
	}
}

uint64_t corefile_watch_due(const struct corefile_watch *watch)
{
	return watch->due;
}

/* Unknown words are for the next configuration to refuse: there it is told and counted. */
static bool is_any_word(const char *word)
{
	(void)word;
	return true;
}

bool corefile_watch_look(struct corefile_watch *watch)
{
	const char *path = watch->config->corefile;
	struct corefile corefile = {0};
	struct error error = {0};
	struct digest found;

	schedule(watch);
	if (!corefile_read(&corefile, path && *path ? path : NULL, is_any_word, &error)) {
		log_line(LOG_WARNING, TOPIC, "Corefile parse failed: %s", error.message);
		corefile_finish(&corefile);
		return false;
	}
	found = digest_of(&corefile);
	corefile_finish(&corefile);
	if (strcmp(found.text, watch->tried.text) == 0)
		return false;
	watch->tried = found;
	return true;
}

void corefile_watch_fail(struct corefile_watch *watch, const struct error *error)
{
	log_line(LOG_ERROR, TOPIC, "Corefile changed but reload failed: %s", error->message);
	cell_add(metrics_cells(watch->config->metrics, 0, &failures, NULL), 1);
	schedule(watch);
}
