/* GET requests to the API server, on a libuv loop: HTTP/1.1 by libcurl, which nobody else sees. One thread.
 */
#ifndef SVCDNS_CLUSTER_API_H
#define SVCDNS_CLUSTER_API_H

#include <uv.h>

#include "access_fields.h"

struct api;
struct api_call;

struct api_head {		  /* of a response, before its body */
	unsigned status;	  /* 200, 404, ... */
	const char *content_type; /* "": not said; valid during the call */
	uint32_t retry_after_s;	  /* 0: not said */
};

enum api_end {
	API_COMPLETE, /* the body came to its end */
	API_CUT,      /* it did not, or the reader wanted no more */
	API_UNREACHED /* there was no response */
};

struct api_reader { /* on_head once, then on_octets, then on_end; or on_end alone */
	void (*on_head)(void *context, const struct api_head *head);
	bool (*on_octets)(void *context, const uint8_t *octets, size_t length); /* false: no more of them */
	/* The call is over and gone. `why`: what went wrong, for the log. */
	void (*on_end)(void *context, enum api_end end, const char *why);
};

/* `access` lives longer. */
struct api *api_create(uv_loop_t *loop, struct access *access);
/* Ends all calls without a word; the loop closes the handles in its next round. Not from within a reader. */
void api_close(struct api *api);
void api_destroy(struct api *api); /* after the loop has ended; accepts NULL */

/* target: what stands behind the server in the URL, "/api/v1/services?limit=500". Nothing is told before the
 * loop runs again. */
struct api_call *api_get(struct api *api, const char *target, const char *accept,
	const struct api_reader *reader, void *context);
void api_cancel(struct api_call *call); /* without a word; not from within on_head() and on_octets() */
void api_forget_token(struct api *api); /* the server has refused it */

#endif
