/* The resources of the Kubernetes API that DNS is made of. */
#ifndef SVCDNS_CLUSTER_RESOURCE_H
#define SVCDNS_CLUSTER_RESOURCE_H

#include "object.h"

struct resource {
	enum object_kind kind;
	const char *name;  /* "services": also what RBAC rules call it */
	const char *group; /* API group; "" is the core's */
	const char *path;
	const char *list_kind;	    /* "ServiceList" */
	const char *field_selector; /* NULL: none */
};

extern const struct resource resources[OBJECT_KINDS]; /* by kind */

#endif
