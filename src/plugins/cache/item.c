/* Replies as they are kept. Records stand behind a question of the same length wherever they are copied to,
 * so that their compression pointers stay good; only the TTLs are written anew, at offsets that were noted
 * when the item was made. */
#include "item.h"

#include <string.h>

#include "svcdns/clock.h"

#define TTLS_MAX	     8192
#define CHAIN_MAX	     16
#define SIGNATURE_EXPIRATION 8 /* octets before these fields in the RDATA of RRSIG (RFC 4034 section 3.1) */
#define SIGNATURE_INCEPTION  12

struct walk { /* from record to record of a reply, through all sections */
	const struct request *reply;
	struct reader reader;
	unsigned section, left;
};

static void walk_init(struct walk *walk, const struct request *reply)
{
	*walk = (struct walk){.reply = reply, .left = reply->reply.count[0]};
	reader_init(&walk->reader, reply->wire, reply->reply.length, reply->question.end);
}

static bool walk_next(struct walk *walk, struct record *ret)
{
	while (!walk->left && walk->section < SECTION_ADDITIONAL)
		walk->left = walk->reply->reply.count[++walk->section];
	if (!walk->left)
		return false;
	walk->left--;
	return reader_pass_record(&walk->reader, ret);
}

/* What most records say: a pointer to the question, which needs no reading. */
static bool has_owner_of_question(const struct request *reply, const struct record *record)
{
	return message_u16(reply->wire + record->begin) == WRITER_QUESTION;
}

static bool is_owner(const struct request *reply, const struct record *record, const struct name *name)
{
	struct reader reader;
	struct name owner;

	reader_init(&reader, reply->wire, reply->reply.length, record->begin);
	return reader_name(&reader, &owner) && name_equal_nocase(&owner, name);
}

static bool class_fits(const struct request *reply, const struct record *record)
{
	return reply->question.class == CLASS_ANY || record->class == reply->question.class;
}

/* Where an owner's CNAME record leads. 1: to *ret; 0: it has none; -1: to more than one name (RFC 2181
 * section 10.1). */
static int follow(const struct request *reply, const struct name *owner, struct name *ret)
{
	struct walk walk;
	struct record record;
	struct name target;
	int found = 0;

	walk_init(&walk, reply);
	while (walk_next(&walk, &record) && walk.section == SECTION_ANSWER) {
		struct reader rdata;

		if (record.type != TYPE_CNAME || !class_fits(reply, &record) ||
			!is_owner(reply, &record, owner))
			continue;
		reader_init(&rdata, reply->wire, record.end, record.rdata);
		if (!reader_name(&rdata, &target) || (found && !name_equal_nocase(&target, ret)))
			return -1;
		*ret = target;
		found = 1;
	}
	return found;
}

static bool has_type(const struct request *reply, const struct name *owner, uint16_t type)
{
	struct walk walk;
	struct record record;

	walk_init(&walk, reply);
	while (walk_next(&walk, &record) && walk.section == SECTION_ANSWER)
		if ((type == TYPE_ANY || record.type == type) && class_fits(reply, &record) &&
			is_owner(reply, &record, owner))
			return true;
	return false;
}

/* Whether the answer section holds the type that was asked for where the chain of CNAMEs ends (RFC 1034
 * section 3.6.2). A chain that is longer than any sane one is taken for a loop. */
static bool answers_question(const struct request *reply)
{
	struct name name = reply->question.name, next;
	uint16_t type = reply->question.type;

	if (type == TYPE_ANY)
		return has_type(reply, &name, type);
	if (type == TYPE_CNAME)
		return follow(reply, &name, &next) > 0;
	for (unsigned i = 0; i < CHAIN_MAX; i++) {
		int found = follow(reply, &name, &next);

		if (found < 0)
			return false;
		if (found == 0)
			return has_type(reply, &name, type);
		name = next;
	}
	return false;
}

/* What a look at every record gives. */
struct census {
	bool has_soa, has_expired_signature, has_records;
	bool is_plain; /* all answers are what was asked for, and none is an alias */
	uint32_t lowest_ttl, highest_ttl;
};

/* Serial number arithmetic: both fields are seconds modulo 2^32 (RFC 4034 section 3.1.5). */
static bool is_expired(const struct request *reply, const struct record *record)
{
	const uint8_t *rdata = reply->wire + record->rdata;
	uint32_t now;

	if (record->type != TYPE_RRSIG || record->end - record->rdata < SIGNATURE_INCEPTION + 4)
		return false;
	now = (uint32_t)clock_unix();
	return (int32_t)(message_u32(rdata + SIGNATURE_EXPIRATION) - now) < 0 ||
	       (int32_t)(now - message_u32(rdata + SIGNATURE_INCEPTION)) < 0;
}

static bool is_plain(const struct request *reply, const struct record *record)
{
	return record->type == reply->question.type && record->type != TYPE_CNAME &&
	       class_fits(reply, record) && has_owner_of_question(reply, record);
}

static struct census take_census(const struct request *reply)
{
	struct census census = {.lowest_ttl = UINT32_MAX, .is_plain = reply->reply.count[SECTION_ANSWER]};
	struct walk walk;
	struct record record;

	walk_init(&walk, reply);
	while (walk_next(&walk, &record)) {
		census.has_records = true;
		if (record.ttl < census.lowest_ttl)
			census.lowest_ttl = record.ttl;
		if (record.ttl > census.highest_ttl)
			census.highest_ttl = record.ttl;
		if (walk.section == SECTION_ANSWER)
			census.is_plain &= is_plain(reply, &record);
		census.has_soa |= walk.section == SECTION_AUTHORITY && record.type == TYPE_SOA;
		census.has_expired_signature |= is_expired(reply, &record);
	}
	return census;
}

/* A chain of CNAMEs that ends without data, and a SOA record, are NODATA as well (RFC 2308 section 2.2). */
static enum reply_kind classify(const struct request *reply, const struct census *census, bool answers)
{
	enum reply_kind kind = request_reply_kind(reply);

	if (reply->edns.dnssec_ok && census->has_expired_signature)
		return REPLY_OTHER;
	if (kind == REPLY_SUCCESS && reply->reply.count[SECTION_ANSWER] && census->has_soa && !answers)
		return REPLY_NODATA;
	return kind;
}

struct judgement item_judge(const struct request *reply)
{
	struct census census = take_census(reply);
	struct judgement judgement = {0};

	judgement.answers = reply->rcode == RCODE_NOERROR && (census.is_plain || answers_question(reply));
	judgement.kind = classify(reply, &census, judgement.answers);
	judgement.is_storable =
		!(reply->reply_flags & FLAG_TC) && !reply->reply.overflow && judgement.kind != REPLY_OTHER;
	if (judgement.kind == REPLY_NXDOMAIN && !census.has_soa)
		judgement.is_storable = false; /* RFC 2308 section 5 */
	if (judgement.kind == REPLY_SUCCESS && reply->reply.count[SECTION_ANSWER] && !judgement.answers)
		judgement.is_storable =
			false; /* a chain that ends in nothing, and no SOA record to bound it */
	judgement.has_ttl =
		census.has_records && (judgement.kind == REPLY_SUCCESS || judgement.kind == REPLY_NXDOMAIN ||
					      judgement.kind == REPLY_NODATA);
	judgement.lowest_ttl = census.lowest_ttl;
	judgement.highest_ttl = census.highest_ttl;
	return judgement;
}

static void put_ttl(uint8_t *at, uint32_t ttl)
{
	writer_put_u16_at(at, (uint16_t)(ttl >> 16));
	writer_put_u16_at(at + 2, (uint16_t)ttl);
}

void item_set_ttls(struct request *reply, uint32_t ttl)
{
	struct walk walk;
	struct record record;

	walk_init(&walk, reply);
	while (walk_next(&walk, &record))
		put_ttl(reply->wire + record.ttl_at, ttl);
}

size_t item_write(
	const struct request *reply, const struct judgement *judgement, uint32_t ttl, uint64_t now, void *out)
{
	struct item *item = out;
	uint16_t *offsets = (uint16_t *)(void *)(item + 1);
	size_t begin = reply->question.end;
	struct walk walk;
	struct record record;

	*item = (struct item){
		.stored = now, .ttl = ttl, .rcode = reply->rcode, .answers = judgement->answers};
	item->flags = reply->reply_flags & (FLAG_RA | FLAG_AD);
	memcpy(item->count, reply->reply.count, sizeof(item->count));
	item->body = (uint32_t)(reply->reply.length - begin);
	walk_init(&walk, reply);
	while (item->ttls < TTLS_MAX && walk_next(&walk, &record))
		offsets[item->ttls++] = (uint16_t)record.ttl_at;
	memcpy(offsets + item->ttls, reply->wire + begin, item->body);
	return sizeof(*item) + 2u * item->ttls + item->body;
}

void item_reply(const struct item *item, struct request *request, uint32_t ttl)
{
	const uint16_t *offsets = (const uint16_t *)(const void *)(item + 1);
	struct writer *w = &request->reply;

	request_reply(request, item->rcode, item->flags);
	writer_bytes(w, offsets + item->ttls, item->body);
	memcpy(w->count, item->count, sizeof(item->count));
	for (uint16_t i = 0; i < item->ttls && !w->overflow; i++)
		put_ttl(w->wire + offsets[i], ttl);
}
