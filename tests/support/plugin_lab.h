/* For unit tests of plugins: one plugin, set up from Corefile text, in a chain with plugins of the test's
 * own. */
#ifndef SVCDNS_TESTS_PLUGIN_LAB_H
#define SVCDNS_TESTS_PLUGIN_LAB_H

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "svcdns/chain.h"
#include "svcdns/clock.h"
#include "svcdns/http.h"
#include "svcdns/kept.h"
#include "svcdns/memory.h"
#include "svcdns/metrics.h"
#include "svcdns/query.h"
#include "svcdns/registry.h"
#include "svcdns/router.h"
#include "svcdns/setup.h"
#include "svcdns/worker.h"

#define LAB_LINKS_MAX 4
#define LAB_ID	      0x1234

struct lab {
	const struct plugin *plugin; /* the subject */
	void *config, *self;
	struct corefile corefile;
	struct arena arena;
	struct bind bind;
	struct timeouts timeouts;
	struct setup setup;
	struct place_site site;
	struct place place;
	struct needs needs;
	struct reload reload;
	struct error error;

	struct link links[LAB_LINKS_MAX];
	struct chain chain;
	struct router router;
	struct worker worker;
	struct uv_loop_s *loop; /* of the worker; NULL: plugins that need none */
	struct request *request;
	enum verdict delivered; /* VERDICT_NEXT: not yet */

	/* What lab_ask() sends; to be changed after lab_read(). */
	const char *client;
	enum transport transport;
	uint16_t flags, class;
	uint16_t payload; /* of an OPT record; 0: none */
	bool dnssec_ok;
	const char *options; /* of the OPT record, in wire form */
	uint16_t options_length;
};

/* Sets the plugin up from its directive; false: refused, lab->error says why. To be finished either way. */
static inline bool lab_read(struct lab *lab, const struct plugin *plugin, const char *directive)
{
	char text[2048];
	int length = snprintf(text, sizeof(text), ". {\n%s\n}\n", directive);

	*lab = (struct lab){.plugin = plugin, .client = "192.0.2.1", .flags = FLAG_RD, .class = CLASS_IN};
	arena_init(&lab->arena);
	lab->site = (struct place_site){"dns://:53", "."};
	lab->place = (struct place){.sites = &lab->site, .site_count = 1, .view = "", .identity = ". #0"};
	lab->setup = (struct setup){.plugin = plugin,
		.arena = &lab->arena,
		.bind = &lab->bind,
		.timeouts = &lab->timeouts,
		.needs = &lab->needs,
		.reload = &lab->reload};
	lab->setup.place = &lab->place;
	lab->setup.metrics = metrics_create(1);
	lab->setup.http = http_create();
	lab->setup.kept = kept_create();
	lab->setup.workers = 1;
	if (!corefile_parse(&lab->corefile, "Corefile", text, (size_t)length, registry_knows, &lab->error))
		return false;
	lab->setup.directives = lab->corefile.blocks->directives;
	lab->setup.directive = lab->setup.directives;
	zones_add(&lab->setup.zones, &lab->arena, ".");
	lab->config = plugin->setup(&lab->setup, &lab->error);
	return lab->config;
}

static inline void lab_delivered(struct request *r, enum verdict verdict)
{
	struct lab *lab = r->owner;

	lab->delivered = verdict;
}

/* Builds the chain. A link without plugin is the subject's place. */
static inline void lab_start(struct lab *lab, const struct link *links, unsigned count)
{
	struct route *route = memory_zero(1, sizeof(*route));

	worker_init(&lab->worker, 0, lab->loop);
	lab->worker.now = lab->loop ? clock_monotonic() : 1; /* what runs on a loop sets it so */
	lab->self = lab->plugin->start ? lab->plugin->start(lab->config, &lab->worker) : lab->config;
	for (unsigned i = 0; i < count; i++)
		lab->links[i] = links[i].plugin ? links[i] : (struct link){lab->plugin, lab->self, 0};
	lab->chain = (struct chain){.links = lab->links, .count = count};
	chain_lay_out(&lab->chain);
	name_from_text(".", &route->zone);
	route->chain = &lab->chain;
	router_init(&lab->router, route, 1);
	lab->request = request_take(&lab->worker);
}

static inline void lab_finish(struct lab *lab)
{
	if (lab->self && lab->plugin->stop)
		lab->plugin->stop(lab->self);
	if (lab->config && lab->plugin->close)
		lab->plugin->close(lab->config);
	if (lab->request) {
		assert_int_equal(lab->worker.waiting, 0);
		request_release(lab->request);
		worker_finish(&lab->worker); /* asserts that no request is missing */
		router_finish(&lab->router);
	}
	http_destroy(lab->setup.http);
	kept_destroy(lab->setup.kept);
	metrics_destroy(lab->setup.metrics);
	corefile_finish(&lab->corefile);
	arena_finish(&lab->arena);
}

/* The plugin refuses its directive with this message; NULL: it takes it. */
static inline void lab_assert_setup(const struct plugin *plugin, const char *directive, const char *message)
{
	struct lab lab;
	bool is_taken = lab_read(&lab, plugin, directive);

	assert_string_equal(is_taken ? "" : lab.error.message, message ? message : "");
	assert_int_equal(is_taken, !message);
	lab_finish(&lab);
}

static inline size_t lab_write_query(const struct lab *lab, const char *name, uint16_t type)
{
	struct name question;
	struct writer w;

	assert_true(name_from_text(name, &question));
	writer_init(&w, lab->request->wire, 0, 1024);
	writer_u16(&w, LAB_ID);
	writer_u16(&w, lab->flags);
	writer_u16(&w, 1);
	writer_u32(&w, 0);
	writer_u16(&w, lab->payload != 0);
	writer_bytes(&w, question.wire, question.length);
	writer_u16(&w, type);
	writer_u16(&w, lab->class);
	if (lab->payload) {
		writer_u8(&w, 0);
		writer_u16(&w, TYPE_OPT);
		writer_u16(&w, lab->payload);
		writer_u32(&w, lab->dnssec_ok ? 0x8000 : 0);
		writer_u16(&w, lab->options_length);
		if (lab->options_length)
			writer_bytes(&w, lab->options, lab->options_length);
	}
	return w.length;
}

static inline enum verdict lab_ask(struct lab *lab, const char *name, uint16_t type)
{
	struct request *r = lab->request;
	struct ip client, local;

	assert_true(ip_parse(lab->client, &client));
	assert_true(ip_parse(client.family == 4 ? "192.0.2.53" : "2001:db8::53", &local));
	address_set(&r->client, &client, 40000);
	address_set(&r->local, &local, 53);
	r->router = &lab->router;
	r->transport = lab->transport;
	r->received = lab->worker.now;
	r->deliver = lab_delivered;
	r->owner = lab;
	lab->delivered = VERDICT_NEXT;
	return query_answer(r, lab_write_query(lab, name, type));
}

/* Character strings in quotes. */
static inline void lab_strings(const uint8_t *wire, const struct record *record, char out[NAME_TEXT_MAX])
{
	size_t length = 0;

	for (size_t at = record->rdata; at < record->end; at += 1u + wire[at]) {
		assert_true(at + wire[at] < record->end);
		length += (size_t)snprintf(out + length, NAME_TEXT_MAX - length, "%s\"%.*s\"",
			length ? " " : "", wire[at], (const char *)wire + at + 1);
		assert_true(length < NAME_TEXT_MAX);
	}
}

static inline int lab_record_text(const uint8_t *wire, const struct record *record, char *out, size_t size)
{
	char owner[NAME_TEXT_MAX], type[TYPE_TEXT_MAX], data[NAME_TEXT_MAX] = "";
	size_t length = record->end - record->rdata;
	struct reader reader;
	struct ip ip = {.family = record->type == TYPE_A ? 4 : 6};
	struct name target;

	name_to_text(&record->owner, owner);
	type_text(record->type, type);
	if ((record->type == TYPE_A && length == 4) || (record->type == TYPE_AAAA && length == 16)) {
		memcpy(ip.bytes, wire + record->rdata, length);
		ip_text(&ip, data);
	} else if (record->type == TYPE_CNAME || record->type == TYPE_NS || record->type == TYPE_PTR) {
		reader_init(&reader, wire, record->end, record->rdata);
		assert_true(reader_name(&reader, &target) && !reader_left(&reader));
		name_to_text(&target, data);
	} else if (record->type == TYPE_TXT || record->type == TYPE_HINFO) {
		lab_strings(wire, record, data);
	} else if (record->type == TYPE_SRV && length == 7) {
		snprintf(data, sizeof(data), "%u .", message_u16(wire + record->rdata + 4));
	}
	return snprintf(out, size, "%s %u %s%s%s", owner, record->ttl, type, *data ? " " : "", data);
}

/* The reply: "NOERROR aa rd: web. 5 CNAME web.a.; web.a. 5 A 10.0.0.1 / a. 60 SOA + ns.a. 60 A 10.0.0.2",
 * that is, flags, answers behind the colon, authority behind the slash, additional records behind the plus.
 */
static inline const char *lab_reply(const struct lab *lab, char *out, size_t size)
{
	static const char *const marks[] = {"", ": ", " / ", " + "};
	static const struct {
		uint16_t flag;
		const char *text;
	} flags[] = {{FLAG_AA, " aa"}, {FLAG_TC, " tc"}, {FLAG_RD, " rd"}, {FLAG_RA, " ra"}, {FLAG_AD, " ad"},
		{FLAG_CD, " cd"}};
	const struct request *r = lab->request;
	struct reader reader;
	struct record record;
	char rcode[TYPE_TEXT_MAX];
	size_t at;

	rcode_text((uint16_t)(message_flags(r->wire) & FLAG_RCODE), rcode);
	at = (size_t)snprintf(out, size, "%s", rcode);
	for (size_t i = 0; i < ARRAY_LENGTH(flags); i++)
		if (message_flags(r->wire) & flags[i].flag)
			at += (size_t)snprintf(out + at, size - at, "%s", flags[i].text);
	reader_init(&reader, r->wire, r->reply.length, r->question.end);
	for (unsigned section = 1; section <= 3; section++) {
		for (unsigned i = 0; i < message_count(r->wire, section); i++) {
			assert_true(reader_record(&reader, &record));
			at += (size_t)snprintf(out + at, size - at, "%s", i ? "; " : marks[section]);
			at += (size_t)lab_record_text(r->wire, &record, out + at, size - at);
		}
	}
	assert_int_equal(reader_left(&reader), 0);
	return out;
}

/* What is written to stdout between the two. */
struct capture {
	int file, stdout_before;
	char text[8192];
};

static inline void capture_begin(struct capture *capture)
{
	fflush(stdout);
	capture->file = memfd_create("stdout", 0);
	capture->stdout_before = dup(STDOUT_FILENO);
	assert_true(capture->file >= 0 && capture->stdout_before >= 0);
	assert_true(dup2(capture->file, STDOUT_FILENO) >= 0);
}

static inline const char *capture_end(struct capture *capture)
{
	ssize_t length;

	fflush(stdout);
	assert_true(dup2(capture->stdout_before, STDOUT_FILENO) >= 0);
	length = pread(capture->file, capture->text, sizeof(capture->text) - 1, 0);
	assert_true(length >= 0);
	capture->text[length] = '\0';
	close(capture->file);
	close(capture->stdout_before);
	return capture->text;
}

#endif
