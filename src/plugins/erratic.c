/* erratic: answers every question for an address with the same one, but some late, some cut, and some not at
 * all. For testing clients.
 *
 * Queries are counted over all workers. What is delayed waits in its worker's queue, which is in the order of
 * the due times since all wait equally long. */
#include <stdatomic.h>

#include "svcdns/memory.h"
#include "svcdns/setup.h"
#include "svcdns/worker.h"

#define EVERY_DEFAULT	 2
#define DURATION_DEFAULT INT64_C(100000000)
#define SERVER		 "\3sns\3dns\5icann\3org" /* the final NUL is the root */
#define MAILBOX		 "\3noc\3dns\5icann\3org"
#define LARGE		 30 /* addresses in an answer: too many for 512 octets if each comes with its name */

struct erratic { /* lifetime: configuration */
	_Atomic uint64_t queries;
	int64_t drop, delay, truncate; /* one in so many; 0: none */
	int64_t duration;	       /* ns */
	bool has_drop, large;
};

struct erratic_worker {
	struct erratic *config;
	struct worker *worker;
	struct timer timer; /* for the first in the queue */
	struct request *first, **end;
};

struct delayed { /* request_state() */
	uint64_t due;
};

static bool is_chosen(int64_t every, uint64_t number)
{
	return every && number % (uint64_t)every == 0;
}

static void write_address(struct request *r, const uint8_t *address, size_t length)
{
	writer_u16(&r->reply, WRITER_QUESTION);
	writer_address(&r->reply, SECTION_ANSWER, address, length, CLASS_IN, 0);
}

static void write_soa(struct writer *w)
{
	static const uint32_t numbers[] = {2018050825, 7200, 3600, 1209600, 3600};

	writer_u16(w, WRITER_QUESTION);
	writer_open(w, SECTION_ANSWER, TYPE_SOA, CLASS_IN, 0);
	writer_bytes(w, SERVER, sizeof(SERVER));
	writer_bytes(w, MAILBOX, sizeof(MAILBOX));
	for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++)
		writer_u32(w, numbers[i]);
	writer_close(w);
}

static const struct name_server {
	const char *label;
	uint8_t address[16];
} name_servers[] = {
	{"a", {0x20, 0x01, 0x0b, 0xd8, [15] = 0x53}},
	{"b", {0x20, 0x01, 0x05, 0x00, [15] = 0x54}},
};

/* A small zone below whatever name was asked for; one that is cut has no SOA record at its end. */
static void write_zone(struct writer *w, bool is_cut)
{
	write_soa(w);
	for (size_t i = 0; i < ARRAY_LENGTH(name_servers); i++) {
		writer_u16(w, WRITER_QUESTION);
		writer_open(w, SECTION_ANSWER, TYPE_NS, CLASS_IN, 0);
		writer_label(w, name_servers[i].label, 1);
		writer_u16(w, WRITER_QUESTION);
		writer_close(w);
	}
	for (size_t i = 0; i < ARRAY_LENGTH(name_servers); i++) {
		writer_label(w, name_servers[i].label, 1);
		writer_u16(w, WRITER_QUESTION);
		writer_address(w, SECTION_ANSWER, name_servers[i].address, 16, CLASS_IN, 0);
	}
	if (!is_cut)
		write_soa(w);
}

static void answer(const struct erratic *erratic, struct request *r, bool is_cut)
{
	static const uint8_t ipv4[4] = {192, 0, 2, 53}, ipv6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 0x53};

	request_reply(r, RCODE_NOERROR, FLAG_AA | (is_cut && r->question.type != TYPE_AXFR ? FLAG_TC : 0));
	switch (r->question.type) {
	case TYPE_A:
		for (int i = 0; i < (erratic->large ? LARGE : 1); i++)
			write_address(r, ipv4, sizeof(ipv4));
		break;
	case TYPE_AAAA:
		write_address(r, ipv6, sizeof(ipv6));
		break;
	case TYPE_AXFR:
		write_zone(&r->reply, is_cut);
		break;
	default:
		request_fail(r, RCODE_SERVFAIL, "%s", "");
	}
}

static const struct delayed *state_of(const struct erratic_worker *w)
{
	return request_state(w->first);
}

static void resume_first(struct erratic_worker *w)
{
	struct request *r = w->first;

	w->first = r->next;
	if (!w->first)
		w->end = &w->first;
	request_resume(r, VERDICT_ANSWERED);
}

static void on_due(struct timer *timer)
{
	struct erratic_worker *w = CONTAINER_OF(timer, struct erratic_worker, timer);

	while (w->first && state_of(w)->due <= w->worker->now)
		resume_first(w);
	if (w->first)
		timer_set(w->worker, timer, state_of(w)->due, on_due);
}

static enum verdict delay(struct erratic_worker *w, struct request *r)
{
	struct delayed *delayed = request_state(r);

	if (!request_may_wait(r))
		return request_fail(r, RCODE_SERVFAIL, "too many queries are waiting");
	delayed->due = w->worker->now + (uint64_t)w->config->duration;
	r->next = NULL;
	*w->end = r;
	w->end = &r->next;
	if (w->first == r)
		timer_set(w->worker, &w->timer, delayed->due, on_due);
	return VERDICT_PENDING;
}

static enum verdict serve(void *self, struct request *r)
{
	struct erratic_worker *w = self;
	struct erratic *erratic = w->config;
	uint64_t number = atomic_fetch_add_explicit(&erratic->queries, 1, memory_order_relaxed);

	if (is_chosen(erratic->drop, number))
		return VERDICT_DROP;
	answer(erratic, r, is_chosen(erratic->truncate, number));
	return is_chosen(erratic->delay, number) ? delay(w, r) : VERDICT_ANSWERED;
}

/* An amount, where there is one; at most `max` words may follow. */
static bool read_amount(struct dispenser *d, size_t max, int64_t *ret)
{
	struct error ignored;

	*ret = EVERY_DEFAULT;
	if (dispenser_arguments(d) > max) {
		while (dispenser_argument(d))
			;
		return dispenser_argument_error(d);
	}
	if (!dispenser_argument(d))
		return true;
	if (!integer_parse(dispenser_value(d), ret, &ignored) || *ret > INT32_MAX)
		return dispenser_error(
			d, "strconv.ParseInt: parsing \"%s\": invalid syntax", dispenser_value(d));
	return *ret >= 0 || error_set(d->error, "illegal amount value given \"%s\"", dispenser_value(d));
}

static bool parse_drop(void *config, struct setup *setup, struct dispenser *d)
{
	struct erratic *erratic = config;

	(void)setup;
	erratic->has_drop = true;
	return read_amount(d, 1, &erratic->drop);
}

static bool parse_truncate(void *config, struct setup *setup, struct dispenser *d)
{
	struct erratic *erratic = config;

	(void)setup;
	return read_amount(d, 1, &erratic->truncate);
}

static bool parse_delay(void *config, struct setup *setup, struct dispenser *d)
{
	struct erratic *erratic = config;
	struct error reason;

	(void)setup;
	erratic->duration = DURATION_DEFAULT;
	if (!read_amount(d, 2, &erratic->delay))
		return false;
	if (!dispenser_argument(d))
		return true;
	if (!duration_parse(dispenser_value(d), &erratic->duration, &reason))
		return dispenser_error(d, "%s", reason.message);
	return erratic->duration >= 0 || dispenser_error(d, "negative duration \"%s\"", dispenser_value(d));
}

static const struct option options[] = {
	{.name = "drop", .type = OPTION_CALL, .parse = parse_drop},
	{.name = "truncate", .type = OPTION_CALL, .parse = parse_truncate},
	{.name = "delay", .type = OPTION_CALL, .parse = parse_delay},
	{.name = "large", .type = OPTION_FLAG, .offset = offsetof(struct erratic, large)},
	{.name = NULL},
};

/* Where nothing is said of drop, queries are dropped only if nothing else becomes of them. */
static void *setup(struct setup *setup, struct error *error)
{
	struct erratic *erratic = arena_alloc(setup->arena, sizeof(*erratic));
	struct dispenser d;

	dispenser_init(&d, setup->directive, error);
	while (dispenser_next(&d))
		if (!options_parse(options, erratic, setup, &d))
			return NULL;
	if (!erratic->has_drop && !erratic->delay && !erratic->truncate)
		erratic->drop = EVERY_DEFAULT;
	return erratic;
}

static void *start(void *config, struct worker *worker)
{
	struct erratic_worker *w = memory_zero(1, sizeof(*w));

	w->config = config;
	w->worker = worker;
	w->end = &w->first;
	return w;
}

static void stop(void *self)
{
	struct erratic_worker *w = self;

	while (w->first)
		resume_first(w);
	timer_cancel(w->worker, &w->timer);
	memory_free(w);
}

extern const struct plugin plugin_erratic;

const struct plugin plugin_erratic = {
	.name = "erratic",
	.state_size = sizeof(struct delayed),
	.setup = setup,
	.start = start,
	.serve = serve,
	.stop = stop,
};
