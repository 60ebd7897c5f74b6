/* HTTP beside DNS: probes, metrics, profiles. libmicrohttpd serves them, each address on a thread of its own; several paths,
 * and several users of one path, may share an address. Opened and closed on one thread. */
#ifndef SVCDNS_HTTP_H
#define SVCDNS_HTTP_H

#include "svcdns/buffer.h"
#include "svcdns/error.h"

struct http_answer {
	unsigned      status;               /* 200 to begin with */
	const char   *type;                 /* Content-Type; plain text to begin with */
	const char   *location;             /* where a redirection leads; NULL: nowhere */
	struct buffer body;                 /* an empty one becomes what Go's server writes: "OK", "404 page not found" */
};

/* Answers a request, on the address' own thread; `rest` is what stands behind the endpoint's path. Of several users of one
 * path each is called, the oldest first, with what those before it have left in the answer. */
typedef void http_answer_function(void *context, const char *rest, struct http_answer *answer);

struct http;
struct http_endpoint;

struct http *http_create(void);
/* Between these two, an endpoint that is opened is not asked where another one serves its path already: on the second call,
 * both are. */
void         http_hold(struct http *http);
void         http_release(struct http *http);
void         http_stop(struct http *http);  /* closes every address; endpoints stay valid, nobody calls them any more */
void         http_destroy(struct http *http);           /* accepts NULL; every endpoint has been closed */

/* "HOST:PORT" as Go writes it: ":8080", "localhost:9153", "[::1]:8080", "127.0.0.1:0". False: "address X: missing port in
 * address" and the like. */
bool http_check_address(const char *address, struct error *error);

/* Serves a path; one that ends with a slash stands for all below it. NULL: "listen tcp 127.0.0.1:8080: bind: address already
 * in use" and the like. */
struct http_endpoint *http_open(struct http *http, const char *address, const char *path, http_answer_function *answer,
	void *context, struct error *error);
/* When it returns, answer() is not running and will not be called again. The address is given up with its last endpoint.
 * Accepts NULL. */
void http_close(struct http_endpoint *endpoint);

/* Asks for the endpoint's own path over the network, within a time. False: no answer, or not 200; error says why. */
bool http_probe(const struct http_endpoint *endpoint, uint64_t timeout_ns, struct error *error);

#endif
