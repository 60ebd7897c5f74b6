/* cache: serve_stale, serve_stale_policy and prefetch: what is asked behind a client's back, or before it
 * gets an answer that has run out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../support/cache_lab.h"

#define OLD   "@ 60 A 10.0.0.1"
#define NEW   "@ 60 A 10.0.0.2"
#define IS(t) "www.test. " #t " A 10.0.0.1"
#define SOA   "/ test. 60 SOA"

#define STALE	  "NOERROR aa rd: " IS(0)
#define REFRESHED "NOERROR aa rd: www.test. 60 A 10.0.0.2"

static const char *ask(struct cache_lab *c)
{
	return cache_ask(c, "www.test", TYPE_A);
}

/* Something is kept, and runs out. */
static void start(struct cache_lab *c, const char *directive)
{
	cache_lab_start(c, directive);
	c->world.reply = "NOERROR: " OLD;
	assert_string_equal(ask(c), "NOERROR rd: " IS(60));
	cache_lab_pass(c, 60);
	c->world.asked = 0;
}

static const char *const immediate = "cache {\nserve_stale\n}";
static const char *const verify = "cache {\nserve_stale 1h verify\n}";

static void test_immediate(void **state)
{
	struct cache_lab c;

	(void)state;
	start(&c, immediate);
	c.world.reply = "NOERROR: " NEW;
	assert_string_equal(ask(&c), STALE);
	assert_int_equal(c.world.asked, 1);
	assert_string_equal(c.world.last, "www.test. A rd ad tcp"); /* so that it is not cut */
	assert_string_equal(ask(&c), REFRESHED);
	assert_int_equal(c.world.asked, 1);
	cache_lab_finish(&c);
}

/* However many come meanwhile, it is asked once. */
static void test_immediate_takes_time(void **state)
{
	struct cache_lab c;

	(void)state;
	start(&c, immediate);
	c.world.is_late = true;
	for (unsigned i = 0; i < 5; i++) {
		c.lab.transport = i % 2 ? TRANSPORT_TCP : TRANSPORT_UDP;
		assert_string_equal(ask(&c), STALE);
		cache_lab_pass(&c, 1);
	}
	assert_int_equal(c.world.asked, 1);
	world_answer(&c, "NOERROR: " NEW);
	assert_string_equal(ask(&c), REFRESHED);
	assert_int_equal(c.world.asked, 1);
	cache_lab_finish(&c);
}

static enum verdict set_deadline(void *self, struct request *r)
{
	(void)self;
	r->deadline = r->worker->now + CLOCK_S;
	return VERDICT_NEXT;
}

/* The client's time is no matter where nobody waits. */
static void test_refresh_has_no_deadline(void **state)
{
	static const struct plugin plugin_deadline = {.name = "deadline", .serve = set_deadline};
	struct cache_lab c;

	(void)state;
	start(&c, immediate);
	cache_lab_put_above(&c, &plugin_deadline, NULL);
	c.world.is_late = true;
	assert_string_equal(ask(&c), STALE);
	assert_true(c.world.waiting[0]->deadline == UINT64_MAX);
	world_answer(&c, "NOERROR: " NEW);
	cache_lab_finish(&c);
}

/* What comes back when an answer that has run out is to be asked for anew. */
static const struct {
	const char *reply;
	const char *verified; /* what the client is told under verify; NULL: the old answer */
	const char *later;    /* what is told then, without asking; NULL: it is asked again */
} replies[] = {
	{"NOERROR: " NEW, "NOERROR rd: www.test. 60 A 10.0.0.2", "NOERROR aa rd: www.test. 60 A 10.0.0.2"},
	{"NXDOMAIN " SOA, "NXDOMAIN rd / test. 60 SOA", "NXDOMAIN aa rd / test. 60 SOA"},
	{"NOERROR " SOA, "NOERROR rd / test. 60 SOA", "NOERROR aa rd / test. 60 SOA"},
	{"SERVFAIL", NULL, NULL}, {"SERVFAIL! nobody answers", NULL, NULL}, {"REFUSED", NULL, NULL},
	{"NOTIMP", NULL, NULL}, {"FORMERR", NULL, NULL}, {"NOERROR tc", NULL, NULL},
	{"NXDOMAIN: @ 60 CNAME a.test. " SOA, NULL, NULL}, /* neither this nor that */
};

static void test_immediate_replies(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(replies); i++) {
		struct cache_lab c;

		start(&c, immediate);
		c.world.reply = replies[i].reply;
		assert_string_equal(ask(&c), STALE);
		assert_int_equal(c.world.asked, 1);
		assert_string_equal(ask(&c), replies[i].later ? replies[i].later : STALE);
		assert_int_equal(c.world.asked, replies[i].later ? 1 : 2);
		cache_lab_finish(&c);
	}
}

static void test_verify_replies(void **state)
{
	(void)state;
	for (unsigned late = 0; late < 2; late++) {
		for (size_t i = 0; i < ARRAY_LENGTH(replies); i++) {
			struct client *first, *second = NULL;
			const char *reply = replies[i].verified ? replies[i].verified : STALE;
			struct cache_lab c;

			start(&c, verify);
			c.world.is_late = late;
			c.world.reply = replies[i].reply;
			first = client_ask(&c, "www.test", TYPE_A);
			if (late) {
				second = client_ask(&c, "www.test", TYPE_A);
				assert_int_equal(c.world.asked, 1);
				world_answer(&c, replies[i].reply);
				assert_string_equal(client_reply(second), reply);
				assert_string_equal(second->request->error, "");
			}
			assert_string_equal(client_reply(first), reply);
			assert_string_equal(first->request->error, "");
			assert_string_equal(c.world.last, "www.test. A rd ad");
			c.world.is_late = false;
			assert_string_equal(ask(&c), replies[i].later ? replies[i].later : reply);
			assert_int_equal(c.world.asked, replies[i].later ? 1 : 2);
			cache_lab_finish(&c);
		}
	}
}

/* A plugin below drops the query: no reply is no reply. The old answer lives on for others. */
static void test_verify_is_dropped(void **state)
{
	struct client *first, *second;
	struct cache_lab c;

	(void)state;
	start(&c, verify);
	c.world.is_late = true;
	first = client_ask(&c, "www.test", TYPE_A);
	second = client_ask(&c, "www.test", TYPE_A);
	world_answer(&c, "drop");
	assert_string_equal(client_reply(first), "drop");
	assert_string_equal(client_reply(second), "drop");
	c.world.is_late = false;
	c.world.reply = "SERVFAIL";
	assert_string_equal(ask(&c), STALE);
	cache_lab_finish(&c);
}

/* The old answer is of use for so long. */
static void test_window(void **state)
{
	static const struct {
		const char *directive;
		double seconds; /* since it has run out */
		bool is_served;
	} table[] = {
		{"cache {\nserve_stale\n}", 3599.9, true},
		{"cache {\nserve_stale\n}", 3600, false},
		{"cache {\nserve_stale 10s\n}", 9.9, true},
		{"cache {\nserve_stale 10s\n}", 10, false},
		{"cache {\nserve_stale 24h\n}", 86399, true},
		{"cache {\nserve_stale 0s\n}", 0, false},
		{"cache", 0, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		struct cache_lab c;

		start(&c, table[i].directive);
		cache_lab_pass(&c, table[i].seconds);
		c.world.reply = "SERVFAIL";
		assert_string_equal(ask(&c), table[i].is_served ? STALE : "SERVFAIL rd");
		cache_lab_finish(&c);
	}
}

/* What an old answer shows as its TTL. */
static void test_ttl_of_the_old(void **state)
{
	static const struct {
		const char *directive, *shown;
	} table[] = {
		{"cache {\nserve_stale 1h immediate\n}", STALE},
		{"cache {\nserve_stale 1h immediate 30s\n}", "NOERROR aa rd: " IS(30)},
		{"cache {\nserve_stale 1h verify 0s 30s\n}", "NOERROR aa rd: " IS(30)},
		{"cache {\nserve_stale 1h verify 100ms 30s\n}", "NOERROR aa rd: " IS(30)},
		{"cache {\nserve_stale\nkeepttl\n}", "NOERROR aa rd: " IS(60)},
		{"cache {\nserve_stale 1h immediate 30s\nkeepttl\n}", "NOERROR aa rd: " IS(30)},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		struct cache_lab c;

		start(&c, table[i].directive);
		c.world.reply = "SERVFAIL";
		assert_string_equal(ask(&c), table[i].shown);
		cache_lab_pass(&c, 5);
		assert_string_equal(ask(&c), table[i].shown);
		cache_lab_finish(&c);
	}
}

/* What lives for no time is not kept, as an old answer neither. */
static void test_no_time_to_live(void **state)
{
	struct cache_lab c;

	(void)state;
	cache_lab_start(&c, "cache {\nserve_stale\nsuccess 2000 60 0\n}");
	c.world.reply = "NOERROR: @ 0 A 10.0.0.1";
	assert_string_equal(ask(&c), "NOERROR rd: " IS(0));
	assert_string_equal(ask(&c), "NOERROR rd: " IS(0));
	assert_int_equal(c.world.asked, 2);
	cache_lab_finish(&c);
}

/* After an attempt that failed, none is made for a while. */
static void test_recheck(void **state)
{
	static const char *const directives[] = {"cache {\nserve_stale 1h immediate 0s 20s\n}",
		"cache {\nserve_stale 1h verify 0s 0s 20s\n}", "cache {\nserve_stale 1h verify 1s 0s 20s\n}"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(directives); i++) {
		struct cache_lab c;

		start(&c, directives[i]);
		c.world.reply = "SERVFAIL! nobody answers";
		assert_string_equal(ask(&c), STALE);
		assert_int_equal(c.world.asked, 1);
		cache_lab_pass(&c, 19.9);
		assert_string_equal(ask(&c), STALE);
		assert_int_equal(c.world.asked, 1);
		cache_lab_pass(&c, 0.1);
		assert_string_equal(ask(&c), STALE);
		assert_int_equal(c.world.asked, 2);
		/* It begins anew with each. */
		cache_lab_pass(&c, 10);
		assert_string_equal(ask(&c), STALE);
		assert_int_equal(c.world.asked, 2);
		c.world.reply = "NOERROR: " NEW;
		cache_lab_pass(&c, 10);
		ask(&c);
		assert_int_equal(c.world.asked, 3);
		assert_string_equal(ask(&c), REFRESHED);
		cache_lab_finish(&c);
	}
}

/* With RECHECK, nobody waits for an attempt of somebody else's. */
static void test_recheck_while_it_is_asked(void **state)
{
	struct client *first;
	struct cache_lab c;

	(void)state;
	start(&c, "cache {\nserve_stale 1h verify 0s 0s 20s\n}");
	c.world.is_late = true;
	first = client_ask(&c, "www.test", TYPE_A);
	assert_string_equal(client_reply(first), "...");
	assert_string_equal(ask(&c), STALE);
	assert_int_equal(c.world.asked, 1);
	world_answer(&c, "NOERROR: " NEW);
	assert_string_equal(client_reply(first), "NOERROR rd: www.test. 60 A 10.0.0.2");
	cache_lab_finish(&c);
}

/* verify TIMEOUT: clients wait for so long; what comes later is kept. */
static void test_verify_timeout(void **state)
{
	struct client *clients[3];
	struct cache_lab c;

	(void)state;
	start(&c, "cache {\nserve_stale 1h verify 100ms\n}");
	c.world.is_late = true;
	clients[0] = client_ask(&c, "www.test", TYPE_A);
	assert_string_equal(c.world.last, "www.test. A rd ad");
	cache_lab_pass(&c, 0.05);
	clients[1] = client_ask(&c, "www.test", TYPE_A);
	cache_lab_pass(&c, 0.049);
	assert_string_equal(client_reply(clients[0]), "...");
	cache_lab_pass(&c, 0.001);
	assert_string_equal(client_reply(clients[0]), STALE);
	assert_string_equal(client_reply(clients[1]), "...");
	clients[2] = client_ask(&c, "www.test", TYPE_A);
	cache_lab_pass(&c, 0.05);
	assert_string_equal(client_reply(clients[1]), STALE);
	assert_int_equal(c.world.asked, 1);
	world_answer(&c, "NOERROR: " NEW);
	assert_string_equal(client_reply(clients[2]), "NOERROR rd: www.test. 60 A 10.0.0.2");
	assert_string_equal(ask(&c), REFRESHED);
	cache_lab_pass(&c, 1);
	assert_int_equal(c.world.asked, 1);
	cache_lab_finish(&c);
}

/* The only one who waits gives up; the next one joins what is still under way. */
static void test_verify_timeout_one_after_the_other(void **state)
{
	struct client *first, *second;
	struct cache_lab c;

	(void)state;
	start(&c, "cache {\nserve_stale 1h verify 100ms\n}");
	c.world.is_late = true;
	first = client_ask(&c, "www.test", TYPE_A);
	cache_lab_pass(&c, 0.1);
	assert_string_equal(client_reply(first), STALE);
	second = client_ask(&c, "www.test", TYPE_A);
	world_answer(&c, "NOERROR: " NEW);
	assert_string_equal(client_reply(second), "NOERROR rd: www.test. 60 A 10.0.0.2");
	assert_int_equal(c.world.asked, 1);
	cache_lab_finish(&c);
}

/* A failure in time is no reason to wait for the rest of it. */
static void test_verify_timeout_replies(void **state)
{
	(void)state;
	for (unsigned late = 0; late < 2; late++) {
		for (size_t i = 0; i < ARRAY_LENGTH(replies); i++) {
			struct client *client;
			struct cache_lab c;

			start(&c, "cache {\nserve_stale 1h verify 100ms\n}");
			c.world.is_late = late;
			c.world.reply = replies[i].reply;
			client = client_ask(&c, "www.test", TYPE_A);
			if (late) {
				assert_string_equal(client_reply(client), "...");
				world_answer(&c, replies[i].reply);
				assert_string_equal(client_reply(client),
					replies[i].verified ? replies[i].verified : STALE);
			} else {
				assert_string_equal(
					client_reply(client), replies[i].later ? replies[i].later : STALE);
			}
			assert_string_equal(client->request->error, "");
			assert_int_equal(c.world.asked, 1);
			c.world.is_late = false;
			assert_string_equal(ask(&c), replies[i].later ? replies[i].later : STALE);
			assert_int_equal(c.world.asked, replies[i].later ? 1 : 2);
			cache_lab_finish(&c);
		}
	}
}

/* The old answer becomes too old while the new one is waited for. */
static void test_verify_timeout_beyond_the_window(void **state)
{
	struct client *client;
	struct cache_lab c;

	(void)state;
	start(&c, "cache {\nserve_stale 10s verify 2s\n}");
	c.world.is_late = true;
	cache_lab_pass(&c, 9);
	client = client_ask(&c, "www.test", TYPE_A);
	cache_lab_pass(&c, 2);
	assert_string_equal(client_reply(client), "...");
	world_answer(&c, "REFUSED");
	assert_string_equal(client_reply(client), "REFUSED rd");
	cache_lab_finish(&c);
}

/* Neither does a denial that has run out live for ever, nor does a failure. */
static void test_old_denials(void **state)
{
	struct cache_lab c;

	(void)state;
	cache_lab_start(&c, immediate);
	c.world.reply = "NXDOMAIN " SOA;
	ask(&c);
	cache_lab_pass(&c, 60);
	c.world.reply = "NOERROR: " NEW;
	assert_string_equal(ask(&c), "NXDOMAIN aa rd / test. 0 SOA");
	assert_string_equal(ask(&c), REFRESHED);
	assert_string_equal(ask(&c), REFRESHED);
	assert_int_equal(c.world.asked, 2);
	cache_lab_finish(&c);
}

/* RFC 9520 section 3.2: a failure is not to be remembered for more than five minutes. */
static void test_old_failures(void **state)
{
	static const char *const failures[] = {"SERVFAIL", "NOTIMP"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(failures); i++) {
		struct cache_lab c;

		cache_lab_start(&c, immediate);
		c.world.reply = failures[i];
		ask(&c);
		cache_lab_pass(&c, 5);
		c.world.reply = "NOERROR: " NEW;
		assert_string_equal(ask(&c), "NOERROR rd: www.test. 60 A 10.0.0.2");
		assert_string_equal(ask(&c), REFRESHED);
		cache_lab_finish(&c);
	}
}

/* A failure that is kept besides a good answer, since both were under way, does not hide it. */
static void test_failure_beside_an_answer(void **state)
{
	struct client *udp, *tcp;
	struct cache_lab c;

	(void)state;
	cache_lab_start(&c, immediate);
	c.world.is_late = true;
	udp = client_ask(&c, "www.test", TYPE_A);
	c.lab.transport = TRANSPORT_TCP;
	tcp = client_ask(&c, "www.test", TYPE_A);
	assert_int_equal(c.world.asked, 2);
	world_answer(&c, "NOERROR: " OLD);
	world_answer(&c, "SERVFAIL");
	assert_string_equal(client_reply(udp), "NOERROR rd: " IS(60));
	assert_string_equal(client_reply(tcp), "SERVFAIL rd");
	assert_string_equal(ask(&c), "NOERROR aa rd: " IS(60));
	cache_lab_pass(&c, 60);
	assert_string_equal(ask(&c), STALE);
	world_answer(&c, "SERVFAIL");
	assert_string_equal(ask(&c), STALE);
	world_answer(&c, "SERVFAIL");
	cache_lab_finish(&c);
}

/* prefer_positive: replies that answer, and others. */
static const struct {
	const char *reply;
	bool answers;
} positives[] = {
	{"NOERROR: " NEW, true},
	{"NXDOMAIN " SOA, false},
	{"NOERROR " SOA, false},
	{"NOERROR", false},
	{"NOERROR / test. 60 NS ns.", false},
	{"NOERROR + x.test. 60 TXT x", false},
	{"SERVFAIL", false},
	{"SERVFAIL! nobody answers", false},
	{"NOERROR: @ 60 CNAME a.test.", false},
	{"NOERROR tc: " NEW, false},
};

static void test_prefer_positive(void **state)
{
	static const char *const directives[] = {
		"cache {\nserve_stale\nserve_stale_policy prefer_positive\n}",
		"cache {\nserve_stale 1h verify\nserve_stale_policy prefer_positive\n}",
		"cache {\nserve_stale 1h verify 1s\nserve_stale_policy prefer_positive\n}",
	};

	(void)state;
	for (size_t d = 0; d < ARRAY_LENGTH(directives); d++) {
		for (size_t i = 0; i < ARRAY_LENGTH(positives); i++) {
			const char *first =
				positives[i].answers && d > 0
					? d > 1 ? REFRESHED : "NOERROR rd: www.test. 60 A 10.0.0.2"
					: STALE;
			struct cache_lab c;

			start(&c, directives[d]);
			c.world.reply = positives[i].reply;
			assert_string_equal(ask(&c), first);
			assert_int_equal(c.world.asked, 1);
			assert_string_equal(ask(&c), positives[i].answers ? REFRESHED : STALE);
			assert_int_equal(c.world.asked, positives[i].answers ? 1 : 2);
			cache_lab_finish(&c);
		}
	}
}

/* Attempts that bring no answer are held back by RECHECK. */
static void test_prefer_positive_recheck(void **state)
{
	static const char *const directives[] = {
		"cache {\nserve_stale 1h immediate 0s 20s\nserve_stale_policy prefer_positive\n}",
		"cache {\nserve_stale 1h verify 0s 0s 20s\nserve_stale_policy prefer_positive\n}",
	};

	(void)state;
	for (size_t d = 0; d < ARRAY_LENGTH(directives); d++) {
		for (size_t i = 0; i < ARRAY_LENGTH(positives); i++) {
			struct cache_lab c;

			start(&c, directives[d]);
			c.world.reply = positives[i].reply;
			ask(&c);
			cache_lab_pass(&c, 19);
			ask(&c);
			assert_int_equal(c.world.asked, 1);
			cache_lab_finish(&c);
		}
	}
}

/* The denial is there when the old answer is no longer of use. */
static void test_prefer_positive_beyond_the_window(void **state)
{
	struct cache_lab c;

	(void)state;
	start(&c, "cache {\nserve_stale 30s\nserve_stale_policy prefer_positive\n}");
	cache_lab_pass(&c, 29);
	c.world.reply = "NXDOMAIN " SOA;
	assert_string_equal(ask(&c), STALE);
	cache_lab_pass(&c, 1);
	assert_string_equal(ask(&c), "NXDOMAIN aa rd / test. 59 SOA");
	assert_int_equal(c.world.asked, 1);
	cache_lab_finish(&c);
}

/* Without an old answer there is nothing to prefer. */
static void test_prefer_positive_denies(void **state)
{
	struct cache_lab c;

	(void)state;
	cache_lab_start(&c, "cache {\nserve_stale\nserve_stale_policy prefer_positive\n}");
	c.world.reply = "NXDOMAIN " SOA;
	assert_string_equal(ask(&c), "NXDOMAIN rd / test. 60 SOA");
	assert_string_equal(ask(&c), "NXDOMAIN aa rd / test. 60 SOA");
	cache_lab_finish(&c);
}

/* Neither of the two is an answer: as without the policy, the denial counts. */
static void test_prefer_positive_has_nothing_positive(void **state)
{
	static const char *const orders[][2] = {{"NOERROR", "NXDOMAIN " SOA}, {"NXDOMAIN " SOA, "NOERROR"}};
	static const char *const later[] = {"NXDOMAIN aa rd / test. 60 SOA", "NXDOMAIN aa rd / test. 0 SOA"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(orders); i++) {
		struct cache_lab c;

		cache_lab_start(&c, "cache {\nserve_stale\nserve_stale_policy prefer_positive\n}");
		c.world.reply = orders[i][0];
		ask(&c);
		cache_lab_pass(&c, 60);
		c.world.reply = orders[i][1];
		ask(&c);
		assert_int_equal(c.world.asked, 2);
		assert_string_equal(ask(&c), later[i]);
		cache_lab_finish(&c);
	}
}

/* Hits at these seconds; the world has been asked so often after each. */
struct prefetch {
	const char *directive;
	double at[8]; /* 0 ends it */
	unsigned asked[8];
};

static void test_prefetch(void **state)
{
	static const struct prefetch table[] = {
		/* Three hits, the third in the last tenth of sixty seconds. */
		{"prefetch 3", {1, 53.9, 54}, {0, 0, 1}},
		{"prefetch 3", {1, 2, 53, 54, 55}, {0, 0, 0, 1, 1}},
		{"prefetch 3", {57, 58, 59}, {0, 0, 1}},
		{"prefetch 1", {54}, {1}},
		{"prefetch 1", {53}, {0}},
		/* Another percentage; parts of seconds are rounded up. */
		{"prefetch 1 1m 50%", {29, 30}, {0, 1}},
		{"prefetch 1 1m 11%", {52, 53}, {0, 1}},
		/* A pause, and the counting begins anew. */
		{"prefetch 3 10s", {1, 2, 57}, {0, 0, 0}},
		{"prefetch 3 10s", {40, 50, 59}, {0, 0, 1}},
		{"prefetch 2 10s", {1, 55, 57}, {0, 0, 1}},
		{"prefetch 0", {1, 57, 58, 59}, {0, 0, 0, 0}},
	};
	char directive[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		struct cache_lab c;
		double at = 0;

		snprintf(directive, sizeof(directive), "cache {\n%s\n}", table[i].directive);
		cache_lab_start(&c, directive);
		c.world.reply = "NOERROR: " OLD;
		ask(&c);
		c.world.asked = 0;
		for (size_t j = 0; j < 8 && table[i].at[j] > 0; j++) {
			cache_lab_pass(&c, table[i].at[j] - at);
			at = table[i].at[j];
			ask(&c);
			assert_int_equal(c.world.asked, table[i].asked[j]);
		}
		cache_lab_finish(&c);
	}
}

/* The client does not wait; while it is asked, nobody asks again; then the new answer is there. */
static void test_prefetch_takes_time(void **state)
{
	struct cache_lab c;

	(void)state;
	cache_lab_start(&c, "cache {\nprefetch 2\n}");
	c.world.reply = "NOERROR: " OLD;
	ask(&c);
	c.world.is_late = true;
	cache_lab_pass(&c, 57);
	for (unsigned i = 0; i < 8; i++)
		assert_string_equal(ask(&c), "NOERROR aa rd: " IS(3));
	assert_int_equal(c.world.asked, 2);
	assert_string_equal(c.world.last, "www.test. A rd ad tcp");
	world_answer(&c, "NOERROR: " NEW);
	assert_string_equal(ask(&c), REFRESHED);
	cache_lab_finish(&c);
}

/* A prefetch that fails leaves what is there, and the next hit is another attempt. */
static void test_prefetch_fails(void **state)
{
	static const char *const failures[] = {
		"SERVFAIL", "SERVFAIL! nobody answers", "REFUSED", "NOERROR tc"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(failures); i++) {
		struct cache_lab c;

		cache_lab_start(&c, "cache {\nprefetch 3\n}");
		c.world.reply = "NOERROR: " OLD;
		ask(&c);
		c.world.reply = failures[i];
		cache_lab_pass(&c, 57);
		for (unsigned j = 0; j < 3; j++)
			assert_string_equal(ask(&c), "NOERROR aa rd: " IS(3));
		assert_int_equal(c.world.asked, 2);
		assert_string_equal(ask(&c), "NOERROR aa rd: " IS(3));
		assert_int_equal(c.world.asked, 3);
		c.world.reply = "NOERROR: " NEW;
		assert_string_equal(ask(&c), "NOERROR aa rd: " IS(3));
		assert_int_equal(c.world.asked, 4);
		assert_string_equal(ask(&c), REFRESHED);
		cache_lab_finish(&c);
	}
}

/* What was popular is so still: hits count on in the new answer. */
static void test_prefetch_goes_on(void **state)
{
	struct cache_lab c;

	(void)state;
	cache_lab_start(&c, "cache {\nprefetch 5\n}");
	c.world.reply = "NOERROR: " OLD;
	ask(&c);
	cache_lab_pass(&c, 50);
	for (unsigned i = 0; i < 5; i++) {
		cache_lab_pass(&c, 1);
		ask(&c);
	}
	assert_int_equal(c.world.asked, 2); /* at 55 */
	cache_lab_pass(&c, 55);
	ask(&c);
	assert_int_equal(c.world.asked, 3);
	cache_lab_finish(&c);
}

/* Another worker's clock was read a moment later: no pause, and no end of the counting. */
static void test_prefetch_of_two_workers(void **state)
{
	struct cache_lab c;

	(void)state;
	cache_lab_start(&c, "cache {\nprefetch 10\n}");
	c.world.reply = "NOERROR: " OLD;
	c.lab.worker.now = 100 * CLOCK_S;
	ask(&c);
	for (unsigned i = 0; i < 10; i++) {
		c.lab.worker.now = (i % 2 ? 157 : 156) * CLOCK_S;
		ask(&c);
		assert_int_equal(c.world.asked, i == 9 ? 2 : 1);
	}
	cache_lab_finish(&c);
}

/* What one worker fetches, another one does not. */
static void test_prefetch_by_one_of_two_workers(void **state)
{
	struct cache_lab c;
	void *other;

	(void)state;
	cache_lab_start(&c, "cache {\nprefetch 3\n}");
	other = plugin_cache.start(c.lab.config, &c.lab.worker);
	c.world.reply = "NOERROR: " OLD;
	ask(&c);
	c.world.is_late = true;
	cache_lab_pass(&c, 57);
	for (unsigned i = 0; i < 3; i++)
		ask(&c);
	assert_int_equal(c.world.asked, 2);
	c.lab.links[0].self = other;
	ask(&c);
	assert_int_equal(c.world.asked, 2);
	c.lab.links[0].self = c.lab.self;
	world_answer(&c, "NOERROR: " NEW);
	plugin_cache.stop(other);
	cache_lab_finish(&c);
}

/* Denials are fetched ahead, too; a denial takes the place of an answer. */
static void test_prefetch_of_a_denial(void **state)
{
	struct cache_lab c;

	(void)state;
	cache_lab_start(&c, "cache {\nprefetch 1\n}");
	c.world.reply = "NXDOMAIN " SOA;
	ask(&c);
	cache_lab_pass(&c, 57);
	c.world.reply = "NOERROR: " OLD;
	assert_string_equal(ask(&c), "NXDOMAIN aa rd / test. 3 SOA");
	assert_string_equal(ask(&c), "NOERROR aa rd: " IS(60));
	cache_lab_pass(&c, 57);
	c.world.reply = "NXDOMAIN " SOA;
	assert_string_equal(ask(&c), "NOERROR aa rd: " IS(3));
	assert_string_equal(ask(&c), "NXDOMAIN aa rd / test. 60 SOA");
	assert_int_equal(c.world.asked, 3);
	cache_lab_finish(&c);
}

/* A name moves to a plugin that has it in memory: what was kept of it is over. */
static void test_moves_to_a_fresh_plugin(void **state)
{
	static const struct plugin fresh = {.name = "fresh", .is_fresh = true, .serve = world_serve};
	static const char *const before[] = {"NOERROR: " OLD, "NXDOMAIN " SOA};
	static const char *const stale[] = {STALE, "NXDOMAIN aa rd / test. 0 SOA"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(before); i++) {
		struct cache_lab c;

		cache_lab_start(&c, immediate);
		c.world.reply = before[i];
		ask(&c);
		cache_lab_pass(&c, 60);
		c.lab.links[1].plugin = &fresh;
		c.world.reply = "NOERROR aa: " NEW;
		assert_string_equal(ask(&c), stale[i]);
		assert_string_equal(ask(&c), REFRESHED);
		assert_string_equal(ask(&c), REFRESHED);
		assert_int_equal(c.world.asked, 4);
		cache_lab_finish(&c);
	}
}

/* A plugin below drops what nobody waits for. */
static void test_refresh_is_dropped(void **state)
{
	struct cache_lab c;

	(void)state;
	start(&c, immediate);
	c.world.reply = "drop";
	assert_string_equal(ask(&c), STALE);
	c.world.is_late = true;
	assert_string_equal(ask(&c), STALE);
	world_answer(&c, "drop");
	assert_string_equal(ask(&c), STALE);
	assert_int_equal(c.world.asked, 3);
	world_answer(&c, "NOERROR: " NEW);
	assert_string_equal(ask(&c), REFRESHED);
	cache_lab_finish(&c);
}

/* Where too many wait already, nothing is asked that is not needed. */
static void test_refresh_gives_way(void **state)
{
	struct cache_lab c;

	(void)state;
	start(&c, immediate);
	c.lab.worker.waiting += WORKER_WAITING_MAX;
	assert_string_equal(ask(&c), STALE);
	assert_int_equal(c.world.asked, 0);
	c.lab.worker.waiting -= WORKER_WAITING_MAX;
	cache_lab_finish(&c);
	start(&c, "cache {\nserve_stale 1h verify 1s\n}");
	c.lab.worker.waiting += WORKER_WAITING_MAX;
	assert_string_equal(ask(&c), STALE);
	c.lab.worker.waiting -= WORKER_WAITING_MAX;
	cache_lab_finish(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_immediate),
		cmocka_unit_test(test_immediate_takes_time),
		cmocka_unit_test(test_refresh_has_no_deadline),
		cmocka_unit_test(test_immediate_replies),
		cmocka_unit_test(test_verify_replies),
		cmocka_unit_test(test_verify_is_dropped),
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_ttl_of_the_old),
		cmocka_unit_test(test_no_time_to_live),
		cmocka_unit_test(test_recheck),
		cmocka_unit_test(test_recheck_while_it_is_asked),
		cmocka_unit_test(test_verify_timeout),
		cmocka_unit_test(test_verify_timeout_one_after_the_other),
		cmocka_unit_test(test_verify_timeout_replies),
		cmocka_unit_test(test_verify_timeout_beyond_the_window),
		cmocka_unit_test(test_old_denials),
		cmocka_unit_test(test_old_failures),
		cmocka_unit_test(test_failure_beside_an_answer),
		cmocka_unit_test(test_prefer_positive),
		cmocka_unit_test(test_prefer_positive_recheck),
		cmocka_unit_test(test_prefer_positive_beyond_the_window),
		cmocka_unit_test(test_prefer_positive_denies),
		cmocka_unit_test(test_prefer_positive_has_nothing_positive),
		cmocka_unit_test(test_prefetch),
		cmocka_unit_test(test_prefetch_takes_time),
		cmocka_unit_test(test_prefetch_fails),
		cmocka_unit_test(test_prefetch_goes_on),
		cmocka_unit_test(test_prefetch_of_two_workers),
		cmocka_unit_test(test_prefetch_by_one_of_two_workers),
		cmocka_unit_test(test_prefetch_of_a_denial),
		cmocka_unit_test(test_moves_to_a_fresh_plugin),
		cmocka_unit_test(test_refresh_is_dropped),
		cmocka_unit_test(test_refresh_gives_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
