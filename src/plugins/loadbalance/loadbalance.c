/* loadbalance: puts addresses into another order in every answer, so that clients which take the first one
 * spread.
 *
 * Invariant: within a section aliases come first and stay in their order, as some stub resolvers need it;
 * records other than addresses and mail exchanges keep theirs. The cache stands below: what it keeps is never
 * touched. */
#include <string.h>

#include "settings.h"
#include "svcdns/arrange.h"
#include "svcdns/buffer.h"
#include "svcdns/log.h"
#include "svcdns/memory.h"
#include "svcdns/worker.h"
#include "weights.h"

#define TOPIC "plugin/loadbalance"

enum rank { ALIAS, OTHER, ADDRESS, EXCHANGE };

/* A worker's room to work in: touched only as far as messages reach. */
struct room {
	struct piece pieces[PIECES_MAX], sorted[PIECES_MAX];
	uint8_t wire[MESSAGE_MAX];
};

struct balancer {
	struct loadbalance *config;
	struct worker *worker;
	struct published_view weights;
	struct room *room; /* owned */
};

struct run {
	struct piece *pieces;
	size_t count;
};

static enum rank rank_of(uint16_t type)
{
	switch (type) {
	case TYPE_CNAME:
		return ALIAS;
	case TYPE_A:
	case TYPE_AAAA:
		return ADDRESS;
	case TYPE_MX:
		return EXCHANGE;
	default:
		return OTHER;
	}
}

static bool is_sorted(struct run run)
{
	for (size_t i = 1; i < run.count; i++)
		if (run.pieces[i - 1].rank > run.pieces[i].rank)
			return false;
	return true;
}

/* By rank, otherwise as it was. There are few ranks. */
static void sort(const struct balancer *b, struct run run)
{
	struct piece *sorted = b->room->sorted;
	size_t count = 0;

	if (is_sorted(run))
		return;
	for (uint16_t rank = 0, next; count < run.count; rank = next) {
		next = UINT16_MAX;
		for (size_t i = 0; i < run.count; i++) {
			if (run.pieces[i].rank == rank)
				sorted[count++] = run.pieces[i];
			else if (run.pieces[i].rank > rank && run.pieces[i].rank < next)
				next = run.pieces[i].rank;
		}
	}
	memcpy(run.pieces, sorted, count * sizeof(*sorted));
}

/* What has a rank, in a sorted run. */
static struct run find(struct run run, enum rank rank)
{
	struct run ret = {run.pieces, 0};

	while (ret.pieces < run.pieces + run.count && ret.pieces->rank < rank)
		ret.pieces++;
	while (ret.pieces + ret.count < run.pieces + run.count && ret.pieces[ret.count].rank == rank)
		ret.count++;
	return ret;
}

static void swap(struct piece *a, struct piece *b)
{
	struct piece kept = *a;

	*a = *b;
	*b = kept;
}

/* Fisher and Yates: every order is as likely as any other. */
static void shuffle(const struct balancer *b, struct run run)
{
	for (size_t i = run.count; i > 1; i--)
		swap(&run.pieces[i - 1], &run.pieces[random_below(&b->worker->random, (uint32_t)i)]);
}

static void address_of(const struct request *r, const struct piece *piece, struct ip *ret)
{
	size_t length = (size_t)(piece->end - piece->rdata);

	*ret = (struct ip){.family = piece->type == TYPE_A ? 4 : 6};
	if (length == ip_length(ret))
		memcpy(ret->bytes, r->wire + piece->rdata, length);
}

static uint8_t weight_of(const struct balancer *b, const struct request *r, const struct piece *piece)
{
	struct reader reader;
	struct name owner;
	struct ip ip;

	if (!b->weights.object)
		return 1;
	reader_init(&reader, r->wire, r->reply.length, piece->begin);
	reader_name(&reader, &owner);
	name_lower(&owner);
	address_of(r, piece, &ip);
	return weights_find(CONTAINER_OF(b->weights.object, struct weights, shared), &owner, &ip);
}

/* An address comes first as often as its weight says; the others stay where they are. */
static void put_one_first(const struct balancer *b, const struct request *r, struct run addresses)
{
	uint32_t sum = 0, draw;
	size_t chosen = 0;

	for (size_t i = 0; i < addresses.count; i++)
		sum += addresses.pieces[i].rank = weight_of(b, r, &addresses.pieces[i]);
	draw = random_below(&b->worker->random, sum);
	while (draw >= addresses.pieces[chosen].rank)
		draw -= addresses.pieces[chosen++].rank;
	swap(&addresses.pieces[0], &addresses.pieces[chosen]);
}

static bool has_addresses(struct run run)
{
	for (size_t i = 0; i < run.count; i++)
		if (run.pieces[i].rank == ADDRESS)
			return true;
	return false;
}

/* A section without addresses is left alone. */
static void weigh(const struct balancer *b, const struct request *r, enum section section, struct run run)
{
	if (section == SECTION_AUTHORITY || !has_addresses(run))
		return;
	sort(b, run);
	put_one_first(b, r, find(run, ADDRESS));
}

static uint16_t preference(
	const struct loadbalance *config, const struct request *r, const struct piece *piece)
{
	uint16_t i = 0;
	struct ip ip;

	address_of(r, piece, &ip);
	while (i < config->preferred_count && !prefix_holds(&config->preferred[i], &ip))
		i++;
	return i;
}

/* Addresses of the networks that are preferred come first, in the order of the networks; records of other
 * types last. */
static void prefer(const struct balancer *b, const struct request *r, struct run run)
{
	uint16_t ranks = (uint16_t)b->config->preferred_count;

	for (size_t i = 0; i < run.count; i++) {
		struct piece *piece = &run.pieces[i];

		if (piece->rank == ADDRESS)
			piece->rank = (uint16_t)(1 + preference(b->config, r, piece));
		else if (piece->rank != ALIAS)
			piece->rank = (uint16_t)(ranks + (piece->rank == EXCHANGE ? 2 : 3));
	}
	sort(b, run);
}

static void spread(const struct balancer *b, const struct request *r, enum section section, struct run run)
{
	sort(b, run);
	shuffle(b, find(run, ADDRESS));
	shuffle(b, find(run, EXCHANGE));
	if (b->config->preferred_count && section != SECTION_AUTHORITY)
		prefer(b, r, run);
}

static void balance(const struct balancer *b, struct request *r)
{
	struct run run = {b->room->pieces, 0};

	if (!arrange_read(&r->reply, r->question.end, run.pieces))
		return;
	for (enum section section = SECTION_ANSWER; section <= SECTION_ADDITIONAL; section++) {
		run.count = r->reply.count[section];
		for (size_t i = 0; i < run.count; i++)
			run.pieces[i].rank = (uint16_t)rank_of(run.pieces[i].type);
		if (b->config->is_weighted)
			weigh(b, r, section, run);
		else
			spread(b, r, section, run);
		run.pieces += run.count;
	}
	arrange_apply(&r->reply, r->question.end, b->room->pieces, b->room->wire);
}

static bool is_wanted(const struct balancer *b, const struct request *r)
{
	uint16_t type = r->question.type;

	if (r->rcode != RCODE_NOERROR || r->reply.overflow || type == TYPE_AXFR || type == TYPE_IXFR)
		return false;
	return !b->config->is_weighted || type == TYPE_A || type == TYPE_AAAA || type == TYPE_SRV;
}

static void reply(void *self, struct request *r)
{
	const struct balancer *b = self;
	const uint16_t *count = r->reply.count;

	if ((count[SECTION_ANSWER] > 1 || count[SECTION_AUTHORITY] > 1 || count[SECTION_ADDITIONAL] > 1) &&
		is_wanted(b, r))
		balance(b, r);
}

static enum verdict serve(void *self, struct request *r)
{
	(void)self;
	(void)r;
	return VERDICT_NEXT;
}

static bool take_weights(struct loadbalance *loadbalance, char *text, struct error *error)
{
	struct weights *weights = weights_make(text, loadbalance->path, error);

	if (!weights)
		return false;
	published_set(&loadbalance->weights, &weights->shared);
	log_line(LOG_INFO, TOPIC, "Successfully reloaded weight file %s", loadbalance->path);
	return true;
}

/* On the watcher's thread. A file that is gone or damaged changes nothing. */
static void reload(void *context)
{
	struct loadbalance *loadbalance = context;
	struct buffer buffer;
	struct error error;

	buffer_init(&buffer);
	if (!buffer_read_file(&buffer, loadbalance->path, error.message, sizeof(error.message)) ||
		!take_weights(loadbalance, buffer.bytes, &error))
		log_line(LOG_ERROR, TOPIC, "%s", error.message);
	buffer_finish(&buffer);
}

/* A file that may still come is waited for. */
static bool read_first(struct loadbalance *loadbalance, struct error *error)
{
	struct buffer buffer;
	char reason[512];
	bool ok = true;

	buffer_init(&buffer);
	if (buffer_read_file(&buffer, loadbalance->path, reason, sizeof(reason)))
		ok = take_weights(loadbalance, buffer.bytes, error);
	else if (loadbalance->reload)
		log_line(LOG_WARNING, TOPIC, "Failed to open weight file: %s. Will try again", reason);
	else
		ok = error_set(error, "weight file open error: %s", reason);
	buffer_finish(&buffer);
	return ok;
}

static bool open_file(void *config, struct error *error)
{
	struct loadbalance *loadbalance = config;

	if (!loadbalance->is_weighted)
		return true;
	if (!read_first(loadbalance, error))
		return false;
	if (loadbalance->reload)
		loadbalance->watch =
			file_watch_start(loadbalance->path, loadbalance->reload, reload, loadbalance);
	return true;
}

static void *setup(struct setup *setup, struct error *error)
{
	struct loadbalance *loadbalance = arena_alloc(setup->arena, sizeof(*loadbalance));

	if (!loadbalance_read(loadbalance, setup, error))
		return NULL;
	published_init(&loadbalance->weights, weights_free);
	return loadbalance;
}

static void close_file(void *config)
{
	struct loadbalance *loadbalance = config;

	file_watch_stop(loadbalance->watch);
	published_finish(&loadbalance->weights);
}

static void refresh(void *self)
{
	struct balancer *b = self;

	published_refresh(&b->config->weights, &b->weights);
}

static void *start(void *config, struct worker *worker)
{
	struct balancer *b = memory_zero(1, sizeof(*b));

	b->config = config;
	b->worker = worker;
	b->room = memory_reserve(sizeof(*b->room));
	refresh(b);
	return b;
}

static void stop(void *self)
{
	struct balancer *b = self;

	published_release(&b->config->weights, &b->weights);
	memory_unreserve(b->room, sizeof(*b->room));
	memory_free(b);
}

extern const struct plugin plugin_loadbalance;

const struct plugin plugin_loadbalance = {
	.name = "loadbalance",
	.setup = setup,
	.open = open_file,
	.start = start,
	.refresh = refresh,
	.serve = serve,
	.reply = reply,
	.stop = stop,
	.close = close_file,
};
