/* chaos: tells version, authors and name of the server to whoever asks in class CH. */
#include <stdlib.h>
#include <string.h>

#include "svcdns/setup.h"

#define TEXT_MAX 255 /* octets of a character string (RFC 1035 section 3.3) */
#define AUTHORS	 "The svcdns authors"

struct answer { /* a TXT record for each text */
	struct name name;
	struct words texts;
};

struct chaos { /* lifetime: configuration */
	struct answer answers[5];
	size_t count;
};

static void add(struct chaos *chaos, const char *name, struct words texts)
{
	struct answer *answer = &chaos->answers[chaos->count++];

	name_from_text(name, &answer->name);
	answer->texts = texts;
}

static struct words one(struct arena *arena, const char *text)
{
	const char **words = arena_copy(arena, &text, sizeof(text));

	return (struct words){words, 1};
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Each author once. */
static void sort(struct words *words)
{
	size_t kept = 1;

	qsort(words->words, words->count, sizeof(*words->words), compare);
	for (size_t i = 1; i < words->count; i++)
		if (strcmp(words->words[i], words->words[kept - 1]) != 0)
			words->words[kept++] = words->words[i];
	words->count = kept;
}

/* As CoreDNS, only the first directive counts. */
static void *setup(struct setup *setup, struct error *error)
{
	struct chaos *chaos = arena_alloc(setup->arena, sizeof(*chaos));
	struct words version = one(setup->arena, "svcdns-" SVCDNS_VERSION);
	struct words authors = one(setup->arena, AUTHORS), host = one(setup->arena, setup_host_name(setup));
	struct dispenser d;

	dispenser_init(&d, setup->directive, error);
	dispenser_next(&d);
	if (dispenser_argument(&d))
		version = one(setup->arena, dispenser_value(&d));
	if (dispenser_arguments(&d)) {
		authors = (struct words){0};
		setup_words(setup, &d, &authors);
		sort(&authors);
	}
	if (dispenser_block(&d)) {
		dispenser_unknown_property(&d);
		return NULL;
	}
	add(chaos, "version.bind.", version);
	add(chaos, "version.server.", version);
	add(chaos, "authors.bind.", authors);
	add(chaos, "hostname.bind.", host);
	add(chaos, "id.server.", host);
	return chaos;
}

static enum verdict answer(struct request *r, const struct words *texts)
{
	struct writer *w = &r->reply;

	request_reply(r, RCODE_NOERROR, 0);
	for (size_t i = 0; i < texts->count; i++) {
		size_t length = strlen(texts->words[i]);

		writer_u16(w, WRITER_QUESTION);
		writer_open(w, SECTION_ANSWER, TYPE_TXT, CLASS_CH, 0);
		writer_label(w, texts->words[i], (uint8_t)(length < TEXT_MAX ? length : TEXT_MAX));
		writer_close(w);
	}
	return VERDICT_ANSWERED;
}

static enum verdict serve(void *self, struct request *r)
{
	const struct chaos *chaos = self;

	if (r->question.class != CLASS_CH || r->question.type != TYPE_TXT)
		return VERDICT_NEXT;
	for (size_t i = 0; i < chaos->count; i++)
		if (name_equal(&r->question.name, &chaos->answers[i].name))
			return answer(r, &chaos->answers[i].texts);
	return VERDICT_NEXT;
}

extern const struct plugin plugin_chaos;

const struct plugin plugin_chaos = {
	.name = "chaos",
	.takes_any_class = true,
	.setup = setup,
	.serve = serve,
};
