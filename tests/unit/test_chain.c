/* The loop over plugins: order, way up, pending requests, children that answer at once and children that
 * wait. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "svcdns/chain.h"
#include "svcdns/memory.h"
#include "svcdns/query.h"
#include "svcdns/router.h"
#include "svcdns/worker.h"

static const char query[] = "\x12\x34\x01\0\0\1\0\0\0\0\0\0\3www\7example\0\0\1\0\1";

/* What happened, as one word each: ">a" down at a, "<a" up at a. */
struct trace {
	char text[256];
	struct request *waiting; /* the request that `later` keeps */
	enum verdict delivered;
};

struct step {
	struct trace *trace;
	const char *name;
};

static void note(struct step *step, const char *mark)
{
	size_t length = strlen(step->trace->text);

	snprintf(step->trace->text + length, sizeof(step->trace->text) - length, "%s%s ", mark, step->name);
}

static enum verdict pass(void *self, struct request *r)
{
	(void)r;
	note(self, ">");
	return VERDICT_NEXT;
}

static void up(void *self, struct request *r)
{
	(void)r;
	note(self, "<");
}

static enum verdict answer(void *self, struct request *r)
{
	note(self, ">");
	request_reply(r, RCODE_NOERROR, FLAG_AA);
	writer_u16(&r->reply, WRITER_QUESTION);
	writer_address(&r->reply, SECTION_ANSWER, (const uint8_t *)"\1\2\3\4", 4, CLASS_IN, 5);
	return VERDICT_ANSWERED;
}

static enum verdict later(void *self, struct request *r)
{
	struct step *step = self;

	note(step, ">");
	step->trace->waiting = r;
	return VERDICT_PENDING;
}

static enum verdict drop(void *self, struct request *r)
{
	(void)r;
	note(self, ">");
	return VERDICT_DROP;
}

/* Asks for another name below, and passes its rcode and number of answers on. */
static enum verdict on_child(void *self, struct request *r, struct request *child)
{
	uint16_t rcode = child->rcode, answers = child->reply.count[SECTION_ANSWER];

	note(self, "=");
	request_release(child);
	request_reply(r, rcode, 0);
	for (uint16_t i = 0; i < answers; i++) {
		writer_u16(&r->reply, WRITER_QUESTION);
		writer_address(&r->reply, SECTION_ANSWER, (const uint8_t *)"\1\2\3\4", 4, CLASS_IN, 5);
	}
	return VERDICT_ANSWERED;
}

static enum verdict ask_child(void *self, struct request *r)
{
	struct request *child;
	struct name name;

	note(self, ">");
	assert_true(name_from_text("Other.Example", &name));
	child = request_child(r, &name, TYPE_AAAA);
	if (!child)
		return request_fail(r, RCODE_SERVFAIL, "too deep");
	if (request_ask_below(child) == VERDICT_PENDING)
		return VERDICT_PENDING;
	return on_child(self, r, child);
}

static enum verdict on_same(void *self, struct request *r, struct request *child)
{
	(void)self;
	request_release(child);
	return request_fail(r, RCODE_SERVFAIL, "child was answered");
}

/* Asks the whole server for the same name: itself again, and so on, until there is no deeper. */
static enum verdict ask_server(void *self, struct request *r)
{
	struct request *child = request_child(r, &r->question.name, r->question.type);

	note(self, ">");
	if (!child)
		return request_fail(r, RCODE_SERVFAIL, "too deep");
	assert_int_equal(request_ask_server(child), VERDICT_ANSWERED);
	return on_same(self, r, child);
}

/* On the way up: asks for another name below, and adds what it has. */
static enum verdict on_more(void *self, struct request *r, struct request *child)
{
	uint16_t answers = child->reply.count[SECTION_ANSWER];

	note(self, "=");
	request_release(child);
	for (uint16_t i = 0; i < answers; i++) {
		writer_u16(&r->reply, WRITER_QUESTION);
		writer_address(&r->reply, SECTION_ANSWER, (const uint8_t *)"\5\6\7\10", 4, CLASS_IN, 5);
	}
	return VERDICT_ANSWERED;
}

static enum verdict amend(void *self, struct request *r)
{
	struct request *child = request_child(r, &r->question.name, TYPE_AAAA);

	note(self, "?");
	if (request_ask_below(child) == VERDICT_PENDING)
		return VERDICT_PENDING;
	return on_more(self, r, child);
}

static const struct plugin plugin_amend = {
	.name = "amend", .serve = pass, .reply = up, .amend = amend, .resume = on_more};
static const struct plugin plugin_pass = {.name = "pass", .serve = pass, .reply = up};
static const struct plugin plugin_answer = {.name = "answer", .serve = answer, .reply = up};
static const struct plugin plugin_later = {.name = "later", .serve = later};
static const struct plugin plugin_drop = {.name = "drop", .serve = drop};
static const struct plugin plugin_child = {.name = "child", .serve = ask_child, .resume = on_child};
static const struct plugin plugin_server = {.name = "server", .serve = ask_server, .resume = on_same};

struct fixture {
	struct trace trace;
	struct step steps[8];
	struct link links[8];
	struct chain chain;
	struct router router;
	struct worker worker;
	struct request *request;
};

static void deliver(struct request *r, enum verdict verdict)
{
	struct fixture *f = r->owner;

	f->trace.delivered = verdict;
}

static void build(struct fixture *f, const struct plugin *const *plugins, unsigned count)
{
	static const char *const names[] = {"a", "b", "c", "d"};
	struct route *route = memory_zero(1, sizeof(*route));

	memset(f, 0, sizeof(*f));
	for (unsigned i = 0; i < count; i++) {
		f->steps[i] = (struct step){&f->trace, names[i]};
		f->links[i] = (struct link){.plugin = plugins[i], .self = &f->steps[i]};
	}
	f->chain = (struct chain){.links = f->links, .count = count};
	chain_lay_out(&f->chain);
	assert_true(name_from_text(".", &route->zone));
	route->chain = &f->chain;
	router_init(&f->router, route, 1);
	worker_init(&f->worker, 0, NULL);
	f->request = request_take(&f->worker);
	f->request->router = &f->router;
	f->request->transport = TRANSPORT_UDP;
	f->request->deliver = deliver;
	f->request->owner = f;
	f->trace.delivered = VERDICT_NEXT;
}

static enum verdict ask(struct fixture *f)
{
	memcpy(f->request->wire, query, sizeof(query) - 1);
	return query_answer(f->request, sizeof(query) - 1);
}

static void finish(struct fixture *f)
{
	assert_int_equal(f->worker.waiting, 0);
	request_release(f->request);
	worker_finish(&f->worker); /* asserts that no request is missing */
	router_finish(&f->router);
}

#define BUILD(f, ...)                                                                                        \
	do {                                                                                                 \
		const struct plugin *const plugins_[] = {__VA_ARGS__};                                       \
		build(f, plugins_, ARRAY_LENGTH(plugins_));                                                  \
	} while (0)

static void test_down_and_up(void **state)
{
	struct fixture f;

	(void)state;
	BUILD(&f, &plugin_pass, &plugin_pass, &plugin_answer, &plugin_pass);
	assert_int_equal(ask(&f), VERDICT_ANSWERED);
	assert_string_equal(f.trace.text, ">a >b >c <b <a ");
	assert_ptr_equal(f.request->answered_by, &plugin_answer);
	finish(&f);
}

static void test_end_of_the_chain(void **state)
{
	struct fixture f;

	(void)state;
	BUILD(&f, &plugin_pass);
	assert_int_equal(ask(&f), VERDICT_ANSWERED);
	assert_int_equal(f.request->rcode, RCODE_SERVFAIL);
	assert_string_equal(f.request->error, "plugin/pass: no next plugin found");
	assert_string_equal(f.trace.text, ">a <a ");
	assert_null(f.request->answered_by);
	finish(&f);
}

static void test_drop(void **state)
{
	struct fixture f;

	(void)state;
	BUILD(&f, &plugin_pass, &plugin_drop);
	assert_int_equal(ask(&f), VERDICT_DROP);
	assert_string_equal(f.trace.text, ">a >b <a ");
	finish(&f);
}

static void test_pending_then_answered(void **state)
{
	struct fixture f;

	(void)state;
	BUILD(&f, &plugin_pass, &plugin_later, &plugin_answer);
	assert_int_equal(ask(&f), VERDICT_PENDING);
	assert_int_equal(f.worker.waiting, 1);
	request_reply(f.trace.waiting, RCODE_NXDOMAIN, 0);
	request_resume(f.trace.waiting, VERDICT_ANSWERED);
	assert_int_equal(f.trace.delivered, VERDICT_ANSWERED);
	assert_int_equal(f.request->wire[3] & 15, RCODE_NXDOMAIN);
	assert_string_equal(f.trace.text, ">a >b <a ");
	finish(&f);
}

static void test_pending_then_next(void **state)
{
	struct fixture f;

	(void)state;
	BUILD(&f, &plugin_pass, &plugin_later, &plugin_answer);
	assert_int_equal(ask(&f), VERDICT_PENDING);
	request_resume(f.trace.waiting, VERDICT_NEXT);
	assert_int_equal(f.trace.delivered, VERDICT_ANSWERED);
	assert_string_equal(f.trace.text, ">a >b >c <a ");
	finish(&f);
}

static void test_pending_then_dropped(void **state)
{
	struct fixture f;

	(void)state;
	BUILD(&f, &plugin_pass, &plugin_later);
	assert_int_equal(ask(&f), VERDICT_PENDING);
	request_resume(f.trace.waiting, VERDICT_DROP);
	assert_int_equal(f.trace.delivered, VERDICT_DROP);
	finish(&f);
}

static void test_child_answers_at_once(void **state)
{
	struct fixture f;

	(void)state;
	BUILD(&f, &plugin_pass, &plugin_child, &plugin_pass, &plugin_answer);
	assert_int_equal(ask(&f), VERDICT_ANSWERED);
	assert_string_equal(f.trace.text, ">a >b >c >d <c =b <a "); /* the child does not meet a and b */
	assert_int_equal(f.request->reply.count[SECTION_ANSWER], 1);
	finish(&f);
}

static void test_child_waits(void **state)
{
	struct fixture f;

	(void)state;
	BUILD(&f, &plugin_pass, &plugin_child, &plugin_later, &plugin_answer);
	assert_int_equal(ask(&f), VERDICT_PENDING);
	assert_int_equal(f.worker.waiting, 2);
	assert_ptr_equal(f.trace.waiting->parent, f.request);
	assert_memory_equal(f.trace.waiting->wire + MESSAGE_HEADER, "\5Other\7Example\0\0\x1c\0\1", 19);
	assert_int_equal(f.trace.waiting->query_length, MESSAGE_HEADER + 19);
	request_resume(f.trace.waiting, VERDICT_NEXT);
	assert_int_equal(f.trace.delivered, VERDICT_ANSWERED);
	assert_int_equal(f.request->reply.count[SECTION_ANSWER], 1);
	assert_string_equal(f.trace.text, ">a >b >c >d =b <a ");
	finish(&f);
}

static void test_dropped_child_is_a_failure(void **state)
{
	struct fixture f;

	(void)state;
	BUILD(&f, &plugin_child, &plugin_drop);
	assert_int_equal(ask(&f), VERDICT_ANSWERED);
	assert_int_equal(f.request->rcode, RCODE_SERVFAIL);
	finish(&f);
	BUILD(&f, &plugin_child, &plugin_later);
	assert_int_equal(ask(&f), VERDICT_PENDING);
	request_resume(f.trace.waiting, VERDICT_DROP);
	assert_int_equal(f.trace.delivered, VERDICT_ANSWERED);
	assert_int_equal(f.request->rcode, RCODE_SERVFAIL);
	finish(&f);
}

static void test_amended_on_the_way_up(void **state)
{
	struct fixture f;

	(void)state;
	BUILD(&f, &plugin_pass, &plugin_amend, &plugin_answer);
	assert_int_equal(ask(&f), VERDICT_ANSWERED);
	assert_string_equal(f.trace.text, ">a >b >c <b ?b >c =b <a ");
	assert_int_equal(f.request->reply.count[SECTION_ANSWER], 2);
	assert_ptr_equal(f.request->answered_by, &plugin_answer);
	finish(&f);
}

/* The answer waits half-way up, and goes on from there. */
static void test_amendment_waits(void **state)
{
	struct fixture f;

	(void)state;
	BUILD(&f, &plugin_pass, &plugin_amend, &plugin_later, &plugin_answer);
	assert_int_equal(ask(&f), VERDICT_PENDING);
	assert_int_equal(f.worker.waiting, 1);
	request_resume(f.trace.waiting, VERDICT_NEXT);
	assert_int_equal(f.trace.delivered, VERDICT_NEXT); /* not yet: now the child waits */
	assert_int_equal(f.worker.waiting, 2);
	assert_ptr_equal(f.trace.waiting->parent, f.request);
	request_resume(f.trace.waiting, VERDICT_NEXT);
	assert_int_equal(f.trace.delivered, VERDICT_ANSWERED);
	assert_string_equal(f.trace.text, ">a >b >c >d <b ?b >c >d =b <a ");
	assert_int_equal(f.request->reply.count[SECTION_ANSWER], 2);
	assert_ptr_equal(f.request->answered_by, &plugin_answer);
	finish(&f);
}

static void test_what_is_dropped_is_not_amended(void **state)
{
	struct fixture f;

	(void)state;
	BUILD(&f, &plugin_amend, &plugin_drop);
	assert_int_equal(ask(&f), VERDICT_DROP);
	assert_string_equal(f.trace.text, ">a >b <a ");
	finish(&f);
}

static void test_depth_is_bounded(void **state)
{
	struct fixture f;

	(void)state;
	BUILD(&f, &plugin_server);
	assert_int_equal(ask(&f), VERDICT_ANSWERED);
	assert_int_equal(strlen(f.trace.text), 3 * (REQUEST_DEPTH_MAX + 1));
	assert_int_equal(f.request->rcode, RCODE_SERVFAIL);
	finish(&f);
}

static void test_state_does_not_overlap(void **state)
{
	struct plugin one = {.name = "one", .state_size = 5, .serve = pass},
		      two = {.name = "two", .state_size = 17, .serve = pass};
	struct fixture f;
	char *first, *second;

	(void)state;
	BUILD(&f, &one, &two, &plugin_answer);
	assert_int_equal(ask(&f), VERDICT_ANSWERED);
	f.request->position = 0;
	first = request_state(f.request);
	f.request->position = 1;
	second = request_state(f.request);
	assert_true(second >= first + 5);
	assert_int_equal((uintptr_t)second % _Alignof(max_align_t), 0);
	finish(&f);
}

/* A plugin that notes how it was looked ahead at, in the state that serve() finds. */
static void note_step(void *self, struct request *request, unsigned step)
{
	unsigned *seen = request_state(request);

	(void)self;
	*seen = step == 0 ? 1 : *seen * 10 + step + 1;
}

static enum verdict answer_what_was_seen(void *self, struct request *request)
{
	unsigned *seen = request_state(request), *ret = self;

	*ret = request->is_foreseen ? *seen : 0;
	request_reply(request, RCODE_NOERROR, 0);
	return VERDICT_ANSWERED;
}

static const struct plugin plugin_foresees = {
	.name = "foresees",
	.state_size = sizeof(unsigned),
	.look_ahead = note_step,
	.serve = answer_what_was_seen,
};

static size_t write_query(uint8_t *wire)
{
	memcpy(wire, query, sizeof(query) - 1);
	return sizeof(query) - 1;
}

static void test_looking_ahead(void **state)
{
	unsigned seen = 0;
	struct link links[] = {{&plugin_foresees, &seen, 0}};
	struct chain chain = {.links = links, .count = 1};
	struct route *route = memory_zero(1, sizeof(*route));
	struct router router;
	struct worker worker;
	struct request *request;

	(void)state;
	chain_lay_out(&chain);
	worker_init(&worker, 0, NULL);
	name_from_text(".", &route->zone);
	route->chain = &chain;
	router_init(&router, route, 1);
	request = request_take(&worker);
	request->router = &router;
	query_read(request, write_query(request->wire));
	query_look_ahead(request, 1);
	query_look_ahead(request, 2);
	assert_int_equal(query_serve(request), VERDICT_ANSWERED);
	assert_int_equal(seen, 123);
	assert_int_equal(query_answer(request, write_query(request->wire)), VERDICT_ANSWERED);
	assert_int_equal(seen, 1);
	query_read(request, 3); /* nothing to look at */
	query_look_ahead(request, 1);
	assert_int_equal(query_serve(request), VERDICT_DROP);
	request_release(request);
	router_finish(&router);
	worker_finish(&worker);
}

#define BURST 1000

static void test_pool_gives_memory_back(void **state)
{
	struct request *requests[BURST];
	struct worker worker;
	unsigned left;

	(void)state;
	worker_init(&worker, 0, NULL);
	for (unsigned i = 0; i < BURST; i++) {
		requests[i] = request_take(&worker);
		requests[i]->reply.length = i % 2 ? REQUEST_WIRE_MAX : 100;
		memset(requests[i]->wire, 0xff, requests[i]->reply.length);
	}
	assert_int_equal(worker.requests, BURST);
	for (unsigned i = 0; i < BURST; i++)
		request_release(requests[i]);
	worker_trim(&worker); /* all were in use a moment ago */
	assert_int_equal(worker.requests, BURST);
	worker_trim(&worker); /* nobody needed them since */
	left = worker.requests;
	assert_true(left < BURST);
	assert_int_equal(left, worker.free_count);
	for (unsigned i = 0; i < left; i++)
		requests[i] = request_take(&worker);
	for (unsigned i = 0; i < left; i++)
		request_release(requests[i]);
	worker_trim(&worker); /* all are needed now and then */
	assert_int_equal(worker.requests, left);
	request_release(NULL);
	worker_finish(&worker);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_down_and_up),
		cmocka_unit_test(test_end_of_the_chain),
		cmocka_unit_test(test_drop),
		cmocka_unit_test(test_pending_then_answered),
		cmocka_unit_test(test_pending_then_next),
		cmocka_unit_test(test_pending_then_dropped),
		cmocka_unit_test(test_child_answers_at_once),
		cmocka_unit_test(test_child_waits),
		cmocka_unit_test(test_dropped_child_is_a_failure),
		cmocka_unit_test(test_amended_on_the_way_up),
		cmocka_unit_test(test_amendment_waits),
		cmocka_unit_test(test_what_is_dropped_is_not_amended),
		cmocka_unit_test(test_depth_is_bounded),
		cmocka_unit_test(test_state_does_not_overlap),
		cmocka_unit_test(test_looking_ahead),
		cmocka_unit_test(test_pool_gives_memory_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
