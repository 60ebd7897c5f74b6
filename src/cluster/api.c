/* libcurl's multi interface by its socket and timer callbacks. A call owns its easy handle. libcurl must not
 * be entered from within its own callbacks: therefore a reader can only say no there, and what follows from
 * the end of a call is told from tell_ends(), outside of them.
 *
 * A descriptor has a poll handle of its own, which is stopped when libcurl lets go of the descriptor: before
 * it is closed, and its number may come back. */
#include "api.h"

#include <curl/curl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "svcdns/clock.h"
#include "svcdns/memory.h"

#define CONNECT_MS	10000L
#define BUFFER_SIZE	65536L
#define PEER_TIMEOUT_MS 30000u /* without an acknowledgement (TCP_USER_TIMEOUT) */
#define KEEPALIVE_IDLE	15L    /* seconds */
#define KEEPALIVE_EVERY 5L

struct api_socket {
	uv_poll_t poll;
	struct api *api;
	struct api_socket *next;
	curl_socket_t fd;
};

struct api_call {
	struct api *api;
	struct api_call *next;
	CURL *easy;
	struct curl_slist *headers, *connect_to;
	const struct api_reader *reader;
	void *context;
	bool has_head;
	char why[CURL_ERROR_SIZE];
};

struct api {
	uv_loop_t *loop;
	struct access *access;
	CURLM *multi;
	uv_timer_t timer;
	struct api_socket *sockets;
	struct api_call *calls;
};

static void free_call(struct api_call *call)
{
	struct api_call **at = &call->api->calls;

	while (*at != call)
		at = &(*at)->next;
	*at = call->next;
	curl_multi_remove_handle(call->api->multi, call->easy);
	curl_easy_cleanup(call->easy);
	curl_slist_free_all(call->headers);
	curl_slist_free_all(call->connect_to);
	memory_free(call);
}

static struct api_call *call_of(CURL *easy)
{
	char *call = NULL;

	curl_easy_getinfo(easy, CURLINFO_PRIVATE, &call);
	return (struct api_call *)(void *)call;
}

static void tell_end(struct api_call *call, CURLcode result)
{
	const struct api_reader *reader = call->reader;
	void *context = call->context;
	enum api_end end = API_UNREACHED; /* libcurl is content with half a head, too */
	char why[CURL_ERROR_SIZE];

	if (call->has_head)
		end = result == CURLE_OK ? API_COMPLETE : API_CUT;
	snprintf(why, sizeof(why), "%s", call->why[0] ? call->why : curl_easy_strerror(result));
	free_call(call);
	reader->on_end(context, end, why);
}

static void tell_ends(struct api *api)
{
	const CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(api->multi, &left)))
		if (message->msg == CURLMSG_DONE)
			tell_end(call_of(message->easy_handle), message->data.result);
}

static void act(struct api *api, curl_socket_t fd, int events)
{
	int running;

	curl_multi_socket_action(api->multi, fd, events, &running);
	tell_ends(api);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	const struct api_socket *sock = poll->data;
	int flags = 0;

	if (status < 0) /* libcurl finds out what it is when it reads */
		flags = CURL_CSELECT_ERR | CURL_CSELECT_IN | CURL_CSELECT_OUT;
	if (events & UV_READABLE)
		flags |= CURL_CSELECT_IN;
	if (events & UV_WRITABLE)
		flags |= CURL_CSELECT_OUT;
	act(sock->api, sock->fd, flags);
}

static void on_timer(uv_timer_t *timer)
{
	act(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static int set_timer(CURLM *multi, long milliseconds, void *context)
{
	struct api *api = context;

	(void)multi;
	if (milliseconds < 0)
		uv_timer_stop(&api->timer);
	else
		uv_timer_start(&api->timer, on_timer, (uint64_t)milliseconds, 0);
	return 0;
}

static void free_socket(uv_handle_t *poll)
{
	memory_free(poll->data);
}

static void drop_socket(struct api *api, struct api_socket *sock)
{
	struct api_socket **at = &api->sockets;

	while (*at != sock)
		at = &(*at)->next;
	*at = sock->next;
	uv_poll_stop(&sock->poll);
	uv_close((uv_handle_t *)&sock->poll, free_socket);
}

static struct api_socket *add_socket(struct api *api, curl_socket_t fd)
{
	struct api_socket *sock = memory_zero(1, sizeof(*sock));

	if (uv_poll_init_socket(api->loop, &sock->poll, fd) != 0) {
		memory_free(sock);
		return NULL;
	}
	sock->poll.data = sock;
	sock->api = api;
	sock->fd = fd;
	sock->next = api->sockets;
	api->sockets = sock;
	curl_multi_assign(api->multi, fd, sock);
	return sock;
}

static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *socket_context)
{
	struct api *api = context;
	struct api_socket *sock = socket_context;
	int events = 0;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (sock)
			drop_socket(api, sock);
		return 0;
	}
	if (!sock)
		sock = add_socket(api, fd);
	if (!sock)
		return -1;
	if (what & CURL_POLL_IN)
		events |= UV_READABLE;
	if (what & CURL_POLL_OUT)
		events |= UV_WRITABLE;
	uv_poll_start(&sock->poll, events, on_poll);
	return 0;
}

struct api *api_create(uv_loop_t *loop, struct access *access)
{
	struct api *api = memory_zero(1, sizeof(*api));

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || !(api->multi = curl_multi_init()))
		abort(); /* out of memory */
	api->loop = loop;
	api->access = access;
	uv_timer_init(loop, &api->timer);
	api->timer.data = api;
	curl_multi_setopt(api->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
	curl_multi_setopt(api->multi, CURLMOPT_SOCKETDATA, api);
	curl_multi_setopt(api->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(api->multi, CURLMOPT_TIMERDATA, api);
	return api;
}

void api_close(struct api *api)
{
	while (api->calls)
		free_call(api->calls);
	curl_multi_setopt(api->multi, CURLMOPT_SOCKETFUNCTION, NULL);
	curl_multi_setopt(api->multi, CURLMOPT_TIMERFUNCTION, NULL);
	while (api->sockets)
		drop_socket(api, api->sockets);
	curl_multi_cleanup(api->multi);
	uv_close((uv_handle_t *)&api->timer, NULL);
}

void api_destroy(struct api *api)
{
	if (!api)
		return;
	memory_free(api);
	curl_global_cleanup();
}

/* The response's own head ends with an empty line; interim ones (1xx) come before it. */
static size_t on_header(char *line, size_t size, size_t count, void *context)
{
	struct api_call *call = context;
	const char *content_type = NULL;
	struct api_head head;
	long status = 0;
	curl_off_t retry_after = 0;

	if (count * size > 2 || line[0] != '\r')
		return size * count;
	curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status < 200)
		return size * count;
	curl_easy_getinfo(call->easy, CURLINFO_CONTENT_TYPE, &content_type);
	curl_easy_getinfo(call->easy, CURLINFO_RETRY_AFTER, &retry_after);
	head = (struct api_head){(unsigned)status, content_type ? content_type : "",
		retry_after > 0 && retry_after < UINT32_MAX ? (uint32_t)retry_after : 0};
	if (!call->has_head) /* otherwise it is a trailer */
		call->reader->on_head(call->context, &head);
	call->has_head = true;
	return size * count;
}

static size_t on_body(char *octets, size_t size, size_t count, void *context)
{
	struct api_call *call = context;

	return call->reader->on_octets(call->context, (const uint8_t *)octets, size * count) ? size * count
											     : 0;
}

/* A peer that is gone without a word is found out by the kernel, also while nothing is to be sent. */
static int on_socket(void *context, curl_socket_t fd, curlsocktype purpose)
{
	unsigned timeout = PEER_TIMEOUT_MS;

	(void)context;
	(void)purpose;
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof(timeout));
	return CURL_SOCKOPT_OK;
}

static void add_header(struct api_call *call, const char *name, const char *value)
{
	struct buffer line;

	buffer_init(&line);
	buffer_format(&line, "%s: %s", name, value);
	call->headers = curl_slist_append(call->headers, line.bytes);
	buffer_finish(&line);
}

static void set_pem(CURL *easy, const struct pem *pem, CURLoption file, CURLoption blob)
{
	struct curl_blob octets = {(void *)(uintptr_t)pem->bytes, pem->length, CURL_BLOB_NOCOPY};

	if (pem->bytes)
		curl_easy_setopt(easy, blob, &octets);
	else if (pem->file)
		curl_easy_setopt(easy, file, pem->file);
}

static void set_tls(const struct api_call *call, const struct access *access)
{
	CURL *easy = call->easy;

	if (access->authority.bytes || access->authority.file)
		curl_easy_setopt(
			easy, CURLOPT_CAPATH, NULL); /* this authority, and not the system's beside it */
	set_pem(easy, &access->authority, CURLOPT_CAINFO, CURLOPT_CAINFO_BLOB);
	set_pem(easy, &access->certificate, CURLOPT_SSLCERT, CURLOPT_SSLCERT_BLOB);
	set_pem(easy, &access->key, CURLOPT_SSLKEY, CURLOPT_SSLKEY_BLOB);
	curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, 0L); /* authorities are replaced, too */
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, access->is_insecure ? 0L : 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, access->is_insecure ? 0L : 2L);
}

static void set_identity(struct api_call *call, struct access *access)
{
	const char *token = token_get(&access->token, clock_monotonic());
	struct buffer bearer;

	if (*token) {
		buffer_init(&bearer);
		buffer_format(&bearer, "Bearer %s", token);
		add_header(call, "Authorization", bearer.bytes);
		buffer_finish(&bearer);
	} else if (access->user) {
		curl_easy_setopt(call->easy, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
		curl_easy_setopt(call->easy, CURLOPT_USERNAME, access->user);
		curl_easy_setopt(call->easy, CURLOPT_PASSWORD, access->password ? access->password : "");
	}
}

static bool is_loopback(const char *host)
{
	return strncmp(host, "127.", 4) == 0 || strcmp(host, "[::1]") == 0 || strcmp(host, "localhost") == 0;
}

static void set_connection(const struct api_call *call, const struct access *access)
{
	CURL *easy = call->easy;

	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, KEEPALIVE_IDLE);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, KEEPALIVE_EVERY);
	curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_socket);
	if (access->proxy)
		curl_easy_setopt(easy, CURLOPT_PROXY, access->proxy);
	else if (is_loopback(access->host)) /* as Go has it: the environment's proxy is not for these */
		curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
}

/* HTTP/2 of this libcurl stalls at times, and a few long responses gain nothing by it. No encoding is asked
 * for: a watch that is compressed comes as several gzip members, of which libcurl reads the first. */
static void set_http(struct api_call *call)
{
	CURL *easy = call->easy;

	curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_HTTP_CONTENT_DECODING, 0L);
	curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "svcdns/" SVCDNS_VERSION);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, BUFFER_SIZE);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->headers);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->why);
}

/* The URL names the host that the certificate has to name; where that is another one than the server's, the
 * connection is led to the server all the same. */
static void set_url(struct api_call *call, const struct access *access, const char *target)
{
	const char *colon = *access->port ? ":" : "";
	struct buffer text;

	buffer_init(&text);
	buffer_format(&text, "%s://%s%s%s%s%s", access->scheme,
		access->tls_name ? access->tls_name : access->host, colon, access->port, access->path,
		target);
	curl_easy_setopt(call->easy, CURLOPT_URL, text.bytes);
	if (access->tls_name) {
		buffer_clear(&text);
		buffer_format(&text, "::%s:%s", access->host, access->port);
		call->connect_to = curl_slist_append(NULL, text.bytes);
		curl_easy_setopt(call->easy, CURLOPT_CONNECT_TO, call->connect_to);
		buffer_clear(&text);
		buffer_format(&text, "%s%s%s", access->host, colon, access->port);
		add_header(call, "Host", text.bytes);
	}
	buffer_finish(&text);
}

struct api_call *api_get(struct api *api, const char *target, const char *accept,
	const struct api_reader *reader, void *context)
{
	struct api_call *call = memory_zero(1, sizeof(*call));

	call->api = api;
	call->reader = reader;
	call->context = context;
	call->easy = curl_easy_init();
	if (!call->easy)
		abort(); /* out of memory */
	call->next = api->calls;
	api->calls = call;
	add_header(call, "Accept", accept);
	set_identity(call, api->access);
	set_url(call, api->access, target);
	set_http(call);
	set_tls(call, api->access);
	set_connection(call, api->access);
	if (curl_multi_add_handle(api->multi, call->easy) != CURLM_OK)
		abort(); /* out of memory */
	return call;
}

void api_cancel(struct api_call *call)
{
	free_call(call);
}

void api_forget_token(struct api *api)
{
	token_forget(&api->access->token);
}
