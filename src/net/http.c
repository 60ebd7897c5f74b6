/* Addresses and the endpoints that share them, served by libmicrohttpd.
 *
 * The list of listeners belongs to the one thread that opens and closes; what their own threads look at, the
 * endpoints, is guarded by a mutex that is held while an endpoint answers. */
#include "svcdns/http.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "http_address.h"
#include "http_client.h"
#include "svcdns/memory.h"

#define CONNECTIONS  256U
#define IDLE_SECONDS 5U
#define MEMORY_LIMIT ((size_t)16384) /* octets of a connection, its request included */
#define PLAIN_TEXT   "text/plain; charset=utf-8"

struct http_endpoint {
	struct listener *listener;
	char *path; /* owned */
	http_answer_function *answer;
	void *context;
	bool is_held; /* those that were there before it answer; guarded by the listener's mutex */
	struct http_endpoint *next;
};

struct listener {
	struct http *http;
	union address asked;  /* as it was configured */
	union address actual; /* as a client has to call it */
	struct MHD_Daemon *daemon;
	pthread_mutex_t mutex;
	struct http_endpoint *endpoints; /* oldest first; guarded by mutex */
	struct listener *next;
};

struct http {
	struct listener *listeners;
	bool is_holding;
};

struct http *http_create(void)
{
	return memory_zero(1, sizeof(struct http));
}

void http_hold(struct http *http)
{
	http->is_holding = true;
}

void http_release(struct http *http)
{
	http->is_holding = false;
	for (struct listener *listener = http->listeners; listener; listener = listener->next) {
		pthread_mutex_lock(&listener->mutex);
		for (struct http_endpoint *e = listener->endpoints; e; e = e->next)
			e->is_held = false;
		pthread_mutex_unlock(&listener->mutex);
	}
}

void http_stop(struct http *http)
{
	for (struct listener *listener = http->listeners; listener; listener = listener->next) {
		if (listener->daemon)
			MHD_stop_daemon(listener->daemon);
		listener->daemon = NULL;
	}
}

void http_destroy(struct http *http)
{
	if (!http)
		return;
	assert(!http->listeners);
	memory_free(http);
}

/* The path without empty parts, "." and "..": what Go's server leads to. */
static void clean_path(const char *path, struct buffer *out)
{
	size_t length = strlen(path);

	buffer_text(out, "");
	for (const char *part = path; *part; part += strcspn(part, "/")) {
		size_t octets;

		part += strspn(part, "/");
		octets = strcspn(part, "/");
		if (octets == 2 && memcmp(part, "..", 2) == 0) {
			const char *slash = strrchr(out->bytes, '/');

			out->length = slash ? (size_t)(slash - out->bytes) : 0;
			out->bytes[out->length] = '\0';
		} else if (octets && (octets != 1 || *part != '.')) {
			buffer_text(out, "/");
			buffer_add(out, part, octets);
		}
	}
	if (!out->length || path[length - 1] == '/')
		buffer_text(out, "/");
}

/* How much of a path an endpoint stands for; 0: it is none of its. */
static size_t match(const struct http_endpoint *endpoint, const char *path)
{
	size_t length = strlen(endpoint->path);
	bool is_below = endpoint->path[length - 1] == '/' && strncmp(path, endpoint->path, length) == 0;

	return is_below || strcmp(path, endpoint->path) == 0 ? length : 0;
}

static const struct http_endpoint *find(const struct listener *listener, const char *path)
{
	const struct http_endpoint *best = NULL;

	for (const struct http_endpoint *e = listener->endpoints; e; e = e->next)
		if (match(e, path) > (best ? match(best, path) : 0))
			best = e;
	return best;
}

static void ask_all(const struct http_endpoint *first, const char *path, struct http_answer *answer)
{
	for (const struct http_endpoint *e = first; e; e = e->next)
		if (strcmp(e->path, first->path) == 0 && e->is_held == first->is_held)
			e->answer(e->context, path + match(e, path), answer);
}

static void redirect(struct http_answer *answer, const char *to)
{
	answer->status = MHD_HTTP_TEMPORARY_REDIRECT;
	answer->location = to;
}

/* Only the very paths of endpoints are led to: what a client wrote is not sent back. */
static void answer_path(const struct listener *listener, const char *path, struct http_answer *answer)
{
	const struct http_endpoint *endpoint;
	struct buffer clean = {0};
	bool is_clean;

	clean_path(path, &clean);
	is_clean = strcmp(clean.bytes, path) == 0;
	endpoint = find(listener, clean.bytes);
	if (endpoint && is_clean)
		ask_all(endpoint, path, answer);
	else if (endpoint && strcmp(endpoint->path, clean.bytes) == 0)
		redirect(answer, endpoint->path);
	else
		answer->status = MHD_HTTP_NOT_FOUND;
	buffer_finish(&clean);
}

/* RFC 9112 section 3.2: without it a request of HTTP/1.1 is a bad one. */
static bool has_host(struct MHD_Connection *connection, const char *version)
{
	return strcmp(version, MHD_HTTP_VERSION_1_1) != 0 ||
	       MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST);
}

/* What stands in a body that nobody wrote: Go's words. */
static const char *default_body(unsigned status)
{
	switch (status) {
	case MHD_HTTP_OK:
		return "OK";
	case MHD_HTTP_NOT_FOUND:
		return "404 page not found\n";
	case MHD_HTTP_BAD_REQUEST:
		return "400 Bad Request: missing required Host header";
	default:
		return "";
	}
}

static void complete(struct http_answer *answer)
{
	if (answer->location) {
		answer->type = "text/html; charset=utf-8";
		buffer_format(&answer->body, "<a href=\"%s\">%s</a>.\n\n", answer->location,
			MHD_get_reason_phrase_for(answer->status));
	} else if (!answer->body.length) {
		buffer_text(&answer->body, default_body(answer->status));
	}
}

/* Takes over the answer's body. */
static enum MHD_Result send_answer(struct MHD_Connection *connection, const struct http_answer *answer)
{
	struct MHD_Response *response = MHD_create_response_from_buffer_with_free_callback(
		answer->body.length, answer->body.bytes, memory_free);
	enum MHD_Result result;

	if (!response)
		abort(); /* no memory */
	MHD_add_response_header(response, "Content-Type", answer->type);
	if (answer->location)
		MHD_add_response_header(response, "Location", answer->location);
	if (answer->status == MHD_HTTP_NOT_FOUND)
		MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	if (answer->status == MHD_HTTP_BAD_REQUEST) /* who cannot speak HTTP is not listened to any longer */
		MHD_add_response_header(response, "Connection", "close");
	result = MHD_queue_response(connection, answer->status, response);
	MHD_destroy_response(response);
	return result;
}

/* Called first when the header is there, then for the body, if there is one, and once more at the end. Every
 * method is answered like GET, as in CoreDNS; bodies are passed over. */
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
	const char *method, const char *version, const char *upload, size_t *upload_size, void **state)
{
	struct listener *listener = context;
	struct http_answer answer = {.status = MHD_HTTP_OK, .type = PLAIN_TEXT};
	enum MHD_Result result;

	(void)method;
	(void)upload;
	if (!*state || *upload_size) {
		*state = listener;
		*upload_size = 0;
		return MHD_YES;
	}
	pthread_mutex_lock(&listener->mutex);
	if (has_host(connection, version))
		answer_path(listener, url, &answer);
	else
		answer.status = MHD_HTTP_BAD_REQUEST;
	complete(&answer);
	result = send_answer(connection, &answer);
	pthread_mutex_unlock(&listener->mutex);
	return result;
}

static bool start_daemon(struct listener *listener, int fd)
{
	http_address_of(fd, &listener->actual);
	listener->daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, on_request,
		listener, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS,
		MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT, MEMORY_LIMIT,
		MHD_OPTION_END);
	return listener->daemon;
}

static void destroy(struct listener *listener)
{
	pthread_mutex_destroy(&listener->mutex);
	memory_free(listener);
}

static struct listener *listen_at(
	struct http *http, const char *text, const union address *address, struct error *error)
{
	int fd = http_address_listen(text, address, error);
	struct listener *listener;

	if (fd < 0)
		return NULL;
	listener = memory_zero(1, sizeof(*listener));
	listener->http = http;
	listener->asked = *address;
	pthread_mutex_init(&listener->mutex, NULL);
	if (!start_daemon(listener, fd)) {
		error_set(error, "listen tcp %s: no thread or descriptors to be had", text);
		destroy(listener);
		close(fd);
		return NULL;
	}
	listener->next = http->listeners;
	http->listeners = listener;
	return listener;
}

static struct listener *find_listener(const struct http *http, const union address *address)
{
	struct listener *listener = http->listeners;

	if (!address_port(address))
		return NULL; /* each time another one */
	while (listener && !address_equal(&listener->asked, address))
		listener = listener->next;
	return listener;
}

static void stop_listening(struct listener *listener)
{
	struct listener **link = &listener->http->listeners;

	while (*link != listener)
		link = &(*link)->next;
	*link = listener->next;
	if (listener->daemon)
		MHD_stop_daemon(listener->daemon);
	destroy(listener);
}

struct http_endpoint *http_open(struct http *http, const char *address, const char *path,
	http_answer_function *answer, void *context, struct error *error)
{
	struct http_endpoint *endpoint, **last;
	struct listener *listener;
	union address where;

	if (!http_address_parse(address, &where, error))
		return NULL;
	listener = find_listener(http, &where);
	if (!listener)
		listener = listen_at(http, address, &where, error);
	if (!listener)
		return NULL;
	endpoint = memory_zero(1, sizeof(*endpoint));
	*endpoint = (struct http_endpoint){.listener = listener, .answer = answer, .context = context};
	endpoint->path = memory_copy_text(path);
	endpoint->is_held = http->is_holding;
	pthread_mutex_lock(&listener->mutex);
	for (last = &listener->endpoints; *last; last = &(*last)->next)
		;
	*last = endpoint;
	pthread_mutex_unlock(&listener->mutex);
	return endpoint;
}

void http_close(struct http_endpoint *endpoint)
{
	struct listener *listener;
	struct http_endpoint **link;
	bool is_last;

	if (!endpoint)
		return;
	listener = endpoint->listener;
	pthread_mutex_lock(&listener->mutex);
	for (link = &listener->endpoints; *link != endpoint; link = &(*link)->next)
		;
	*link = endpoint->next;
	is_last = !listener->endpoints;
	pthread_mutex_unlock(&listener->mutex);
	if (is_last)
		stop_listening(listener);
	memory_free(endpoint->path);
	memory_free(endpoint);
}

bool http_probe(const struct http_endpoint *endpoint, uint64_t timeout_ns, struct error *error)
{
	return http_client_ask(&endpoint->listener->actual, endpoint->path, timeout_ns, error);
}
