/* The resources of the Kubernetes API that DNS is made of. */
#ifndef SVCDNS_CLUSTER_RESOURCE_H
#define SVCDNS_CLUSTER_RESOURCE_H

#include "labels.h"
#include "object.h"

struct resource {
	enum object_kind kind;
	const char *name;  /* "services": also what RBAC rules call it */
	const char *group; /* API group; "" is the core's */
	const char *path;
	const char *api_version;    /* of its objects */
	const char *list_kind;	    /* "ServiceList" */
	const char *field_selector; /* NULL: none */
};

extern const struct resource resources[OBJECT_KINDS]; /* by kind */

enum resource_ask {
	ASK_WATCH_LIST, /* a watch that begins with all objects and a bookmark behind them */
	ASK_LIST,	/* in pages */
	ASK_WATCH
};

struct resource_request {
	enum resource_ask ask;
	const char *version; /* "": the newest */
	const char *next;    /* LIST: the token of the page; "": the first */
	unsigned limit;	     /* LIST: objects; 0: all */
	unsigned timeout_s;  /* a watch: when the server is to end it */
};

/* Adds the path and query of a URL. labels NULL: all. */
void resource_target(const struct resource *resource, const struct resource_request *request,
	const struct selector *labels, struct buffer *out);

#endif
