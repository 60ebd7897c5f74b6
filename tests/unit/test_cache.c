/* cache: what is kept, for whom and for how long, and what comes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../support/cache_lab.h"

#define A1  "@ 300 A 10.0.0.1"
#define SOA "/ test. 60 SOA"
#define IS  "www.test. "

/* A question, and the same again some seconds later. */
struct two_questions {
	const char *directive;
	uint16_t type;
	const char *reply; /* from below */
	const char *first;
	double seconds;
	const char *second; /* "asked": it went below once more */
};

static void check_two_questions(const struct two_questions *q)
{
	struct cache_lab c;
	unsigned asked;

	cache_lab_start(&c, q->directive);
	c.world.reply = q->reply;
	assert_string_equal(cache_ask(&c, "www.test", q->type), q->first);
	asked = c.world.asked;
	assert_int_equal(asked, 1);
	cache_lab_pass(&c, q->seconds);
	if (strcmp(q->second, "asked") == 0)
		assert_string_equal(cache_ask(&c, "www.test", q->type), q->first);
	else
		assert_string_equal(cache_ask(&c, "www.test", q->type), q->second);
	assert_int_equal(c.world.asked, strcmp(q->second, "asked") == 0 ? 2 : 1);
	cache_lab_finish(&c);
}

#define CHECK_ALL(table)                                                                                     \
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++)                                                     \
	check_two_questions(&(table)[i])

/* Kinds of replies, with CoreDNS' defaults. */
static void test_kept(void **state)
{
	static const struct two_questions table[] = {
		{"cache", TYPE_A, "NOERROR ra: " A1, "NOERROR rd ra: www.test. 300 A 10.0.0.1", 1.5,
			"NOERROR aa rd ra: www.test. 299 A 10.0.0.1"},
		{"cache", TYPE_A, "NOERROR: " A1 "; @ 200 A 10.0.0.2 / test. 100 NS ns. + ns. 90 A 10.0.0.3",
			"NOERROR rd: www.test. 90 A 10.0.0.1; www.test. 90 A 10.0.0.2 / test. 90 NS ns. + "
			"ns. 90 A 10.0.0.3",
			10,
			"NOERROR aa rd: www.test. 80 A 10.0.0.1; www.test. 80 A 10.0.0.2 / test. 80 NS ns. + "
			"ns. 80 A 10.0.0.3"},
		/* Chains of CNAMEs, whole in whichever order and case. */
		{"cache", TYPE_A,
			"NOERROR: @ 60 CNAME a.test.; a.test. 30 CNAME b.test.; b.test. 90 A 10.0.0.1",
			"NOERROR rd: www.test. 30 CNAME a.test.; a.test. 30 CNAME b.test.; b.test. 30 A "
			"10.0.0.1",
			1,
			"NOERROR aa rd: www.test. 29 CNAME a.test.; a.test. 29 CNAME b.test.; b.test. 29 A "
			"10.0.0.1"},
		{"cache", TYPE_A,
			"NOERROR: b.test. 90 A 10.0.0.1; A.test. 60 CNAME b.test.; @ 60 CNAME a.test.",
			"NOERROR rd: b.test. 60 A 10.0.0.1; A.test. 60 CNAME b.test.; www.test. 60 CNAME "
			"a.test.",
			1,
			"NOERROR aa rd: b.test. 59 A 10.0.0.1; A.test. 59 CNAME b.test.; www.test. 59 CNAME "
			"a.test."},
		{"cache", TYPE_CNAME, "NOERROR: @ 60 CNAME a.test.", "NOERROR rd: www.test. 60 CNAME a.test.",
			1, "NOERROR aa rd: www.test. 59 CNAME a.test."},
		{"cache", TYPE_ANY, "NOERROR: @ 60 TXT x", "NOERROR rd: www.test. 60 TXT \"x\"", 1,
			"NOERROR aa rd: www.test. 59 TXT \"x\""},
		/* Denials: the smallest TTL, whatever the SOA record's MINIMUM. */
		{"cache", TYPE_A, "NXDOMAIN ra " SOA, "NXDOMAIN rd ra / test. 60 SOA", 1,
			"NXDOMAIN aa rd ra / test. 59 SOA"},
		{"cache", TYPE_A, "NOERROR " SOA, "NOERROR rd / test. 60 SOA", 59,
			"NOERROR aa rd / test. 1 SOA"},
		{"cache", TYPE_A, "NOERROR: @ 90 CNAME a.test. " SOA,
			"NOERROR rd: www.test. 60 CNAME a.test. / test. 60 SOA", 1,
			"NOERROR aa rd: www.test. 59 CNAME a.test. / test. 59 SOA"},
		/* Neither answers nor a SOA record; a delegation; records that no answer is: 5 seconds, or
		 * what they say. */
		{"cache", TYPE_A, "NOERROR", "NOERROR rd", 4, "NOERROR aa rd"},
		{"cache", TYPE_A, "NOERROR / test. 300 NS ns.", "NOERROR rd / test. 5 NS ns.", 4,
			"NOERROR aa rd / test. 1 NS ns."},
		{"cache", TYPE_A, "NOERROR + x.test. 20 TXT x", "NOERROR rd + x.test. 20 TXT \"x\"", 4,
			"NOERROR aa rd + x.test. 16 TXT \"x\""},
		/* Failures of an upstream. */
		{"cache", TYPE_A, "SERVFAIL ra", "SERVFAIL rd ra", 4.9, "SERVFAIL aa rd ra"},
		{"cache", TYPE_A, "NOTIMP", "NOTIMP rd", 4, "NOTIMP aa rd"},
		{"cache", TYPE_A, "SERVFAIL / test. 60 SOA", "SERVFAIL rd / test. 5 SOA", 2,
			"SERVFAIL aa rd / test. 3 SOA"},
		/* A signature that has run out, where nobody asked for signatures. */
		{"cache", TYPE_A, "NOERROR: " A1 "; @ 300 RRSIG -1",
			"NOERROR rd: www.test. 300 A 10.0.0.1; www.test. 300 RRSIG", 1,
			"NOERROR aa rd: www.test. 299 A 10.0.0.1; www.test. 299 RRSIG"},
	};

	(void)state;
	CHECK_ALL(table);
}

static void test_not_kept(void **state)
{
	static const struct two_questions table[] = {
		{"cache", TYPE_A, "NOERROR tc ra: " A1, "NOERROR tc rd ra: www.test. 300 A 10.0.0.1", 0,
			"asked"},
		{"cache", TYPE_A, "NXDOMAIN", "NXDOMAIN rd", 0, "asked"},
		{"cache", TYPE_A, "NXDOMAIN + test. 60 SOA", "NXDOMAIN rd + test. 60 SOA", 0, "asked"},
		{"cache", TYPE_A, "NXDOMAIN / test. 60 NS ns.", "NXDOMAIN rd / test. 60 NS ns.", 0, "asked"},
		{"cache", TYPE_A, "NXDOMAIN: @ 60 CNAME a.test. " SOA,
			"NXDOMAIN rd: www.test. 5 CNAME a.test. / test. 5 SOA", 0, "asked"},
		{"cache", TYPE_A, "REFUSED ra", "REFUSED rd ra", 0, "asked"},
		{"cache", TYPE_A, "FORMERR", "FORMERR rd", 0, "asked"},
		{"cache", TYPE_A, "SERVFAIL! no route", "SERVFAIL rd", 0, "asked"},
		/* Chains that lead nowhere, to another type, in a circle, or two ways at once. */
		{"cache", TYPE_A, "NOERROR: @ 60 CNAME a.test.", "NOERROR rd: www.test. 60 CNAME a.test.", 0,
			"asked"},
		{"cache", TYPE_A, "NOERROR: @ 60 CNAME a.test.; a.test. 60 TXT x",
			"NOERROR rd: www.test. 60 CNAME a.test.; a.test. 60 TXT \"x\"", 0, "asked"},
		{"cache", TYPE_A, "NOERROR: @ 60 CNAME a.test.; a.test. 60 CNAME www.test.",
			"NOERROR rd: www.test. 60 CNAME a.test.; a.test. 60 CNAME www.test.", 0, "asked"},
		{"cache", TYPE_A, "NOERROR: @ 60 CNAME a.test.; @ 60 CNAME b.test.; b.test. 60 A 10.0.0.1",
			"NOERROR rd: www.test. 60 CNAME a.test.; www.test. 60 CNAME b.test.; b.test. 60 A "
			"10.0.0.1",
			0, "asked"},
		{"cache", TYPE_CNAME, "NOERROR: @ 60 CNAME a.test.; @ 60 CNAME b.test.",
			"NOERROR rd: www.test. 60 CNAME a.test.; www.test. 60 CNAME b.test.", 0, "asked"},
		{"cache", TYPE_A, "NOERROR: other.test. 60 A 10.0.0.1",
			"NOERROR rd: other.test. 60 A 10.0.0.1", 0, "asked"},
		{"cache", TYPE_ANY, "NOERROR: other.test. 60 A 10.0.0.1",
			"NOERROR rd: other.test. 60 A 10.0.0.1", 0, "asked"},
		/* Outside of its zones nothing is touched. */
		{"cache other.test", TYPE_A, "NOERROR: " A1 "; @ 2 A 10.0.0.2",
			"NOERROR rd: www.test. 300 A 10.0.0.1; www.test. 2 A 10.0.0.2", 0, "asked"},
		{"cache {\nservfail 0\n}", TYPE_A, "SERVFAIL / test. 60 SOA", "SERVFAIL rd / test. 0 SOA", 0,
			"asked"},
		{"cache {\ndisable success\n}", TYPE_A, "NOERROR: " A1,
			"NOERROR rd: www.test. 300 A 10.0.0.1", 0, "asked"},
		{"cache {\ndisable success a.test test\n}", TYPE_A, "NOERROR: " A1,
			"NOERROR rd: www.test. 300 A 10.0.0.1", 0, "asked"},
		{"cache {\ndisable denial\n}", TYPE_A, "NXDOMAIN " SOA, "NXDOMAIN rd / test. 60 SOA", 0,
			"asked"},
		{"cache {\ndisable denial\n}", TYPE_A, "SERVFAIL", "SERVFAIL rd", 0, "asked"},
		{"cache 30 {\ndisable success test\ndisable denial test\n}", TYPE_A, "NOERROR: " A1,
			"NOERROR rd: www.test. 30 A 10.0.0.1", 0, "asked"},
	};

	(void)state;
	CHECK_ALL(table);
}

static void test_times(void **state)
{
	static const struct two_questions table[] = {
		/* To its last second, and no longer. */
		{"cache", TYPE_A, "NOERROR: " A1, "NOERROR rd: www.test. 300 A 10.0.0.1", 299.9,
			"NOERROR aa rd: www.test. 1 A 10.0.0.1"},
		{"cache", TYPE_A, "NOERROR: " A1, "NOERROR rd: www.test. 300 A 10.0.0.1", 300, "asked"},
		{"cache", TYPE_A, "NXDOMAIN " SOA, "NXDOMAIN rd / test. 60 SOA", 60, "asked"},
		{"cache", TYPE_A, "SERVFAIL", "SERVFAIL rd", 5, "asked"},
		{"cache", TYPE_A, "NOERROR", "NOERROR rd", 5, "asked"},
		/* An hour, and half an hour for denials. RFC 2181 section 8 would read the last one as 0. */
		{"cache", TYPE_A, "NOERROR: @ 86400 A 10.0.0.1", "NOERROR rd: www.test. 3600 A 10.0.0.1",
			3599, "NOERROR aa rd: www.test. 1 A 10.0.0.1"},
		{"cache", TYPE_A, "NXDOMAIN / test. 86400 SOA", "NXDOMAIN rd / test. 1800 SOA", 1799,
			"NXDOMAIN aa rd / test. 1 SOA"},
		{"cache", TYPE_A, "NOERROR: @ 4294967295 A 10.0.0.1", "NOERROR rd: www.test. 3600 A 10.0.0.1",
			3600, "asked"},
		/* At least 5 seconds. */
		{"cache", TYPE_A, "NOERROR: @ 0 A 10.0.0.1", "NOERROR rd: www.test. 5 A 10.0.0.1", 4,
			"NOERROR aa rd: www.test. 1 A 10.0.0.1"},
		{"cache", TYPE_A, "NXDOMAIN / test. 1 SOA", "NXDOMAIN rd / test. 5 SOA", 5, "asked"},
		/* Limits of one's own. */
		{"cache 30", TYPE_A, "NOERROR: " A1, "NOERROR rd: www.test. 30 A 10.0.0.1", 30, "asked"},
		{"cache 20", TYPE_A, "NOERROR: @ 20 A 10.0.0.1; @ 300 A 10.0.0.2",
			"NOERROR rd: www.test. 20 A 10.0.0.1; www.test. 20 A 10.0.0.2", 20, "asked"},
		{"cache 30", TYPE_A, "NXDOMAIN " SOA, "NXDOMAIN rd / test. 30 SOA", 29,
			"NXDOMAIN aa rd / test. 1 SOA"},
		{"cache 30 test {\nsuccess 2000 20\n}", TYPE_A, "NOERROR: " A1,
			"NOERROR rd: www.test. 20 A 10.0.0.1", 20, "asked"},
		{"cache 30 {\nsuccess 2000 20\n}", TYPE_A, "NXDOMAIN " SOA, "NXDOMAIN rd / test. 30 SOA", 29,
			"NXDOMAIN aa rd / test. 1 SOA"},
		{"cache {\nsuccess 2000 400 350\ndenial 2000 40 20\n}", TYPE_A, "NOERROR: " A1,
			"NOERROR rd: www.test. 350 A 10.0.0.1", 349, "NOERROR aa rd: www.test. 1 A 10.0.0.1"},
		{"cache {\nsuccess 2000 400 350\ndenial 2000 90 80\n}", TYPE_A, "NXDOMAIN " SOA,
			"NXDOMAIN rd / test. 80 SOA", 80, "asked"},
		/* The longest time counts for more than the shortest. */
		{"cache {\nsuccess 2000 10 20\n}", TYPE_A, "NOERROR: " A1,
			"NOERROR rd: www.test. 10 A 10.0.0.1", 10, "asked"},
		/* No shortest time: what lives for no time is not kept. */
		{"cache {\nsuccess 2000 20 0\n}", TYPE_A, "NOERROR: @ 0 A 10.0.0.1",
			"NOERROR rd: www.test. 0 A 10.0.0.1", 0, "asked"},
		{"cache {\ndenial 2000 20 0\n}", TYPE_A, "NXDOMAIN / test. 0 SOA",
			"NXDOMAIN rd / test. 0 SOA", 0, "asked"},
		{"cache {\nsuccess 2000 20 0\n}", TYPE_A, "NOERROR: @ 1 A 10.0.0.1",
			"NOERROR rd: www.test. 1 A 10.0.0.1", 0.9, "NOERROR aa rd: www.test. 1 A 10.0.0.1"},
		/* Failures have a time of their own, that of denials or not. */
		{"cache 30 {\ndenial 2000 20 10\nservfail 1m\n}", TYPE_A, "SERVFAIL", "SERVFAIL rd", 59,
			"SERVFAIL aa rd"},
		{"cache {\nservfail 1m\n}", TYPE_A, "NOTIMP", "NOTIMP rd", 60, "asked"},
		{"cache {\nkeepttl\n}", TYPE_A, "NOERROR: " A1, "NOERROR rd: www.test. 300 A 10.0.0.1", 299,
			"NOERROR aa rd: www.test. 300 A 10.0.0.1"},
		{"cache {\nkeepttl\n}", TYPE_A, "NOERROR: " A1, "NOERROR rd: www.test. 300 A 10.0.0.1", 300,
			"asked"},
		{"cache {\ndisable success\ndisable denial a.test\n}", TYPE_A, "NXDOMAIN " SOA,
			"NXDOMAIN rd / test. 60 SOA", 1, "NXDOMAIN aa rd / test. 59 SOA"},
	};

	(void)state;
	CHECK_ALL(table);
}

/* What may differ in a query and still be the same question to the cache, and what may not. */
static void test_keys(void **state)
{
	static const struct {
		const char *name;
		uint16_t type, class, flags;
		bool dnssec_ok;
		uint16_t payload;
		enum transport transport;
		bool is_same;
	} table[] = {
		{"www.test", TYPE_A, CLASS_IN, FLAG_RD, false, 0, TRANSPORT_UDP, true},
		{"WWW.teST", TYPE_A, CLASS_IN, FLAG_RD, false, 0, TRANSPORT_UDP, true},
		{"www.test", TYPE_A, CLASS_IN, 0, false, 0, TRANSPORT_UDP, true},
		{"www.test", TYPE_A, CLASS_IN, FLAG_RD | FLAG_AD, false, 0, TRANSPORT_UDP, true},
		{"www.test", TYPE_A, CLASS_IN, FLAG_RD, false, 1232, TRANSPORT_UDP, true},
		{"www.test", TYPE_A, CLASS_IN, FLAG_RD, false, 0, TRANSPORT_TCP, true},
		{"www.test", TYPE_AAAA, CLASS_IN, FLAG_RD, false, 0, TRANSPORT_UDP, false},
		{"www.test", TYPE_A, CLASS_CH, FLAG_RD, false, 0, TRANSPORT_UDP, false},
		{"www.test", TYPE_A, CLASS_ANY, FLAG_RD, false, 0, TRANSPORT_UDP, false},
		{"www.test", TYPE_A, CLASS_IN, FLAG_RD | FLAG_CD, false, 0, TRANSPORT_UDP, false},
		{"www.test", TYPE_A, CLASS_IN, FLAG_RD, true, 1232, TRANSPORT_UDP, false},
		{"www.test", TYPE_A, CLASS_IN, FLAG_RD | FLAG_CD, true, 1232, TRANSPORT_UDP, false},
		{"ww.test", TYPE_A, CLASS_IN, FLAG_RD, false, 0, TRANSPORT_UDP, false},
		{"www.tes", TYPE_A, CLASS_IN, FLAG_RD, false, 0, TRANSPORT_UDP, false},
		{"w.ww.test", TYPE_A, CLASS_IN, FLAG_RD, false, 0, TRANSPORT_UDP, false},
		{".", TYPE_A, CLASS_IN, FLAG_RD, false, 0, TRANSPORT_UDP, false},
	};
	struct cache_lab c;
	unsigned asked = 1;

	(void)state;
	cache_lab_start(&c, "cache");
	c.world.reply = "NOERROR " SOA;
	c.lab.router.any_class = true;
	cache_ask(&c, "www.test", TYPE_A);
	for (unsigned round = 0; round < 2; round++) {
		for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
			c.lab.class = table[i].class;
			c.lab.flags = table[i].flags;
			c.lab.dnssec_ok = table[i].dnssec_ok;
			c.lab.payload = table[i].payload;
			c.lab.transport = table[i].transport;
			assert_non_null(strstr(cache_ask(&c, table[i].name, table[i].type), " 60 SOA"));
			asked += !table[i].is_same && round == 0;
			assert_int_equal(c.world.asked, asked);
		}
	}
	cache_lab_finish(&c);
}

/* A name that a client wrote in mixed case comes back so, whoever asked first. */
static void test_case_of_the_client(void **state)
{
	struct cache_lab c;

	(void)state;
	cache_lab_start(&c, "cache");
	c.world.reply = "NOERROR: " A1;
	assert_string_equal(cache_ask(&c, "wWw.Test", TYPE_A), "NOERROR rd: wWw.Test. 300 A 10.0.0.1");
	assert_string_equal(cache_ask(&c, "WWW.test", TYPE_A), "NOERROR aa rd: WWW.test. 300 A 10.0.0.1");
	assert_string_equal(cache_ask(&c, "www.test", TYPE_A), "NOERROR aa rd: www.test. 300 A 10.0.0.1");
	assert_int_equal(c.world.asked, 1);
	cache_lab_finish(&c);
}

/* Below, AD is asked for; it is shown to those who want it. The client's own bits come back. */
static void test_flags(void **state)
{
	static const struct {
		uint16_t flags;
		bool dnssec_ok;
		const char *asked, *first, *later;
	} table[] = {
		{FLAG_RD, false, "www.test. A rd ad", "NOERROR rd ra: www.test. 300 A 10.0.0.1",
			"NOERROR aa rd ra: www.test. 300 A 10.0.0.1"},
		{FLAG_RD | FLAG_AD, false, "www.test. A rd ad", "NOERROR rd ra ad: www.test. 300 A 10.0.0.1",
			"NOERROR aa rd ra ad: www.test. 300 A 10.0.0.1"},
		{FLAG_RD, true, "www.test. A rd ad do", "NOERROR rd ra ad: www.test. 300 A 10.0.0.1",
			"NOERROR aa rd ra ad: www.test. 300 A 10.0.0.1"},
		{0, false, "www.test. A ad", "NOERROR ra: www.test. 300 A 10.0.0.1",
			"NOERROR aa ra: www.test. 300 A 10.0.0.1"},
		{FLAG_RD | FLAG_CD, false, "www.test. A rd ad cd",
			"NOERROR rd ra cd: www.test. 300 A 10.0.0.1",
			"NOERROR aa rd ra cd: www.test. 300 A 10.0.0.1"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		struct cache_lab c;
		const char *reply;

		cache_lab_start(&c, "cache");
		c.world.reply = "NOERROR ra ad: " A1;
		c.lab.flags = table[i].flags;
		c.lab.dnssec_ok = table[i].dnssec_ok;
		c.lab.payload = table[i].dnssec_ok ? 1232 : 0;
		reply = cache_ask(&c, "www.test", TYPE_A);
		assert_memory_equal(reply, table[i].first, strlen(table[i].first));
		assert_string_equal(c.world.last, table[i].asked);
		reply = cache_ask(&c, "www.test", TYPE_A);
		assert_memory_equal(reply, table[i].later, strlen(table[i].later));
		cache_lab_finish(&c);
	}
}

static enum verdict pass(void *self, struct request *r)
{
	(void)self;
	(void)r;
	return VERDICT_NEXT;
}

/* As forward, for the log, which is not to show what the cache has taken out. */
static enum verdict serve_with_opt(void *self, struct request *r)
{
	enum verdict verdict = world_serve(self, r);

	r->opt_length = 11;
	return verdict;
}

static void note_flags(void *self, struct request *r)
{
	assert_int_equal(r->opt_length, 0);
	assert_int_equal(message_flags(r->wire), r->flags);
	*(uint16_t *)self = r->flags;
}

/* The plugins above see the query as the client sent it, before and after. */
static void test_flags_above(void **state)
{
	static const struct plugin plugin_above = {.name = "above", .serve = pass, .reply = note_flags};
	static const struct plugin plugin_below = {.name = "below", .serve = serve_with_opt};
	static const uint16_t flags[] = {FLAG_RD, FLAG_RD | FLAG_AD, FLAG_CD};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(flags); i++) {
		uint16_t seen = 0;
		struct cache_lab c;

		cache_lab_start(&c, "cache");
		c.lab.links[1].plugin = &plugin_below;
		cache_lab_put_above(&c, &plugin_above, &seen);
		c.world.reply = "NOERROR: " A1;
		c.lab.flags = flags[i];
		cache_ask(&c, "www.test", TYPE_A);
		assert_int_equal(seen, flags[i]);
		cache_lab_finish(&c);
	}
}

/* Asks for another name below, as search does. A request's state may hold anything at first. */
static enum verdict ask_child(void *self, struct request *r)
{
	static int rubbish;
	const struct name *name = self;
	struct request *child = request_child(r, name, r->question.type);

	memset(child->state, ++rubbish, sizeof(child->state));
	assert_int_equal(request_ask_below(child), VERDICT_ANSWERED);
	request_reply_child(r, child);
	request_release(child);
	return VERDICT_ANSWERED;
}

/* The questions of plugins above are kept, and found, as those of clients are. */
static void test_questions_of_plugins(void **state)
{
	static const struct plugin plugin_above = {.name = "above", .serve = ask_child};
	static const char *const names[] = {"www.test", "a.test", "WWW.test", "b.test", "www.test"};
	static const unsigned asked[] = {1, 2, 2, 3, 3};
	struct cache_lab c;
	struct name name;

	(void)state;
	cache_lab_start(&c, "cache");
	cache_lab_put_above(&c, &plugin_above, &name);
	c.world.reply = "NOERROR: " A1;
	for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
		assert_true(name_from_text(names[i], &name));
		cache_ask(&c, "client.test", TYPE_A);
		assert_int_equal(c.world.asked, asked[i]);
	}
	cache_lab_finish(&c);
}

/* AD is not there because somebody asks for it. */
static void test_no_ad_without_validation(void **state)
{
	struct cache_lab c;

	(void)state;
	cache_lab_start(&c, "cache");
	c.world.reply = "NOERROR aa: " A1;
	c.lab.flags = FLAG_RD | FLAG_AD;
	assert_string_equal(cache_ask(&c, "www.test", TYPE_A), "NOERROR aa rd: www.test. 300 A 10.0.0.1");
	assert_string_equal(cache_ask(&c, "www.test", TYPE_A), "NOERROR aa rd: www.test. 300 A 10.0.0.1");
	cache_lab_finish(&c);
}

static void test_expired_signature(void **state)
{
	static const struct {
		const char *expires;
		unsigned asked;
	} table[] = {{"3000", 1}, {"-2", 2}, {"7200", 2}}; /* the last one is not valid yet */

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		struct cache_lab c;
		char reply[128];

		cache_lab_start(&c, "cache");
		c.lab.dnssec_ok = true;
		c.lab.payload = 1232;
		snprintf(reply, sizeof(reply), "NOERROR: " A1 "; @ 300 RRSIG %s", table[i].expires);
		c.world.reply = reply;
		cache_ask(&c, "www.test", TYPE_A);
		cache_ask(&c, "www.test", TYPE_A);
		assert_int_equal(c.world.asked, table[i].asked);
		cache_lab_finish(&c);
	}
}

/* Transfers and notifications are no questions that a kept reply could answer, not even one of the same name
 * and type. */
static void test_transfers_and_notifications(void **state)
{
	struct cache_lab c;

	(void)state;
	cache_lab_start(&c, "cache");
	c.world.reply = "NOERROR: @ 300 SOA";
	for (unsigned i = 1; i <= 2; i++) {
		assert_string_equal(cache_ask(&c, "www.test", TYPE_AXFR), "NOERROR rd: www.test. 300 SOA");
		assert_string_equal(cache_ask(&c, "www.test", TYPE_IXFR), "NOERROR rd: www.test. 300 SOA");
		assert_int_equal(c.world.asked, 2 * i);
	}
	assert_string_equal(cache_ask(&c, "www.test", TYPE_SOA), "NOERROR rd: www.test. 300 SOA");
	c.lab.flags = OPCODE_NOTIFY << 11;
	c.world.reply = "REFUSED";
	assert_string_equal(cache_ask(&c, "www.test", TYPE_SOA), "REFUSED");
	assert_int_equal(c.world.asked, 6);
	c.lab.flags = FLAG_RD;
	assert_string_equal(cache_ask(&c, "www.test", TYPE_SOA), "NOERROR aa rd: www.test. 300 SOA");
	cache_lab_finish(&c);
}

/* The reply of a plugin that has it in memory is shown as CoreDNS would, and not kept. */
static void test_fresh_plugins(void **state)
{
	static const struct plugin fresh = {.name = "fresh", .is_fresh = true, .serve = world_serve};
	struct cache_lab c;

	(void)state;
	cache_lab_start(&c, "cache");
	c.lab.links[1].plugin = &fresh;
	c.world.reply = "NOERROR aa: @ 2 A 10.0.0.1; @ 9 A 10.0.0.2";
	for (unsigned i = 1; i <= 2; i++) {
		assert_string_equal(cache_ask(&c, "www.test", TYPE_A),
			"NOERROR aa rd: www.test. 5 A 10.0.0.1; www.test. 5 A 10.0.0.2");
		assert_int_equal(c.world.asked, i);
	}
	cache_lab_finish(&c);
}

/* What was denied comes to be, and the other way round: the newer of the two counts. */
static void test_changes(void **state)
{
	struct cache_lab c;

	(void)state;
	cache_lab_start(&c, "cache");
	c.world.reply = "NXDOMAIN " SOA;
	cache_ask(&c, "www.test", TYPE_A);
	cache_lab_pass(&c, 60);
	c.world.reply = "NOERROR: @ 90 A 10.0.0.1";
	cache_ask(&c, "www.test", TYPE_A);
	assert_string_equal(cache_ask(&c, "www.test", TYPE_A), "NOERROR aa rd: www.test. 90 A 10.0.0.1");
	cache_lab_pass(&c, 90);
	c.world.reply = "NXDOMAIN " SOA;
	cache_ask(&c, "www.test", TYPE_A);
	assert_string_equal(cache_ask(&c, "www.test", TYPE_A), "NXDOMAIN aa rd / test. 60 SOA");
	assert_int_equal(c.world.asked, 3);
	cache_lab_finish(&c);
}

/* Two workers: what one has kept the other has, too, even if its clock's last reading is a bit older. */
static void test_workers_share(void **state)
{
	static const double ahead[] = {0, 0.3, 1.2};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(ahead); i++) {
		struct cache_lab c;
		void *other;

		cache_lab_start(&c, "cache");
		other = plugin_cache.start(c.lab.config, &c.lab.worker);
		c.world.reply = "NOERROR: " A1;
		c.lab.worker.now = 100 * CLOCK_S + (uint64_t)(ahead[i] * (double)CLOCK_S);
		cache_ask(&c, "www.test", TYPE_A);
		c.lab.worker.now = 100 * CLOCK_S;
		c.lab.links[0].self = other;
		assert_string_equal(
			cache_ask(&c, "www.test", TYPE_A), "NOERROR aa rd: www.test. 300 A 10.0.0.1");
		assert_int_equal(c.world.asked, 1);
		plugin_cache.stop(other);
		cache_lab_finish(&c);
	}
}

/* The least capacity is 1024 for each side; what is asked for often is lost as well when others come. */
static void test_capacity(void **state)
{
	struct cache_lab c;
	char name[32];

	(void)state;
	cache_lab_start(&c, "cache {\nsuccess 1\n}");
	c.world.reply = "NOERROR: " A1;
	for (unsigned i = 0; i < 5000; i++) {
		snprintf(name, sizeof(name), "%u.test", i);
		cache_ask(&c, name, TYPE_A);
	}
	assert_int_equal(c.world.asked, 5000);
	for (unsigned i = 0; i < 5000; i++) {
		snprintf(name, sizeof(name), "%u.test", 4999 - i);
		cache_ask(&c, name, TYPE_A);
		if (i == 0)
			assert_int_equal(c.world.asked, 5000);
	}
	assert_in_range(c.world.asked, 10000 - 1024, 10000 - 300);
	cache_lab_finish(&c);
}

/* Octets are bounded, too: large replies make room for one another. One that would take a quarter of a shard
 * is not kept, and does no harm to what is. */
static void test_octets(void **state)
{
	static char many[REPLY_TEXT], large[REPLY_TEXT];
	struct cache_lab c;
	char name[32];

	(void)state;
	strcpy(many, "NOERROR: @ 300 A 10.0.0.1");
	for (unsigned i = 0; i < 60; i++)
		strcat(many, "; @ 300 A 10.0.0.1");
	strcpy(large, "NOERROR: @ 300 TXT x");
	for (unsigned i = 0; i < 15; i++) {
		char text[300] = "; @ 300 TXT ";

		memset(text + strlen(text), 'x', 240);
		strcat(large, text);
	}
	cache_lab_start(&c, "cache {\nsuccess 1024\ndenial 100000\nbytes 262144\n}");
	c.lab.transport = TRANSPORT_TCP;
	c.world.reply = many;
	for (unsigned i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "%u.test", i);
		cache_ask(&c, name, TYPE_A);
	}
	for (unsigned i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "%u.test", 99 - i);
		cache_ask(&c, name, TYPE_A);
	}
	assert_in_range(c.world.asked, 101, 199);
	c.world.asked = 0;
	c.world.reply = large;
	cache_ask(&c, "large.test", TYPE_TXT);
	cache_ask(&c, "large.test", TYPE_TXT);
	assert_int_equal(c.world.asked, 2);
	cache_lab_finish(&c);
}

/* A reply of 64 KiB, as over TCP, is cut for those who come over UDP, and whole for others. */
static void test_reply_for_a_small_client(void **state)
{
	static char reply[REPLY_TEXT];
	struct cache_lab c;

	(void)state;
	strcpy(reply, "NOERROR: @ 300 TXT x");
	for (unsigned i = 0; i < 8; i++) {
		char text[300] = "; @ 300 TXT ";

		memset(text + strlen(text), 'x', 200);
		strcat(reply, text);
	}
	cache_lab_start(&c, "cache");
	c.world.reply = reply;
	c.lab.transport = TRANSPORT_TCP;
	cache_ask(&c, "www.test", TYPE_TXT);
	c.lab.transport = TRANSPORT_UDP;
	assert_memory_equal(
		cache_ask(&c, "www.test", TYPE_TXT), "NOERROR aa tc rd: www.test. 300 TXT \"x\";", 38);
	c.lab.payload = 4096;
	assert_null(strstr(cache_ask(&c, "www.test", TYPE_TXT), " tc"));
	assert_int_equal(c.world.asked, 1);
	cache_lab_finish(&c);
}

static enum verdict serve_too_much(void *self, struct request *r)
{
	++*(unsigned *)self;
	reply_write_too_much(r);
	return VERDICT_ANSWERED;
}

/* More than fits into any message: what there is room for is sent, and nothing kept. */
static void test_reply_without_end(void **state)
{
	static const struct plugin plugin_too_much = {.name = "too much", .serve = serve_too_much};
	unsigned asked = 0;
	const struct link links[] = {{0}, {&plugin_too_much, &asked, 0}};
	struct lab lab;

	(void)state;
	assert_true(lab_read(&lab, &plugin_cache, "cache"));
	assert_true(plugin_cache.open(lab.config, &lab.error));
	lab_start(&lab, links, ARRAY_LENGTH(links));
	lab.transport = TRANSPORT_TCP;
	for (unsigned i = 1; i <= 2; i++) {
		assert_int_equal(lab_ask(&lab, "www.test", TYPE_A), VERDICT_ANSWERED);
		assert_true(message_flags(lab.request->wire) & FLAG_TC);
		assert_in_range(lab.request->reply.length, 60000, 65535);
		assert_int_equal(asked, i);
	}
	lab_finish(&lab);
}

#define LINE3 "Corefile:3 - Error during parsing: "

static void test_setup(void **state)
{
	static const struct {
		const char *properties, *message;
	} table[] = {
		{"success 5000", NULL},
		{"success 5000 3600 0", NULL},
		{"success 5000 3600 5 what else", NULL},
		{"success", LINE3 "Wrong argument count or unexpected line ending after 'success'"},
		{"success x", LINE3 "strconv.Atoi: parsing \"x\": invalid syntax"},
		{"success 5000 0", LINE3 "cache TTL can not be zero or negative: 0"},
		{"denial 5000 60 -1", LINE3 "cache min TTL can not be negative: -1"},
		{"denial 5000 1m", LINE3 "strconv.Atoi: parsing \"1m\": invalid syntax"},
		{"prefetch 0", NULL},
		{"prefetch 10 1m 90%", NULL},
		{"prefetch", LINE3 "Wrong argument count or unexpected line ending after 'prefetch'"},
		{"prefetch 1 1m 10% 1", LINE3 "Wrong argument count or unexpected line ending after '1'"},
		{"prefetch -1", LINE3 "prefetch amount should be positive: -1"},
		{"prefetch 10 60", LINE3 "time: missing unit in duration \"60\""},
		{"prefetch 10 1m 5", LINE3 "last character of percentage should be `%`, but is: '5'"},
		{"prefetch 10 1m 9%", LINE3 "percentage should fall in range [10, 90]: 9"},
		{"prefetch 10 1m 91%", LINE3 "percentage should fall in range [10, 90]: 91"},
		{"serve_stale", NULL},
		{"serve_stale 1h IMMEDIATE 30s 5m", NULL},
		{"serve_stale 1h verify 0 30s 30s", NULL},
		{"serve_stale -1h", LINE3 "invalid negative duration for serve_stale"},
		{"serve_stale 1h later", LINE3 "invalid value for serve_stale refresh mode: later"},
		{"serve_stale 1h verify 1", LINE3 "invalid serve_stale verify timeout: time: missing unit in "
						  "duration \"1\""},
		{"serve_stale 1h verify -1s", LINE3 "invalid negative timeout for serve_stale verify"},
		{"serve_stale 1h immediate 1",
			LINE3 "invalid serve_stale response TTL: time: missing unit in duration \"1\""},
		{"serve_stale 1h immediate -1s", LINE3 "invalid negative response TTL for serve_stale"},
		{"serve_stale 1h immediate 1500ms",
			LINE3 "serve_stale response TTL must be a whole number of seconds"},
		{"serve_stale 1h immediate 1200000h", LINE3 "serve_stale response TTL exceeds the DNS TTL "
							    "range"},
		{"serve_stale 1h verify 1s 1s x",
			LINE3 "invalid serve_stale failure recheck: time: invalid duration \"x\""},
		{"serve_stale 1h immediate 30s 301s",
			LINE3 "serve_stale failure recheck cannot exceed 5 minutes"},
		{"serve_stale 1h immediate 30s -1s",
			LINE3 "invalid negative failure recheck for serve_stale"},
		{"serve_stale 1h immediate 30s 30s 1s",
			LINE3 "Wrong argument count or unexpected line ending after '1s'"},
		{"serve_stale 1h verify 1s 30s 30s 1s",
			LINE3 "Wrong argument count or unexpected line ending after '1s'"},
		{"serve_stale\nserve_stale_policy Prefer_Positive", NULL},
		{"serve_stale_policy prefer_positive\nserve_stale", NULL},
		{"serve_stale_policy prefer_positive",
			"Corefile:4 - Error during parsing: serve_stale_policy requires serve_stale"},
		{"serve_stale_policy x", LINE3 "invalid serve_stale_policy: x"},
		{"serve_stale_policy",
			LINE3 "Wrong argument count or unexpected line ending after 'serve_stale_policy'"},
		{"serve_stale\nserve_stale_policy prefer_positive\nserve_stale_policy prefer_positive",
			"Corefile:5 - Error during parsing: serve_stale_policy can only be specified once"},
		{"servfail 5m", NULL},
		{"servfail 301s", LINE3 "caching SERVFAIL responses over 5 minutes is not permitted"},
		{"servfail -1s", LINE3 "invalid negative ttl for servfail"},
		{"servfail", LINE3 "Wrong argument count or unexpected line ending after 'servfail'"},
		{"servfail 1s 2s", LINE3 "Wrong argument count or unexpected line ending after '2s'"},
		{"disable success\ndisable denial a.test b.test", NULL},
		{"disable", LINE3 "Wrong argument count or unexpected line ending after 'disable'"},
		{"disable both", LINE3 "cache type for disable must be \"success\" or \"denial\""},
		{"disable success a..b", LINE3 "invalid disabled zone: a..b"},
		{"keepttl", NULL},
		{"keepttl on", LINE3 "Wrong argument count or unexpected line ending after 'on'"},
		{"bytes 262144", NULL},
		{"bytes 262143", LINE3 "bytes must be in range [262144, 9223372036854775807]: 262143"},
		{"size 5", LINE3 "unknown property 'size'"},
	};
	char directive[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		snprintf(directive, sizeof(directive), "cache {\n%s\n}", table[i].properties);
		lab_assert_setup(&plugin_cache, directive, table[i].message);
	}
	lab_assert_setup(&plugin_cache, "cache 30 a.test b.test", NULL);
	lab_assert_setup(&plugin_cache, "cache 0",
		"Corefile:2 - Error during parsing: cache TTL can not be zero or negative: 0");
	lab_assert_setup(&plugin_cache, "cache\ncache",
		"Corefile:3 - Error during parsing: this plugin can only be used once per Server Block");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kept),
		cmocka_unit_test(test_not_kept),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_case_of_the_client),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_flags_above),
		cmocka_unit_test(test_questions_of_plugins),
		cmocka_unit_test(test_no_ad_without_validation),
		cmocka_unit_test(test_expired_signature),
		cmocka_unit_test(test_transfers_and_notifications),
		cmocka_unit_test(test_fresh_plugins),
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_workers_share),
		cmocka_unit_test(test_capacity),
		cmocka_unit_test(test_octets),
		cmocka_unit_test(test_reply_for_a_small_client),
		cmocka_unit_test(test_reply_without_end),
		cmocka_unit_test(test_setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
