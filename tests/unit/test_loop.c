/* loop: what it asks of its own server, which here is a socket of the test, and when that ends the process.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <sys/wait.h>
#include <uv.h>

#include "../support/plugin_lab.h"

extern const struct plugin plugin_loop;

struct fixture {
	struct lab lab;
	uv_loop_t loop;
	int socket; /* the server's */
	uint16_t port;
	char probe[NAME_TEXT_MAX]; /* that it was asked for last */
	uint8_t query[512];
	ssize_t length;
	union address asked_by;
};

static enum verdict answer(void *self, struct request *r)
{
	(void)self;
	request_reply(r, RCODE_NOERROR, 0);
	return VERDICT_ANSWERED;
}

static const struct plugin plugin_answer = {.name = "answer", .serve = answer};

/* port 0: any. */
static void serve(struct fixture *f, uint16_t port)
{
	union address address;
	socklen_t length = sizeof(address);
	struct error error;

	assert_true(address_parse("127.0.0.1", port, &address, &error));
	f->socket = socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(bind(f->socket, &address.any, address_length(&address)), 0);
	assert_int_equal(getsockname(f->socket, &address.any, &length), 0);
	f->port = address_port(&address);
}

/* The plugin is set up for the test's port, and a zone. */
static void start(struct fixture *f, const char *zone)
{
	static const char *const address = "127.0.0.1";
	const struct link links[] = {{0}, {&plugin_answer, NULL, 0}};

	assert_int_equal(uv_loop_init(&f->loop), 0);
	assert_true(lab_read(&f->lab, &plugin_loop, "loop"));
	f->lab.setup.port = f->port;
	f->lab.bind = (struct bind){(const char **)(void *)&address, 1};
	f->lab.setup.zones = (struct zones){0};
	assert_true(zones_add(&f->lab.setup.zones, &f->lab.arena, zone));
	f->lab.config = plugin_loop.setup(&f->lab.setup, &f->lab.error);
	assert_non_null(f->lab.config);
	f->lab.loop = &f->loop;
	lab_start(&f->lab, links, ARRAY_LENGTH(links));
}

static void finish(struct fixture *f)
{
	plugin_loop.stop(f->lab.self);
	f->lab.self = NULL;
	uv_run(&f->loop, UV_RUN_DEFAULT); /* until all is closed */
	lab_finish(&f->lab);
	assert_int_equal(uv_loop_close(&f->loop), 0);
	close(f->socket);
}

static bool is_asked(const struct fixture *f)
{
	struct pollfd ready = {.fd = f->socket, .events = POLLIN};

	return poll(&ready, 1, 0) == 1;
}

/* Takes the probe, which is in the socket's buffer. */
static void take_probe(struct fixture *f)
{
	socklen_t length = sizeof(f->asked_by);
	struct question question;
	struct edns edns;

	assert_true(is_asked(f));
	f->length = recvfrom(f->socket, f->query, sizeof(f->query), 0, &f->asked_by.any, &length);
	assert_true(f->length > 0 && message_read_query(f->query, (size_t)f->length, &question, &edns));
	assert_int_equal(message_flags(f->query), FLAG_RD);
	assert_int_equal(question.type, TYPE_HINFO);
	assert_int_equal(question.class, CLASS_IN);
	assert_int_equal(question.end, f->length);
	name_to_text(&question.name, f->probe);
}

/* flags: of the reply, but for QR; answers: how many it pretends to have, none of which is there. */
static void answer_probe(struct fixture *f, uint16_t flags, uint16_t answers)
{
	writer_put_u16_at(f->query + 2, FLAG_QR | flags);
	writer_put_u16_at(f->query + 6, answers);
	assert_int_equal(sendto(f->socket, f->query, (size_t)f->length, 0, &f->asked_by.any,
				 address_length(&f->asked_by)),
		f->length);
	uv_run(&f->loop, UV_RUN_ONCE);
}

/* What the worker does every now and then. */
static void turn(struct fixture *f, uint64_t later_ns)
{
	f->lab.worker.now += later_ns;
	plugin_loop.refresh(f->lab.self);
}

static void see_probe(struct fixture *f, unsigned times)
{
	while (times--)
		assert_int_equal(lab_ask(&f->lab, f->probe, TYPE_HINFO), VERDICT_ANSWERED);
}

/* Runs in a process of its own; returns what it wrote if it ended with exit code 1, and "alive" if it did not
 * end. */
static const char *fate(struct fixture *f, unsigned sightings, struct capture *capture)
{
	pid_t child;
	int status;

	capture_begin(capture);
	child = fork();
	if (child == 0) {
		see_probe(f, sightings);
		_exit(7);
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	capture_end(capture);
	if (WEXITSTATUS(status) == 7)
		return "alive";
	assert_int_equal(WEXITSTATUS(status), 1);
	return capture->text;
}

static void test_question(void **state)
{
	struct fixture f;
	int length = 0;
	char end;

	(void)state;
	serve(&f, 0);
	start(&f, "A.test");
	take_probe(&f);
	assert_int_equal(sscanf(f.probe, "%*[0-9].%*[0-9].a.test%c%n", &end, &length), 1);
	assert_int_equal(strlen(f.probe), length);
	finish(&f);
}

static void test_third_sighting_ends_the_process(void **state)
{
	struct capture capture;
	char expected[2048];
	struct fixture f;

	(void)state;
	serve(&f, 0);
	start(&f, ".");
	take_probe(&f);
	snprintf(expected, sizeof(expected),
		"[FATAL] plugin/loop: Loop (192.0.2.1:40000 -> 127.0.0.1:%u) detected for zone \".\", see "
		"https://coredns.io/plugins/loop#troubleshooting. Query: \"HINFO %s\"\n",
		f.port, f.probe);
	assert_string_equal(fate(&f, 2, &capture), "alive");
	assert_string_equal(fate(&f, 3, &capture), expected);
	see_probe(&f, 2);
	/* Only the very question counts. */
	assert_int_equal(lab_ask(&f.lab, f.probe, TYPE_TXT), VERDICT_ANSWERED);
	assert_int_equal(lab_ask(&f.lab, "1.2", TYPE_HINFO), VERDICT_ANSWERED);
	assert_string_equal(fate(&f, 1, &capture), expected);
	finish(&f);
}

/* Any answer: the question went its way, and did not come back. */
static void test_answer_ends_the_search(void **state)
{
	static const uint16_t flags[] = {FLAG_AA, RCODE_SERVFAIL, RCODE_NXDOMAIN, RCODE_REFUSED};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(flags); i++) {
		struct fixture f;

		serve(&f, 0);
		start(&f, ".");
		take_probe(&f);
		answer_probe(&f, flags[i], 0);
		see_probe(&f, 9);
		turn(&f, CLOCK_S);
		turn(&f, CLOCK_S);
		assert_false(is_asked(&f));
		finish(&f);
	}
}

/* It is tried again after a second, not before, and what was seen until then does not count. */
static void test_failure_is_tried_again(void **state)
{
	char first[NAME_TEXT_MAX];
	struct capture capture;
	struct fixture f;

	(void)state;
	serve(&f, 0);
	start(&f, ".");
	take_probe(&f);
	see_probe(&f, 2);
	turn(&f, CLOCK_S);
	assert_false(is_asked(&f)); /* for it is still being asked */
	answer_probe(&f, 0, 1);
	memcpy(first, f.probe, sizeof(first));
	assert_string_equal(fate(&f, 2, &capture), "alive");
	turn(&f, 0);
	assert_false(is_asked(&f));
	turn(&f, CLOCK_S);
	take_probe(&f);
	assert_string_equal(f.probe, first);
	assert_string_not_equal(fate(&f, 3, &capture), "alive");
	finish(&f);
}

static void test_server_that_does_not_serve_yet(void **state)
{
	struct fixture f;

	(void)state;
	serve(&f, 0);
	close(f.socket);
	start(&f, ".");
	uv_run(&f.loop, UV_RUN_ONCE);
	serve(&f, f.port);
	turn(&f, CLOCK_S);
	take_probe(&f);
	finish(&f);
}

static void test_gives_up_after_half_a_minute(void **state)
{
	struct fixture f;

	(void)state;
	serve(&f, 0);
	start(&f, ".");
	take_probe(&f);
	answer_probe(&f, 0, 1);
	turn(&f, 30 * CLOCK_S);
	assert_false(is_asked(&f));
	see_probe(&f, 9);
	finish(&f);
}

static void test_no_room_for_a_question(void **state)
{
#define LABEL50 "12345678901234567890123456789012345678901234567890"
	struct fixture f;

	(void)state;
	serve(&f, 0);
	start(&f, LABEL50 "." LABEL50 "." LABEL50 "." LABEL50 ".123456789012345678901234567890");
	assert_false(is_asked(&f));
	turn(&f, CLOCK_S);
	assert_false(is_asked(&f));
	finish(&f);
}

static void test_setup(void **state)
{
	static const struct {
		const char *directive, *message;
	} table[] = {
		{"loop 127.0.0.1",
			"Corefile:2 - Error during parsing: Wrong argument count or unexpected line "
			"ending after '127.0.0.1'"},
		{"loop {\n}", "Corefile:2 - Error during parsing: Unexpected token '{', expecting argument"},
		{"loop\nloop", "Corefile:3 - Error during parsing: this plugin can only be used once per "
			       "Server Block"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		struct lab lab;

		assert_false(lab_read(&lab, &plugin_loop, table[i].directive));
		assert_string_equal(lab.error.message, table[i].message);
		lab_finish(&lab);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_question),
		cmocka_unit_test(test_third_sighting_ends_the_process),
		cmocka_unit_test(test_answer_ends_the_search),
		cmocka_unit_test(test_failure_is_tried_again),
		cmocka_unit_test(test_server_that_does_not_serve_yet),
		cmocka_unit_test(test_gives_up_after_half_a_minute),
		cmocka_unit_test(test_no_room_for_a_question),
		cmocka_unit_test(test_setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
