/* One immutable version of the service table. Readers look things up without locks or atomics for as long as they hold a
 * reference; versions share everything that did not change between them. */
#ifndef SVCDNS_SNAPSHOT_H
#define SVCDNS_SNAPSHOT_H

#include "svcdns/address.h"
#include "svcdns/service.h"

struct snapshot;

struct snapshot *snapshot_ref(struct snapshot *snapshot);               /* any thread; returns its argument */
void             snapshot_unref(struct snapshot *snapshot);             /* any thread; accepts NULL */

/* All labels in lower case. What is returned lives as long as the caller's reference to the snapshot. */
const struct service *snapshot_service(const struct snapshot *snapshot, const uint8_t *namespace, size_t namespace_length,
	const uint8_t *name, size_t name_length);

/* The same in steps, for many names at a time: the hash, then three requests, each for the memory that the next will read.
 * `labels` are the Service's and the namespace's in wire form, one behind the other. */
uint64_t snapshot_hash(const struct snapshot *snapshot, const uint8_t *labels, size_t length);
void     snapshot_prefetch_directory(const struct snapshot *snapshot, uint64_t hash);
void     snapshot_prefetch_index(const struct snapshot *snapshot, uint64_t hash);
bool     snapshot_prefetch_service(const struct snapshot *snapshot, uint64_t hash);      /* false: there is none */
const struct service *snapshot_service_by_hash(const struct snapshot *snapshot, uint64_t hash, const uint8_t *namespace,
	size_t namespace_length, const uint8_t *name, size_t name_length);

/* True for a Namespace object of the table that feed_config's namespaces and namespace_labels let through. */
bool snapshot_has_namespace(const struct snapshot *snapshot, const uint8_t *namespace, size_t length);

/* Whether there are Services in other namespaces: where there are none, one that is found need not be checked. */
bool snapshot_hides_services(const struct snapshot *snapshot);

/* Services that have this address as a ClusterIP or among their endpoints, one per call, each once: *cursor begins at 0;
 * NULL: no more. In no order: look for a ClusterIP among all of them before endpoints count. Services of namespaces that
 * snapshot_has_namespace() hides are among them: CoreDNS' PTR answers skip those only where `namespaces` is set. */
const struct service *snapshot_by_address(const struct snapshot *snapshot, const struct ip *address, uint64_t *cursor);
/* Pods with this address, likewise. */
const struct pod *snapshot_pod(const struct snapshot *snapshot, const struct ip *address, uint64_t *cursor);

/* Every Service (not SERVICE_ABSENT), in no particular order: *cursor begins at 0; NULL: no more. */
const struct service *snapshot_each_service(const struct snapshot *snapshot, uint64_t *cursor);

/* Unix time of the last change that a zone's SOA serial shows; 0 before the first. */
uint32_t snapshot_serial(const struct snapshot *snapshot);

/* Which resources have been listed once: before that, what is not in the snapshot may yet come. Those that are not read at
 * all count as listed. */
enum snapshot_part { SNAPSHOT_NAMESPACES = 1, SNAPSHOT_SERVICES = 2, SNAPSHOT_ENDPOINTS = 4, SNAPSHOT_PODS = 8, SNAPSHOT_ALL = 15 };
bool snapshot_knows(const struct snapshot *snapshot, unsigned parts);
bool snapshot_is_synced(const struct snapshot *snapshot);               /* knows all of them */

struct snapshot_counts { size_t services, endpoints, pods, namespaces; };
struct snapshot_counts snapshot_counts(const struct snapshot *snapshot);

#endif
