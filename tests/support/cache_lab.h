/* For unit tests of cache: below it stands a world that answers as it is told, at once or when it is told to;
 * in front of it, any number of clients.
 *
 * A reply is written as lab_reply() shows it: "NOERROR ra: www.test. 60 A 10.0.0.1; ... / test. 60 SOA +
 * ...".
 * "@" is the question's name by a compression pointer; the data of RRSIG is when it expires, in seconds from
 * now. "SERVFAIL! reason" fails as a plugin does that has got no reply, "drop" drops. */
#ifndef SVCDNS_TESTS_CACHE_LAB_H
#define SVCDNS_TESTS_CACHE_LAB_H

#include <stdlib.h>

#include "plugin_lab.h"

#define CLIENTS_MAX 64
#define WAITING_MAX 64
#define REPLY_TEXT  4096

extern const struct plugin plugin_cache;

struct world {
	const char *reply;		      /* to whatever is asked */
	bool is_late;			      /* it answers when world_answer() is called */
	unsigned asked;			      /* questions so far */
	char last[NAME_TEXT_MAX + 64];	      /* the latest one: "www.test. A rd ad do tcp" */
	uint16_t payload;		      /* and what it says that its sender can take */
	struct request *waiting[WAITING_MAX]; /* in the order in which they came */
	unsigned waiting_count;
};

struct client {
	struct cache_lab *lab;
	struct request *request;
	enum verdict verdict; /* VERDICT_PENDING: it waits */
};

struct cache_lab {
	struct lab lab;
	struct world world;
	struct request *own; /* the lab's request */
	struct client clients[CLIENTS_MAX];
	unsigned client_count;
	uint16_t id; /* of the next query */
	char reply[REPLY_TEXT];
};

/* Words of a reply's text; marks at their ends are cut off and kept in `mark`. */
struct words_of_reply {
	char text[REPLY_TEXT];
	char *at;
	char mark;
};

static inline const char *reply_word(struct words_of_reply *words)
{
	char *word = words->at + strspn(words->at, " "), *end = word + strcspn(word, " ");

	words->at = *end ? end + 1 : end;
	*end = '\0';
	words->mark = end > word ? end[-1] : '\0';
	if (words->mark == ':' || words->mark == ';')
		end[-1] = '\0';
	return word;
}

static inline void reply_write_data(struct writer *w, uint16_t type, const char *data)
{
	static const uint8_t soa[22] = {0};
	struct name name;
	struct ip ip;

	switch (type) {
	case TYPE_A:
	case TYPE_AAAA:
		assert_true(ip_parse(data, &ip) && ip.family == (type == TYPE_A ? 4 : 6));
		writer_bytes(w, ip.bytes, ip_length(&ip));
		break;
	case TYPE_CNAME:
	case TYPE_NS:
		assert_true(name_from_text(data, &name));
		writer_name_compressed(w, &name);
		break;
	case TYPE_TXT:
		writer_label(w, data, (uint8_t)strlen(data));
		break;
	case TYPE_SOA:
		writer_bytes(w, soa, sizeof(soa));
		break;
	case TYPE_RRSIG:
		writer_bytes(w, soa, 8);
		writer_u32(w, (uint32_t)clock_unix() + (uint32_t)atoi(data));
		writer_u32(w, (uint32_t)clock_unix() + (uint32_t)atoi(data) - 3600);
		writer_bytes(w, soa, 7);
		break;
	default:
		fail_msg("no way to write type %u", type);
	}
}

static inline void reply_write_record(struct writer *w, enum section section, const char *owner,
	uint16_t class, struct words_of_reply *words)
{
	uint32_t ttl = (uint32_t)strtoul(reply_word(words), NULL, 10);
	uint16_t type;
	struct name name;

	if (strcmp(owner, "@") == 0) {
		writer_u16(w, WRITER_QUESTION);
	} else {
		assert_true(name_from_text(owner, &name));
		writer_name_compressed(w, &name);
	}
	assert_true(type_parse(reply_word(words), &type));
	writer_open(w, section, type, class, ttl);
	reply_write_data(w, type, type == TYPE_SOA ? "" : reply_word(words));
	writer_close(w);
}

static inline uint16_t reply_flags(struct words_of_reply *words)
{
	static const char *const names[] = {"aa", "tc", "ra", "ad"};
	static const uint16_t bits[] = {FLAG_AA, FLAG_TC, FLAG_RA, FLAG_AD};
	uint16_t flags = 0;

	while (words->mark != ':' && *words->at && *words->at != '/' && *words->at != '+') {
		const char *word = reply_word(words);

		for (size_t i = 0; i < ARRAY_LENGTH(bits); i++)
			if (strcmp(word, names[i]) == 0)
				flags |= bits[i];
	}
	return flags;
}

/* Makes `text` the reply that stands in a request; returns what a plugin's serve() would. */
static inline enum verdict reply_write(struct request *r, const char *text)
{
	struct words_of_reply words = {.at = words.text};
	enum section section = SECTION_ANSWER;
	const char *word;
	uint16_t rcode, flags;

	snprintf(words.text, sizeof(words.text), "%s", text);
	word = reply_word(&words);
	if (strcmp(word, "drop") == 0)
		return VERDICT_DROP;
	if (strcmp(word, "SERVFAIL!") == 0)
		return request_fail(r, RCODE_SERVFAIL, "%s", words.at);
	assert_true(rcode_parse(word, &rcode));
	flags = reply_flags(&words);
	request_reply(r, rcode, flags);
	while (word = reply_word(&words), *word) {
		if (strcmp(word, "/") == 0)
			section = SECTION_AUTHORITY;
		else if (strcmp(word, "+") == 0)
			section = SECTION_ADDITIONAL;
		else
			reply_write_record(&r->reply, section, word, r->question.class, &words);
	}
	return VERDICT_ANSWERED;
}

/* More records than there is room for in any message. */
static inline void reply_write_too_much(struct request *r)
{
	request_reply(r, RCODE_NOERROR, 0);
	while (!r->reply.overflow) {
		writer_u16(&r->reply, WRITER_QUESTION);
		writer_open(&r->reply, SECTION_ANSWER, TYPE_A, CLASS_IN, 300);
		writer_u32(&r->reply, 1);
		writer_close(&r->reply);
	}
}

static inline void world_note(struct world *world, const struct request *r)
{
	char name[NAME_TEXT_MAX], type[TYPE_TEXT_MAX];

	name_to_text(&r->question.name, name);
	type_text(r->question.type, type);
	snprintf(world->last, sizeof(world->last), "%s %s%s%s%s%s%s", name, type,
		r->flags & FLAG_RD ? " rd" : "", r->flags & FLAG_AD ? " ad" : "",
		r->flags & FLAG_CD ? " cd" : "", r->edns.dnssec_ok ? " do" : "",
		r->transport == TRANSPORT_TCP ? " tcp" : "");
	assert_int_equal(message_flags(r->wire), r->flags); /* forward sends what stands there */
	world->payload = r->edns.present ? r->edns.payload : 0;
	world->asked++;
}

static inline enum verdict world_serve(void *self, struct request *r)
{
	struct world *world = self;

	world_note(world, r);
	if (!world->is_late)
		return reply_write(r, world->reply);
	assert_true(world->waiting_count < WAITING_MAX);
	world->waiting[world->waiting_count++] = r;
	return VERDICT_PENDING;
}

/* The question that has waited longest gets its reply. */
static inline void world_answer(struct cache_lab *c, const char *text)
{
	struct world *world = &c->world;
	struct request *r = world->waiting[0];

	assert_true(world->waiting_count > 0);
	world->waiting_count--;
	memmove(world->waiting, world->waiting + 1, world->waiting_count * sizeof(*world->waiting));
	request_resume(r, reply_write(r, text));
}

static const struct plugin plugin_cache_world = {.name = "world", .serve = world_serve};

static inline void cache_lab_start(struct cache_lab *c, const char *directive)
{
	const struct link links[] = {{0}, {&plugin_cache_world, &c->world, 0}};

	c->world = (struct world){0};
	c->client_count = 0;
	c->id = LAB_ID;
	if (!lab_read(&c->lab, &plugin_cache, directive))
		fail_msg("%s", c->lab.error.message);
	assert_true(plugin_cache.open(c->lab.config, &c->lab.error));
	lab_start(&c->lab, links, ARRAY_LENGTH(links));
	c->own = c->lab.request;
}

/* Puts a plugin above cache. */
static inline void cache_lab_put_above(struct cache_lab *c, const struct plugin *plugin, void *self)
{
	memmove(c->lab.links + 1, c->lab.links, c->lab.chain.count * sizeof(*c->lab.links));
	c->lab.links[0] = (struct link){plugin, self, 0};
	assert_true(++c->lab.chain.count <= LAB_LINKS_MAX);
	chain_lay_out(&c->lab.chain);
}

static inline void cache_lab_finish(struct cache_lab *c)
{
	for (unsigned i = 0; i < c->client_count; i++)
		request_release(c->clients[i].request);
	c->lab.request = c->own;
	lab_finish(&c->lab);
}

static inline void client_delivered(struct request *r, enum verdict verdict)
{
	struct client *client = r->owner;

	assert_int_equal(client->verdict, VERDICT_PENDING);
	client->verdict = verdict;
}

/* A client of its own asks, with what stands in lab.flags, lab.payload, ... */
static inline struct client *client_ask(struct cache_lab *c, const char *name, uint16_t type)
{
	struct client *client = &c->clients[c->client_count++];

	assert_true(c->client_count <= CLIENTS_MAX);
	*client = (struct client){.lab = c, .request = request_take(&c->lab.worker)};
	c->lab.request = client->request;
	client->verdict = lab_ask(&c->lab, name, type);
	if (client->verdict == VERDICT_PENDING) {
		client->request->id = c->id++;
		client->request->deliver = client_delivered;
		client->request->owner = client;
	}
	c->lab.request = c->own;
	return client;
}

/* What a client has got: as lab_reply() shows it, "drop", or "..." if it waits. */
static inline const char *client_reply(const struct client *client)
{
	struct cache_lab *c = client->lab;

	if (client->verdict == VERDICT_PENDING)
		return "...";
	if (client->verdict == VERDICT_DROP)
		return "drop";
	c->lab.request = client->request;
	lab_reply(&c->lab, c->reply, sizeof(c->reply));
	c->lab.request = c->own;
	return c->reply;
}

/* One question and its reply. */
static inline const char *cache_ask(struct cache_lab *c, const char *name, uint16_t type)
{
	struct client *client = client_ask(c, name, type);
	const char *reply = client_reply(client);

	if (client->verdict != VERDICT_PENDING) {
		request_release(client->request);
		c->client_count--;
	}
	return reply;
}

static inline void cache_lab_pass(struct cache_lab *c, double seconds)
{
	c->lab.worker.now += (uint64_t)(seconds * (double)CLOCK_S);
	timers_run(&c->lab.worker);
}

#endif
