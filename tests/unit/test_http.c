/* HTTP endpoints: addresses, paths, what is sent, sharing, and closing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../support/http_lab.h"
#include "svcdns/clock.h"
#include "svcdns/http.h"

#define TIMEOUT (10 * CLOCK_S)

static struct http *http;
static struct http_lab lab;

static int set_up(void **state)
{
	(void)state;
	http_lab_open(&lab);
	http = http_create();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	http_destroy(http);
	http_lab_close(&lab);
	return 0;
}

static void ask(const char *method, const char *path)
{
	http_lab_ask(&lab, method, path);
}

static bool is_answer(const char *status, const char *body)
{
	return http_lab_has_status(&lab, status) && strcmp(http_lab_body(&lab), body) == 0;
}

static bool has_header(const char *header)
{
	return strstr(lab.reply, header);
}

static void answer_word(void *context, const char *rest, struct http_answer *answer)
{
	buffer_format(&answer->body, "%s%s%s", answer->body.length ? "," : "", (const char *)context, rest);
}

static void answer_nothing(void *context, const char *rest, struct http_answer *answer)
{
	(void)context;
	(void)rest;
	(void)answer;
}

static void answer_trouble(void *context, const char *rest, struct http_answer *answer)
{
	(void)rest;
	answer->status = 503;
	buffer_text(&answer->body, context);
}

static struct http_endpoint *open_at(const char *path, http_answer_function *answer, const char *word)
{
	struct error error = {""};
	struct http_endpoint *endpoint =
		http_open(http, lab.address, path, answer, (void *)(uintptr_t)word, &error);

	assert_string_equal(error.message, "");
	assert_non_null(endpoint);
	return endpoint;
}

static void test_addresses(void **state)
{
	static const char *const good[] = {
		":8080", "localhost:9153", "127.0.0.1:0", "[::1]:8080", "x:99999", ":"};
	static const struct {
		const char *address, *message;
	} bad[] = {
		{"8080", "address 8080: missing port in address"},
		{"localhost", "address localhost: missing port in address"},
		{"", "address : missing port in address"},
		{"[::1]", "address [::1]: missing port in address"},
		{"[::1]x:80", "address [::1]x:80: missing port in address"},
		{"[::1:80", "address [::1:80: missing ']' in address"},
		{"[::1]:80:81", "address [::1]:80:81: too many colons in address"},
		{"::1", "address ::1: too many colons in address"},
		{"fe80::1:8080", "address fe80::1:8080: too many colons in address"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(good); i++)
		assert_true(http_check_address(good[i], &(struct error){""}));
	for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
		struct error error = {""};

		assert_false(http_check_address(bad[i].address, &error));
		assert_string_equal(error.message, bad[i].message);
	}
}

static void test_addresses_that_cannot_be_had(void **state)
{
	static const struct {
		const char *address, *message;
	} bad[] = {
		{"127.0.0.1:65536", "listen tcp: address 65536: invalid port"},
		{"127.0.0.1:http!", "listen tcp: address http!: invalid port"},
		{"127.0.0.1:-1", "listen tcp: address -1: invalid port"},
		{"203.0.113.77:80", "listen tcp 203.0.113.77:80: bind: cannot assign requested address"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
		struct error error = {""};

		assert_null(http_open(http, bad[i].address, "/", answer_nothing, NULL, &error));
		assert_string_equal(error.message, bad[i].message);
	}
}

static void test_port_that_is_taken(void **state)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char taken[32], message[128];
	struct error error = {""};

	(void)state;
	assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &length), 0);
	snprintf(taken, sizeof(taken), "127.0.0.1:%u", ntohs(in.sin_port));
	snprintf(message, sizeof(message), "listen tcp %s: bind: address already in use", taken);
	assert_null(http_open(http, taken, "/", answer_nothing, NULL, &error));
	assert_string_equal(error.message, message);
	close(fd);
}

static void test_answers(void **state)
{
	struct http_endpoint *ok = open_at("/ok", answer_nothing, ""),
			     *word = open_at("/word", answer_word, "here");
	struct http_endpoint *trouble = open_at("/trouble", answer_trouble, "no");

	(void)state;
	ask("GET", "/ok");
	assert_true(is_answer("200 OK\r\n", "OK"));
	assert_true(has_header("\r\nContent-Type: text/plain; charset=utf-8\r\n"));
	assert_true(has_header("\r\nContent-Length: 2\r\n"));
	ask("GET", "/word?x=1");
	assert_true(is_answer("200 OK\r\n", "here"));
	ask("GET", "/trouble");
	assert_true(is_answer("503 Service Unavailable\r\n", "no"));
	http_close(ok);
	http_close(word);
	http_close(trouble);
}

static void test_methods(void **state)
{
	static const char *const methods[] = {"GET", "POST", "PUT", "DELETE", "OPTIONS"};
	struct http_endpoint *endpoint = open_at("/x", answer_word, "word");

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(methods); i++) {
		ask(methods[i], "/x");
		assert_true(is_answer("200 ", "word"));
	}
	ask("HEAD", "/x");
	assert_true(is_answer("200 ", ""));
	assert_true(has_header("\r\nContent-Length: 4\r\n"));
	http_lab_exchange(
		&lab, "POST /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello");
	assert_true(is_answer("200 ", "word"));
	http_close(endpoint);
}

static void test_versions(void **state)
{
	struct http_endpoint *endpoint = open_at("/x", answer_word, "word");

	(void)state;
	http_lab_exchange(&lab, "GET /x HTTP/1.0\r\n\r\n");
	assert_true(is_answer("200 ", "word"));
	http_lab_exchange(&lab, "GET /x HTTP/1.1\r\n\r\n");
	assert_true(is_answer("400 ", "400 Bad Request: missing required Host header"));
	assert_true(has_header("\r\nConnection: close\r\n"));
	http_close(endpoint);
}

/* Octets that are no request close the connection, and nothing else. */
static void test_garbage(void **state)
{
	static const char *const garbage[] = {
		"garbage\r\n\r\n", "\r\n\r\n\x01\x02\x03\r\n\r\n", "GET\r\n\r\n"};
	struct http_endpoint *endpoint = open_at("/x", answer_word, "word");
	char *long_request = malloc(100001);

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(garbage); i++)
		http_lab_exchange(&lab, garbage[i]);
	memset(long_request, 'x', 100000);
	long_request[100000] = '\0';
	http_lab_exchange(&lab, long_request);
	free(long_request);
	ask("GET", "/x");
	assert_true(is_answer("200 ", "word"));
	http_close(endpoint);
}

static void test_paths(void **state)
{
	static const struct {
		const char *path, *status, *body;
	} cases[] = {
		{"/a", "200 ", "A"},
		{"/a/", "404 ", "404 page not found\n"},
		{"/A", "404 ", "404 page not found\n"},
		{"/", "404 ", "404 page not found\n"},
		{"/ab", "404 ", "404 page not found\n"},
		{"//a", "307 ", "<a href=\"/a\">Temporary Redirect</a>.\n\n"},
		{"/x/../a", "307 ", "<a href=\"/a\">Temporary Redirect</a>.\n\n"},
		{"/./a", "307 ", "<a href=\"/a\">Temporary Redirect</a>.\n\n"},
		{"/../../a", "307 ", "<a href=\"/a\">Temporary Redirect</a>.\n\n"},
		{"/x/../b", "404 ", "404 page not found\n"},
		{"/below/", "200 ", "below "},
		{"/below/x/y", "200 ", "below x/y"},
		{"/below", "404 ", "404 page not found\n"},
		{"//below/", "307 ", "<a href=\"/below/\">Temporary Redirect</a>.\n\n"},
		{"/below//x", "404 ", "404 page not found\n"},
		{"/below/exact", "200 ", "exact"},
	};
	struct http_endpoint *a = open_at("/a", answer_word, "A");
	struct http_endpoint *below = open_at("/below/", answer_word, "below ");
	struct http_endpoint *exact = open_at("/below/exact", answer_word, "exact");

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		ask("GET", cases[i].path);
		assert_true(is_answer(cases[i].status, cases[i].body));
	}
	ask("GET", "//a");
	assert_true(has_header("\r\nLocation: /a\r\n"));
	assert_true(has_header("\r\nContent-Type: text/html; charset=utf-8\r\n"));
	ask("GET", "/nothing");
	assert_true(has_header("\r\nX-Content-Type-Options: nosniff\r\n"));
	http_close(a);
	http_close(below);
	http_close(exact);
}

/* Two users of one path, and a third one of another, at one address. */
static void test_sharing(void **state)
{
	struct http_endpoint *first = open_at("/x", answer_word, "first"),
			     *second = open_at("/x", answer_word, "second");
	struct http_endpoint *other = open_at("/y", answer_word, "other");

	(void)state;
	ask("GET", "/x");
	assert_true(is_answer("200 ", "first,second"));
	http_close(first);
	ask("GET", "/x");
	assert_true(is_answer("200 ", "second"));
	http_close(second);
	ask("GET", "/x");
	assert_true(is_answer("404 ", "404 page not found\n"));
	ask("GET", "/y");
	assert_true(is_answer("200 ", "other"));
	http_close(other);
	assert_int_equal(http_lab_connect(&lab), -1);
}

/* As when one configuration follows another. */
static void test_held_endpoints(void **state)
{
	struct http_endpoint *former = open_at("/", answer_word, "former"), *next, *new;

	(void)state;
	http_hold(http);
	next = open_at("/", answer_word, "next");
	new = open_at("/new", answer_word, "new");
	ask("GET", "/");
	assert_true(is_answer("200 OK", "former"));
	ask("GET", "/new"); /* there was none before it */
	assert_true(is_answer("200 OK", "new"));
	http_release(http);
	ask("GET", "/");
	assert_true(is_answer("200 OK", "former,next"));
	http_close(former);
	ask("GET", "/");
	assert_true(is_answer("200 OK", "next"));
	http_close(new);
	http_close(next);
}

static void test_open_again(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		struct http_endpoint *endpoint = open_at("/x", answer_word, "word");

		ask("GET", "/x");
		assert_true(is_answer("200 ", "word"));
		http_close(endpoint);
		assert_int_equal(http_lab_connect(&lab), -1);
	}
}

/* An open connection does not hold up the end. */
static void test_close_with_a_connection(void **state)
{
	struct http_endpoint *endpoint = open_at("/x", answer_word, "word");
	int fd = http_lab_connect(&lab);
	char octet;

	(void)state;
	assert_true(fd >= 0);
	http_close(endpoint);
	assert_true(recv(fd, &octet, 1, 0) <= 0);
	close(fd);
}

static void test_stop(void **state)
{
	struct http_endpoint *endpoint = open_at("/x", answer_word, "word");
	struct error error = {""};

	(void)state;
	http_stop(http);
	assert_int_equal(http_lab_connect(&lab), -1);
	assert_false(http_probe(endpoint, TIMEOUT, &error));
	http_close(endpoint);
}

static void test_probe(void **state)
{
	struct http_endpoint *good = open_at("/good", answer_nothing, ""),
			     *bad = open_at("/bad", answer_trouble, "");
	struct error error = {""};

	(void)state;
	assert_true(http_probe(good, TIMEOUT, &error));
	assert_false(http_probe(bad, TIMEOUT, &error));
	assert_string_equal(error.message, "status HTTP/1.1 503 ");
	http_close(good);
	http_close(bad);
}

static void test_probe_of_wildcards_and_port_0(void **state)
{
	static const char *const addresses[] = {":0", "0.0.0.0:0", "localhost:0"};
	struct http_endpoint *endpoints[ARRAY_LENGTH(addresses)];
	struct error error = {""};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(addresses); i++) {
		endpoints[i] = http_open(http, addresses[i], "/x", answer_nothing, NULL, &error);
		assert_non_null(endpoints[i]);
		assert_true(http_probe(endpoints[i], TIMEOUT, &error));
	}
	for (size_t i = 0; i < ARRAY_LENGTH(addresses); i++)
		http_close(endpoints[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_addresses, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_addresses_that_cannot_be_had, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_port_that_is_taken, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_answers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_methods, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_versions, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_garbage, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_paths, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_sharing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_held_endpoints, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_open_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_close_with_a_connection, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stop, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_probe, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_probe_of_wildcards_and_port_0, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
