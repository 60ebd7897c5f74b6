/* cache: who asks what is under way already waits for its answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../support/cache_lab.h"

#define A1 "@ 300 A 10.0.0.1"
#define IS "NOERROR rd ra: www.test. 300 A 10.0.0.1"

static void start(struct cache_lab *c, const char *directive)
{
	cache_lab_start(c, directive);
	c->world.is_late = true;
}

static void test_one_question_below(void **state)
{
	struct client *clients[20];
	struct cache_lab c;

	(void)state;
	start(&c, "cache");
	for (unsigned i = 0; i < ARRAY_LENGTH(clients); i++) {
		clients[i] = client_ask(&c, "www.test", TYPE_A);
		assert_int_equal(clients[i]->verdict, VERDICT_PENDING);
	}
	assert_int_equal(c.world.asked, 1);
	world_answer(&c, "NOERROR ra: " A1);
	for (unsigned i = 0; i < ARRAY_LENGTH(clients); i++) {
		assert_string_equal(client_reply(clients[i]), IS);
		assert_int_equal(message_id(clients[i]->request->wire), LAB_ID + i);
	}
	/* And it is kept. */
	assert_string_equal(cache_ask(&c, "www.test", TYPE_A), "NOERROR aa rd ra: www.test. 300 A 10.0.0.1");
	cache_lab_finish(&c);
}

/* Who has other letters, or another type, name or bits. */
static void test_who_waits_with_whom(void **state)
{
	static const struct {
		const char *name;
		uint16_t type, class, flags;
		bool dnssec_ok;
		uint16_t payload;
		enum transport transport;
		bool waits;
	} table[] = {
		{"www.test", TYPE_A, CLASS_IN, FLAG_RD, false, 1232, TRANSPORT_UDP, true},
		{"wWw.TEST", TYPE_A, CLASS_IN, FLAG_RD, false, 1232, TRANSPORT_UDP, true},
		{"www.test", TYPE_A, CLASS_IN, FLAG_RD | FLAG_AD, false, 1232, TRANSPORT_UDP, true},
		/* A reply that is cut for one who can take less is no reply for others. */
		{"www.test", TYPE_A, CLASS_IN, FLAG_RD, false, 0, TRANSPORT_UDP, true},
		{"www.test", TYPE_A, CLASS_IN, FLAG_RD, false, 512, TRANSPORT_UDP, true},
		{"www.test", TYPE_A, CLASS_IN, FLAG_RD, false, 1233, TRANSPORT_UDP, false},
		{"www.test", TYPE_A, CLASS_IN, FLAG_RD, false, 1232, TRANSPORT_TCP, false},
		{"www.test", TYPE_A, CLASS_IN, FLAG_RD, false, 0, TRANSPORT_TCP, false},
		/* An upstream may refuse what is to be answered without recursion. */
		{"www.test", TYPE_A, CLASS_IN, 0, false, 1232, TRANSPORT_UDP, false},
		{"www.test", TYPE_A, CLASS_IN, FLAG_RD | FLAG_CD, false, 1232, TRANSPORT_UDP, false},
		{"www.test", TYPE_A, CLASS_IN, FLAG_RD, true, 1232, TRANSPORT_UDP, false},
		{"www.test", TYPE_AAAA, CLASS_IN, FLAG_RD, false, 1232, TRANSPORT_UDP, false},
		{"www.test", TYPE_A, CLASS_ANY, FLAG_RD, false, 1232, TRANSPORT_UDP, false},
		{"ww.test", TYPE_A, CLASS_IN, FLAG_RD, false, 1232, TRANSPORT_UDP, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		struct client *first, *second;
		struct cache_lab c;

		start(&c, "cache");
		c.lab.router.any_class = true;
		c.lab.payload = 1232;
		first = client_ask(&c, "www.test", TYPE_A);
		c.lab.class = table[i].class;
		c.lab.flags = table[i].flags;
		c.lab.dnssec_ok = table[i].dnssec_ok;
		c.lab.payload = table[i].payload;
		c.lab.transport = table[i].transport;
		second = client_ask(&c, table[i].name, table[i].type);
		assert_int_equal(c.world.asked, table[i].waits ? 1 : 2);
		world_answer(&c, "NOERROR ra: " A1);
		assert_int_equal(first->verdict, VERDICT_ANSWERED);
		assert_int_equal(second->verdict, table[i].waits ? VERDICT_ANSWERED : VERDICT_PENDING);
		if (!table[i].waits)
			world_answer(&c, "NOERROR ra: @ 60 TXT x");
		assert_int_equal(second->verdict, VERDICT_ANSWERED);
		cache_lab_finish(&c);
	}
}

/* Each gets its own letters, bits and size. */
static void test_replies_of_those_who_waited(void **state)
{
	struct client *first, *upper, *ad, *plain;
	struct cache_lab c;

	(void)state;
	start(&c, "cache");
	c.lab.payload = 1232;
	first = client_ask(&c, "www.test", TYPE_A);
	upper = client_ask(&c, "WWW.test", TYPE_A);
	c.lab.flags = FLAG_RD | FLAG_AD;
	ad = client_ask(&c, "www.test", TYPE_A);
	c.lab.flags = FLAG_RD;
	c.lab.payload = 0;
	plain = client_ask(&c, "www.test", TYPE_A);
	world_answer(&c, "NOERROR ra ad: " A1);
	assert_string_equal(client_reply(first), IS " + . 0 OPT");
	assert_string_equal(client_reply(upper), "NOERROR rd ra: WWW.test. 300 A 10.0.0.1 + . 0 OPT");
	assert_string_equal(client_reply(ad), "NOERROR rd ra ad: www.test. 300 A 10.0.0.1 + . 0 OPT");
	assert_string_equal(client_reply(plain), IS);
	cache_lab_finish(&c);
}

/* The one who asked for all set AD, or not: that is no matter to the others. */
static void test_ad_of_the_first(void **state)
{
	struct client *first, *second;
	struct cache_lab c;

	(void)state;
	start(&c, "cache");
	c.lab.flags = FLAG_RD | FLAG_AD;
	first = client_ask(&c, "www.test", TYPE_A);
	c.lab.flags = FLAG_RD;
	second = client_ask(&c, "www.test", TYPE_A);
	world_answer(&c, "NOERROR ra ad: " A1);
	assert_string_equal(client_reply(first), "NOERROR rd ra ad: www.test. 300 A 10.0.0.1");
	assert_string_equal(client_reply(second), IS);
	cache_lab_finish(&c);
}

/* Whatever becomes of the one that was asked, becomes of all; and the next one asks again. */
static void test_what_is_not_kept(void **state)
{
	static const struct {
		const char *reply, *shown;
	} table[] = {
		{"SERVFAIL! nobody answers", "SERVFAIL rd"},
		{"REFUSED ra", "REFUSED rd ra"},
		{"NXDOMAIN", "NXDOMAIN rd"},
		{"NOERROR tc ra", "NOERROR tc rd ra"},
		{"drop", "drop"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		struct client *clients[3];
		struct cache_lab c;

		start(&c, "cache");
		for (unsigned j = 0; j < ARRAY_LENGTH(clients); j++)
			clients[j] = client_ask(&c, "www.test", TYPE_A);
		assert_int_equal(c.world.asked, 1);
		world_answer(&c, table[i].reply);
		for (unsigned j = 0; j < ARRAY_LENGTH(clients); j++)
			assert_string_equal(client_reply(clients[j]), table[i].shown);
		if (strchr(table[i].reply, '!'))
			assert_string_equal(clients[2]->request->error, "nobody answers");
		clients[0] = client_ask(&c, "www.test", TYPE_A);
		assert_int_equal(c.world.asked, 2);
		world_answer(&c, "NOERROR ra: " A1);
		assert_string_equal(client_reply(clients[0]), IS);
		cache_lab_finish(&c);
	}
}

/* What a plugin below says of a reply besides its records is for all. */
static void test_extended_error(void **state)
{
	struct client *first, *second;
	struct cache_lab c;

	(void)state;
	start(&c, "cache");
	c.lab.payload = 1232;
	first = client_ask(&c, "www.test", TYPE_A);
	second = client_ask(&c, "www.test", TYPE_A);
	c.world.waiting[0]->extended_error = true;
	c.world.waiting[0]->extended_error_code = 15;
	world_answer(&c, "REFUSED");
	for (unsigned i = 0; i < 2; i++) {
		const struct request *r = (i ? second : first)->request;

		assert_memory_equal(r->wire + r->reply.length - 6, "\0\17\0\2\0\17", 6);
	}
	cache_lab_finish(&c);
}

/* A reply that had no end is cut for all. */
static void test_reply_without_end(void **state)
{
	struct client *clients[3];
	struct cache_lab c;

	(void)state;
	start(&c, "cache");
	c.lab.transport = TRANSPORT_TCP;
	for (unsigned i = 0; i < ARRAY_LENGTH(clients); i++)
		clients[i] = client_ask(&c, "www.test", TYPE_A);
	c.world.waiting_count = 0;
	reply_write_too_much(c.world.waiting[0]);
	request_resume(c.world.waiting[0], VERDICT_ANSWERED);
	for (unsigned i = 0; i < ARRAY_LENGTH(clients); i++) {
		const struct request *r = clients[i]->request;

		assert_true(message_flags(r->wire) & FLAG_TC);
		assert_in_range(r->reply.length, 60000, 65535);
		assert_int_equal(r->reply.length, 26 + 16 * message_count(r->wire, 1));
	}
	cache_lab_finish(&c);
}

/* A few clients of each kind, with more than one question under way for the same name. */
static void test_several_under_way(void **state)
{
	struct client *udp[3], *tcp[3];
	struct cache_lab c;

	(void)state;
	start(&c, "cache");
	for (unsigned i = 0; i < 3; i++) {
		c.lab.transport = TRANSPORT_UDP;
		udp[i] = client_ask(&c, "www.test", TYPE_A);
		c.lab.transport = TRANSPORT_TCP;
		tcp[i] = client_ask(&c, "www.test", TYPE_A);
	}
	assert_int_equal(c.world.asked, 2);
	world_answer(&c, "NOERROR tc ra");
	for (unsigned i = 0; i < 3; i++) {
		assert_string_equal(client_reply(udp[i]), "NOERROR tc rd ra");
		assert_string_equal(client_reply(tcp[i]), "...");
	}
	world_answer(&c, "NOERROR ra: " A1);
	for (unsigned i = 0; i < 3; i++)
		assert_string_equal(client_reply(tcp[i]), IS);
	cache_lab_finish(&c);
}

/* loop asks for HINFO: where there is a loop, that comes by again, and must not wait for itself. */
static void test_hinfo_does_not_wait(void **state)
{
	struct cache_lab c;

	(void)state;
	start(&c, "cache");
	for (unsigned i = 1; i <= 3; i++) {
		client_ask(&c, "1.2", TYPE_HINFO);
		assert_int_equal(c.world.asked, i);
	}
	while (c.world.waiting_count)
		world_answer(&c, "NXDOMAIN");
	cache_lab_finish(&c);
}

static void test_too_many_wait(void **state)
{
	struct client *first, *second;
	struct cache_lab c;

	(void)state;
	start(&c, "cache");
	first = client_ask(&c, "www.test", TYPE_A);
	c.lab.worker.waiting += WORKER_WAITING_MAX;
	second = client_ask(&c, "www.test", TYPE_A);
	assert_string_equal(client_reply(second), "SERVFAIL rd");
	assert_string_equal(second->request->error, "too many queries are waiting");
	c.lab.worker.waiting -= WORKER_WAITING_MAX;
	world_answer(&c, "NOERROR ra: " A1);
	assert_string_equal(client_reply(first), IS);
	cache_lab_finish(&c);
}

/* Stands above cache, and notes how deep the stack is. */
struct stack {
	char *lowest, *highest;
	unsigned answers;
};

static enum verdict pass(void *self, struct request *r)
{
	(void)self;
	(void)r;
	return VERDICT_NEXT;
}

static void note_depth(void *self, struct request *r)
{
	struct stack *stack = self;
	char *here = __builtin_frame_address(0);

	(void)r;
	if (!stack->lowest || here < stack->lowest)
		stack->lowest = here;
	if (here > stack->highest)
		stack->highest = here;
	stack->answers++;
}

#define CROWD 10000

static void on_crowd(struct request *r, enum verdict verdict)
{
	assert_int_equal(verdict, VERDICT_ANSWERED);
	request_release(r);
}

/* However many wait, the stack is as deep as for one. */
static void test_depth_of_the_stack(void **state)
{
	static const struct plugin plugin_stack = {.name = "stack", .serve = pass, .reply = note_depth};
	struct stack stack = {0};
	struct cache_lab c;
	struct client *first;

	(void)state;
	start(&c, "cache");
	cache_lab_put_above(&c, &plugin_stack, &stack);
	first = client_ask(&c, "www.test", TYPE_A);
	for (unsigned i = 0; i < CROWD; i++) {
		c.lab.request = request_take(&c.lab.worker);
		assert_int_equal(lab_ask(&c.lab, "www.test", TYPE_A), VERDICT_PENDING);
		c.lab.request->deliver = on_crowd;
	}
	assert_int_equal(c.world.asked, 1);
	world_answer(&c, "NOERROR ra: " A1);
	assert_string_equal(client_reply(first), IS);
	assert_int_equal(stack.answers, CROWD + 1);
	assert_true(stack.highest - stack.lowest < 4096);
	cache_lab_finish(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_question_below),
		cmocka_unit_test(test_who_waits_with_whom),
		cmocka_unit_test(test_replies_of_those_who_waited),
		cmocka_unit_test(test_ad_of_the_first),
		cmocka_unit_test(test_what_is_not_kept),
		cmocka_unit_test(test_extended_error),
		cmocka_unit_test(test_reply_without_end),
		cmocka_unit_test(test_several_under_way),
		cmocka_unit_test(test_hinfo_does_not_wait),
		cmocka_unit_test(test_too_many_wait),
		cmocka_unit_test(test_depth_of_the_stack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
