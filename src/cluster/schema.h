/* Objects -> what DNS answers from (Kubernetes DNS specification 1.1, as CoreDNS reads it). */
#ifndef SVCDNS_CLUSTER_SCHEMA_H
#define SVCDNS_CLUSTER_SCHEMA_H

#include "object_store.h"
#include "svcdns/table.h"

/* Each builds a new block with one reference, the caller's; NULL: there is nothing to be published of the
 * entity. */
struct service *schema_service(const struct entity *entity, const struct table *table);
struct pod *schema_pod(const struct entity *entity);
struct namespace *schema_namespace(const struct entity *entity);

#endif
