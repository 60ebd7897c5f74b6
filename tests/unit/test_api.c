/* HTTP requests to a scripted server on loopback: what is sent, what is told of the response, and every way
 * in which a call ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

#include "../../src/cluster/api.h"
#include "../support/table_text.h"
#include "svcdns/memory.h"

/* A server that takes one connection after the other; each gets the next of the replies, octet by octet, and
 * is closed. Or it keeps silent once it has said all. */
struct script {
	const char *const *replies; /* NULL at the end */
	bool stays_open;
	int listener;
	uint16_t port;
	pthread_t thread;
	struct buffer requests; /* one behind the other */
	int open[64];
	unsigned open_count;
};

static void read_request(struct script *script, int fd)
{
	char octet;

	while (script->requests.length < 4 ||
		memcmp(script->requests.bytes + script->requests.length - 4, "\r\n\r\n", 4) != 0) {
		if (recv(fd, &octet, 1, 0) != 1)
			return;
		buffer_add(&script->requests, &octet, 1);
	}
	buffer_text(&script->requests, "--\n");
}

static void *serve(void *argument)
{
	struct script *script = argument;

	for (size_t i = 0; script->replies[i]; i++) {
		int fd = accept(script->listener, NULL, NULL);

		if (fd < 0)
			break;
		read_request(script, fd);
		for (const char *at = script->replies[i]; *at; at++)
			if (send(fd, at, 1, MSG_NOSIGNAL) != 1)
				break;
		if (script->stays_open)
			script->open[script->open_count++] = fd;
		else
			close(fd);
	}
	return NULL;
}

static void script_start(struct script *script, const char *const *replies)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);

	*script = (struct script){.replies = replies, .stays_open = script->stays_open};
	script->listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(script->listener, (struct sockaddr *)&address, length), 0);
	assert_int_equal(getsockname(script->listener, (struct sockaddr *)&address, &length), 0);
	assert_int_equal(listen(script->listener, 64), 0);
	script->port = ntohs(address.sin_port);
	assert_int_equal(pthread_create(&script->thread, NULL, serve, script), 0);
}

static void script_finish(struct script *script)
{
	pthread_join(script->thread, NULL);
	for (unsigned i = 0; i < script->open_count; i++)
		close(script->open[i]);
	close(script->listener);
	buffer_finish(&script->requests);
}

struct client {
	uv_loop_t loop;
	struct access *access;
	struct api *api;
	struct api_call *call; /* under way */
	struct buffer told;
	size_t wanted; /* octets, then it says no; 0: all */
	size_t octets;
	unsigned more; /* calls that follow on_end() */
	uv_timer_t over;
};

static const struct api_reader reader;

static void on_head(void *context, const struct api_head *head)
{
	struct client *client = context;

	buffer_format(
		&client->told, "%u %s %u\n", head->status, head->content_type, (unsigned)head->retry_after_s);
}

static bool on_octets(void *context, const uint8_t *octets, size_t length)
{
	struct client *client = context;

	buffer_add(&client->told, octets, length);
	client->octets += length;
	return !client->wanted || client->octets < client->wanted;
}

static void ask(struct client *client)
{
	client->call =
		api_get(client->api, "/api/v1/services?limit=500", "application/json", &reader, client);
}

static void close_client(struct client *client)
{
	api_close(client->api);
	uv_close((uv_handle_t *)&client->over, NULL);
}

static void on_over(uv_timer_t *timer)
{
	close_client(timer->data);
}

static void on_end(void *context, enum api_end end, const char *why)
{
	static const char *const ends[] = {"complete", "cut", "unreached"};
	struct client *client = context;

	(void)why;
	client->call = NULL;
	buffer_format(&client->told, "\n%s\n", ends[end]);
	if (client->more) {
		client->more--;
		ask(client);
	} else {
		uv_timer_start(&client->over, on_over, 0, 0);
	}
}

static const struct api_reader reader = {on_head, on_octets, on_end};

static void client_init(struct client *client, uint16_t port, const char *token_file)
{
	char endpoint[64];
	struct access_options options = {.endpoint = endpoint};
	struct error error;

	*client = (struct client){.wanted = client->wanted, .more = client->more};
	snprintf(endpoint, sizeof(endpoint), "127.0.0.1:%u/base/", port);
	client->access = access_open(&options, &error);
	assert_non_null(client->access);
	client->access->token.file = token_file;
	assert_int_equal(uv_loop_init(&client->loop), 0);
	client->api = api_create(&client->loop, client->access);
	uv_timer_init(&client->loop, &client->over);
	client->over.data = client;
}

static void client_finish(struct client *client)
{
	uv_run(&client->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&client->loop), 0);
	api_destroy(client->api);
	access_close(client->access);
	buffer_finish(&client->told);
}

/* One call, from its beginning to its end. */
static void expect(const char *reply, size_t wanted, const char *told)
{
	const char *const replies[] = {reply, NULL};
	struct script script = {0};
	struct client client = {.wanted = wanted};

	script_start(&script, replies);
	client_init(&client, script.port, NULL);
	ask(&client);
	uv_run(&client.loop, UV_RUN_DEFAULT);
	assert_string_equal(client.told.bytes, told);
	client_finish(&client);
	script_finish(&script);
}

static void test_responses(void **state)
{
	(void)state;
	expect("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\nhello", 0,
		"200 application/json 0\nhello\ncomplete\n");
	expect("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", 0,
		"200  0\nhello\ncomplete\n");
	expect("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 No\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n",
		0, "503  7\n\ncomplete\n");
	expect("HTTP/1.1 204 Nothing\r\n\r\n", 0, "204  0\n\ncomplete\n");
	/* Trailers are no second head, and redirections are not followed. */
	expect("HTTP/1.1 302 There\r\nLocation: /b\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n\r\n", 0,
		"302  0\n\ncomplete\n");
	/* gzip is not undone. */
	expect("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc", 0,
		"200  0\nabc\ncomplete\n");
}

static void test_bad_ends(void **state)
{
	(void)state;
	expect("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello", 0, "200  0\nhello\ncut\n");
	expect("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", 0,
		"200  0\nhello\ncut\n");
	expect("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 0, "200  0\n\ncut\n");
	expect("HTTP/1.1 200 OK\r\nContent-", 0, "\nunreached\n");
	expect("nonsense", 0, "\nunreached\n");
	expect("", 0, "\nunreached\n");
}

static void test_reader_wants_no_more(void **state)
{
	(void)state;
	expect("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na", 1, "200  0\na\ncut\n");
}

static void test_nobody_listens(void **state)
{
	static const char *const none[] = {NULL};
	struct script script = {0};
	struct client client = {0};

	(void)state;
	script_start(&script, none);
	script_finish(&script);
	client_init(&client, script.port, NULL);
	ask(&client);
	uv_run(&client.loop, UV_RUN_DEFAULT);
	assert_string_equal(client.told.bytes, "\nunreached\n");
	client_finish(&client);
}

#define EMPTY "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

static void test_requests(void **state)
{
	static const char *const replies[] = {EMPTY, EMPTY, EMPTY, NULL};
	struct scratch scratch;
	struct script script = {0};
	struct client client = {.more = 2};
	char path[SCRATCH_PATH_MAX], wanted[2048], request[512];

	(void)state;
	scratch_make(&scratch);
	scratch_write(&scratch, "token", "one");
	script_start(&script, replies);
	client_init(&client, script.port, scratch_path(&scratch, "token", path));
	ask(&client);
	scratch_write(&scratch, "token", "two");
	while (client.more) /* the second request has begun then */
		uv_run(&client.loop, UV_RUN_ONCE);
	uv_run(&client.loop, UV_RUN_DEFAULT);
	snprintf(request, sizeof(request),
		"GET /base/api/v1/services?limit=500 HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n"
		"User-Agent: svcdns/" SVCDNS_VERSION "\r\nAccept: application/json\r\n"
		"Authorization: Bearer one\r\n\r\n--\n",
		script.port);
	snprintf(wanted, sizeof(wanted), "%s%s%s", request, request, request);
	client_finish(&client);
	pthread_join(script.thread, NULL);
	assert_string_equal(script.requests.bytes, wanted);
	buffer_finish(&script.requests);
	close(script.listener);
	scratch_remove(&scratch);
}

static void test_a_refused_token_is_read_again(void **state)
{
	static const char *const replies[] = {EMPTY, EMPTY, NULL};
	struct scratch scratch;
	struct script script = {0};
	struct client client = {.more = 1};
	char path[SCRATCH_PATH_MAX];

	(void)state;
	scratch_make(&scratch);
	scratch_write(&scratch, "token", "one");
	script_start(&script, replies);
	client_init(&client, script.port, scratch_path(&scratch, "token", path));
	ask(&client);
	scratch_write(&scratch, "token", "two");
	api_forget_token(client.api);
	uv_run(&client.loop, UV_RUN_DEFAULT);
	client_finish(&client);
	pthread_join(script.thread, NULL);
	assert_non_null(strstr(script.requests.bytes, "Bearer one"));
	assert_non_null(strstr(script.requests.bytes, "Bearer two"));
	buffer_finish(&script.requests);
	close(script.listener);
	scratch_remove(&scratch);
}

/* Descriptors come back under the same number; libuv would abort if an old poll handle still had it. */
static void test_many_connections(void **state)
{
	const char *replies[61] = {NULL};
	struct script script = {0};
	struct client client = {.more = 59};

	(void)state;
	for (size_t i = 0; i < 60; i++)
		replies[i] = i % 3 ? EMPTY : "";
	script_start(&script, replies);
	client_init(&client, script.port, NULL);
	ask(&client);
	uv_run(&client.loop, UV_RUN_DEFAULT);
	assert_int_equal(client.more, 0);
	client_finish(&client);
	script_finish(&script);
}

static void close_api(uv_timer_t *timer)
{
	struct client *client = timer->data;

	if (client->octets < 5)
		return;
	close_client(client);
	uv_close((uv_handle_t *)timer, NULL);
}

static void test_close_while_a_call_is_under_way(void **state)
{
	static const char *const replies[] = {
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", NULL};
	struct script script = {.stays_open = true};
	struct client client = {0};
	uv_timer_t timer;

	(void)state;
	script_start(&script, replies);
	client_init(&client, script.port, NULL);
	uv_timer_init(&client.loop, &timer);
	timer.data = &client;
	uv_timer_start(&timer, close_api, 1, 1);
	ask(&client);
	uv_run(&client.loop, UV_RUN_DEFAULT);
	assert_string_equal(client.told.bytes, "200  0\nhello");
	client_finish(&client);
	script_finish(&script);
}

static void cancel_and_ask(uv_timer_t *timer)
{
	struct client *client = timer->data;

	if (client->octets < 5)
		return;
	api_cancel(client->call);
	ask(client);
	uv_close((uv_handle_t *)timer, NULL);
}

static void test_cancel(void **state)
{
	static const char *const replies[] = {
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nagain", NULL};
	struct script script = {.stays_open = true};
	struct client client = {0};
	uv_timer_t timer;

	(void)state;
	script_start(&script, replies);
	client_init(&client, script.port, NULL);
	uv_timer_init(&client.loop, &timer);
	timer.data = &client;
	uv_timer_start(&timer, cancel_and_ask, 1, 1);
	ask(&client);
	uv_run(&client.loop, UV_RUN_DEFAULT);
	assert_string_equal(client.told.bytes, "200  0\nhello200  0\nagain\ncomplete\n");
	client_finish(&client);
	script_finish(&script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_responses),
		cmocka_unit_test(test_bad_ends),
		cmocka_unit_test(test_reader_wants_no_more),
		cmocka_unit_test(test_nobody_listens),
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_a_refused_token_is_read_again),
		cmocka_unit_test(test_many_connections),
		cmocka_unit_test(test_close_while_a_call_is_under_way),
		cmocka_unit_test(test_cancel),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
