/* HTTP endpoints: addresses, paths, what is sent, sharing, and closing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <sys/socket.h>
#include <unistd.h>

#include "svcdns/clock.h"
#include "svcdns/http.h"

#define TIMEOUT (10 * CLOCK_S)

static struct http *http;
static char address[32]; /* a free one on this machine */
static char reply[8192];

/* A port that SO_REUSEPORT lets us, and nobody else, have. */
static int hold_port(void)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &length), 0);
	snprintf(address, sizeof(address), "127.0.0.1:%u", ntohs(in.sin_port));
	return fd;
}

static int set_up(void **state)
{
	*state = (void *)(intptr_t)hold_port();
	http = http_create();
	return 0;
}

static int tear_down(void **state)
{
	http_destroy(http);
	close((int)(intptr_t)*state);
	return 0;
}

static int connect_to(const char *where)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	in.sin_port = htons((uint16_t)atoi(strchr(where, ':') + 1));
	if (connect(fd, (struct sockaddr *)&in, sizeof(in)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* Sends octets and reads until the other side closes. */
static const char *exchange(const char *request)
{
	int fd = connect_to(address);
	size_t length = 0;
	ssize_t n;

	assert_true(fd >= 0);
	assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
	while ((n = recv(fd, reply + length, sizeof(reply) - 1 - length, 0)) > 0)
		length += (size_t)n;
	reply[length] = '\0';
	close(fd);
	return reply;
}

static const char *ask(const char *method, const char *path)
{
	char request[512];

	snprintf(request, sizeof(request), "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", method,
		path);
	return exchange(request);
}

static bool is_status(const char *status)
{
	return strncmp(reply, "HTTP/1.1 ", 9) == 0 && strncmp(reply + 9, status, strlen(status)) == 0;
}

static bool ends_with(const char *end)
{
	size_t length = strlen(reply);

	return length >= strlen(end) && strcmp(reply + length - strlen(end), end) == 0;
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
		http_open(http, address, path, answer, (void *)(uintptr_t)word, &error);

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
	assert_true(is_status("200 OK\r\n") && ends_with("\r\n\r\nOK"));
	assert_non_null(strstr(reply, "\r\nContent-Type: text/plain; charset=utf-8\r\n"));
	assert_non_null(strstr(reply, "\r\nContent-Length: 2\r\n"));
	ask("GET", "/word?x=1");
	assert_true(is_status("200 OK\r\n") && ends_with("\r\n\r\nhere"));
	ask("GET", "/trouble");
	assert_true(is_status("503 Service Unavailable\r\n") && ends_with("\r\n\r\nno"));
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
		assert_true(is_status("200 ") && ends_with("\r\n\r\nword"));
	}
	ask("HEAD", "/x");
	assert_true(is_status("200 ") && ends_with("\r\n\r\n"));
	assert_non_null(strstr(reply, "\r\nContent-Length: 4\r\n"));
	exchange("POST /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello");
	assert_true(is_status("200 ") && ends_with("\r\n\r\nword"));
	http_close(endpoint);
}

static void test_paths(void **state)
{
	static const struct {
		const char *path, *status, *end;
	} cases[] = {
		{"/a", "200 ", "\r\n\r\nA"},
		{"/a/", "404 ", "\r\n\r\n404 page not found\n"},
		{"/A", "404 ", "\r\n\r\n404 page not found\n"},
		{"/", "404 ", "\r\n\r\n404 page not found\n"},
		{"/ab", "404 ", "\r\n\r\n404 page not found\n"},
		{"//a", "307 ", "\r\n\r\n<a href=\"/a\">Temporary Redirect</a>.\n\n"},
		{"/x/../a", "307 ", "\r\n\r\n<a href=\"/a\">Temporary Redirect</a>.\n\n"},
		{"/./a", "307 ", "\r\n\r\n<a href=\"/a\">Temporary Redirect</a>.\n\n"},
		{"/../../a", "307 ", "\r\n\r\n<a href=\"/a\">Temporary Redirect</a>.\n\n"},
		{"/x/../b", "404 ", "\r\n\r\n404 page not found\n"},
		{"/below/", "200 ", "\r\n\r\nbelow "},
		{"/below/x/y", "200 ", "\r\n\r\nbelow x/y"},
		{"/below", "404 ", "\r\n\r\n404 page not found\n"},
		{"//below/", "307 ", "\r\n\r\n<a href=\"/below/\">Temporary Redirect</a>.\n\n"},
		{"/below//x", "404 ", "\r\n\r\n404 page not found\n"},
		{"/below/exact", "200 ", "\r\n\r\nexact"},
	};
	struct http_endpoint *a = open_at("/a", answer_word, "A");
	struct http_endpoint *below = open_at("/below/", answer_word, "below ");
	struct http_endpoint *exact = open_at("/below/exact", answer_word, "exact");

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		ask("GET", cases[i].path);
		assert_true(is_status(cases[i].status));
		assert_true(ends_with(cases[i].end));
	}
	ask("GET", "//a");
	assert_non_null(strstr(reply, "\r\nLocation: /a\r\n"));
	assert_non_null(strstr(reply, "\r\nContent-Type: text/html; charset=utf-8\r\n"));
	ask("GET", "/nothing");
	assert_non_null(strstr(reply, "\r\nX-Content-Type-Options: nosniff\r\n"));
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
	assert_true(ends_with("\r\n\r\nfirst,second"));
	http_close(first);
	ask("GET", "/x");
	assert_true(ends_with("\r\n\r\nsecond"));
	http_close(second);
	ask("GET", "/x");
	assert_true(is_status("404 "));
	ask("GET", "/y");
	assert_true(ends_with("\r\n\r\nother"));
	http_close(other);
	assert_int_equal(connect_to(address), -1);
}

static void test_open_again(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		struct http_endpoint *endpoint = open_at("/x", answer_word, "word");

		ask("GET", "/x");
		assert_true(ends_with("\r\n\r\nword"));
		http_close(endpoint);
		assert_int_equal(connect_to(address), -1);
	}
}

/* An open connection does not hold up the end. */
static void test_close_with_a_connection(void **state)
{
	struct http_endpoint *endpoint = open_at("/x", answer_word, "word");
	int fd = connect_to(address);
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
	assert_int_equal(connect_to(address), -1);
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
		cmocka_unit_test_setup_teardown(test_paths, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_sharing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_open_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_close_with_a_connection, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stop, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_probe, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_probe_of_wildcards_and_port_0, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
