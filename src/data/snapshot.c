/* The reading side: hash, find, and compare with what was asked, as different names may have one hash. The
 * address index holds only hashes of services, so an address is followed to the service's name first and then
 * checked there. A snapshot is freed with its last reference; it owns a version of each map. */
#include "svcdns/snapshot.h"

#include <string.h>

#include "svcdns/memory.h"
#include "svcdns/octets.h"
#include "svcdns/table.h"
#include "view.h"

#define LABEL_MAX  63
#define CACHE_LINE 64
#define PREFETCHED 192 /* octets of a block */

struct snapshot *snapshot_ref(struct snapshot *snapshot)
{
	shared_ref(&snapshot->shared);
	return snapshot;
}

void snapshot_unref(struct snapshot *snapshot)
{
	if (!snapshot || !shared_drop(&snapshot->shared))
		return;
	map_finish(&snapshot->services);
	map_finish(&snapshot->addresses);
	map_finish(&snapshot->pods);
	map_finish(&snapshot->namespaces);
	memory_free(snapshot);
}

bool snapshot_is_mine(const struct snapshot *snapshot)
{
	return atomic_load_explicit(&snapshot->shared.references, memory_order_acquire) == 1;
}

static size_t add_label(uint8_t *at, const uint8_t *label, size_t length)
{
	assert(length <= LABEL_MAX);
	at[0] = (uint8_t)length;
	memcpy(at + 1, label, length);
	return 1 + length;
}

/* The labels as they stand in a query, where they need not be copied: name before namespace, each with its
 * length. */
uint64_t view_hash_name(const struct hash_key *key, const uint8_t *namespace, size_t namespace_length,
	const uint8_t *name, size_t name_length)
{
	uint8_t labels[2 + 2 * LABEL_MAX];
	size_t length = 0;

	if (name_length)
		length += add_label(labels, name, name_length);
	length += add_label(labels + length, namespace, namespace_length);
	return hash_bytes(key, labels, length);
}

uint64_t view_hash_address(const struct hash_key *key, const uint8_t address[16], uint8_t family)
{
	return hash_bytes(key, address, family == 6 ? 16 : 4);
}

static bool text_is(const void *holder, struct text text, const uint8_t *bytes, size_t length)
{
	return text.length == length && octets_equal(text_of(holder, text), bytes, length);
}

static const struct service *service_at(const struct map_entry *entry)
{
	return (const struct service *)(uintptr_t)entry->value;
}

uint64_t snapshot_hash(const struct snapshot *snapshot, const uint8_t *labels, size_t length)
{
	return hash_bytes(&snapshot->key, labels, length);
}

void snapshot_prefetch_directory(const struct snapshot *snapshot, uint64_t hash)
{
	map_prefetch_directory(&snapshot->services, hash);
}

void snapshot_prefetch_index(const struct snapshot *snapshot, uint64_t hash)
{
	map_prefetch(&snapshot->services, hash);
}

/* Header, ClusterIPs and names, which stand first. */
bool snapshot_prefetch_service(const struct snapshot *snapshot, uint64_t hash)
{
	const struct map_entry *entry;

	if (!map_find(&snapshot->services, hash, &entry))
		return false;
	for (size_t line = 0; line < PREFETCHED; line += CACHE_LINE)
		__builtin_prefetch((const uint8_t *)service_at(entry) + line);
	return true;
}

const struct service *snapshot_service_by_hash(const struct snapshot *snapshot, uint64_t hash,
	const uint8_t *namespace, size_t namespace_length, const uint8_t *name, size_t name_length)
{
	const struct map_entry *entry;
	size_t count = map_find(&snapshot->services, hash, &entry);

	for (; count; count--, entry++) {
		const struct service *service = service_at(entry);

		if (service->kind != SERVICE_ABSENT && text_is(service, service->name, name, name_length) &&
			text_is(service, service->namespace, namespace, namespace_length))
			return service;
	}
	return NULL;
}

const struct service *snapshot_service(const struct snapshot *snapshot, const uint8_t *namespace,
	size_t namespace_length, const uint8_t *name, size_t name_length)
{
	if (namespace_length > LABEL_MAX || name_length > LABEL_MAX)
		return NULL;
	return snapshot_service_by_hash(snapshot,
		view_hash_name(&snapshot->key, namespace, namespace_length, name, name_length), namespace,
		namespace_length, name, name_length);
}

bool snapshot_has_namespace(const struct snapshot *snapshot, const uint8_t *namespace, size_t length)
{
	const struct map_entry *entry;
	size_t count;

	if (length > LABEL_MAX)
		return false;
	count = map_find(
		&snapshot->namespaces, view_hash_name(&snapshot->key, namespace, length, NULL, 0), &entry);
	for (; count; count--, entry++) {
		const struct namespace *found = (const struct namespace *)(uintptr_t)entry->value;

		if (found->length == length && octets_equal(found->name, namespace, length))
			return true;
	}
	return false;
}

bool snapshot_hides_services(const struct snapshot *snapshot)
{
	return snapshot->hidden;
}

static bool has_address(const struct service *service, const struct ip *address)
{
	const struct cluster_ip *cluster_ip = service_cluster_ips(service);
	const struct endpoint *endpoint = service_endpoints(service);

	for (uint32_t i = 0; i < service->cluster_ips; i++)
		if (cluster_ip[i].family == address->family &&
			memcmp(cluster_ip[i].address, address->bytes, 16) == 0)
			return true;
	for (uint32_t i = 0; i < service->endpoints; i++)
		if (endpoint[i].family == address->family &&
			memcmp(endpoint[i].address, address->bytes, 16) == 0)
			return true;
	return false;
}

static const struct service *find_by_hash(
	const struct snapshot *snapshot, uint64_t hash, const struct ip *address)
{
	const struct map_entry *entry;
	size_t count = map_find(&snapshot->services, hash, &entry);

	for (; count; count--, entry++)
		if (has_address(service_at(entry), address))
			return service_at(entry);
	return NULL;
}

const struct service *snapshot_by_address(
	const struct snapshot *snapshot, const struct ip *address, uint64_t *cursor)
{
	const struct map_entry *entry;
	size_t count = map_find(&snapshot->addresses,
		view_hash_address(&snapshot->key, address->bytes, address->family), &entry);

	while (*cursor < count) {
		size_t i = (size_t)(*cursor)++;
		bool is_repeated = i > 0 && entry[i].value == entry[i - 1].value;
		const struct service *service =
			is_repeated ? NULL : find_by_hash(snapshot, entry[i].value, address);

		if (service)
			return service;
	}
	return NULL;
}

static bool is_pod_at(const struct pod *pod, const struct ip *address)
{
	for (uint32_t i = 0; i < pod->addresses; i++)
		if (pod->address[i].family == address->family &&
			memcmp(pod->address[i].address, address->bytes, 16) == 0)
			return true;
	return false;
}

const struct pod *snapshot_pod(const struct snapshot *snapshot, const struct ip *address, uint64_t *cursor)
{
	const struct map_entry *entry;
	size_t count = map_find(
		&snapshot->pods, view_hash_address(&snapshot->key, address->bytes, address->family), &entry);

	while (*cursor < count) {
		const struct pod *pod = (const struct pod *)(uintptr_t)entry[(*cursor)++].value;

		if (is_pod_at(pod, address))
			return pod;
	}
	return NULL;
}

const struct service *snapshot_each_service(const struct snapshot *snapshot, uint64_t *cursor)
{
	const struct map_entry *entry;

	while ((entry = map_each(&snapshot->services, cursor)))
		if (service_at(entry)->kind != SERVICE_ABSENT)
			return service_at(entry);
	return NULL;
}

uint32_t snapshot_serial(const struct snapshot *snapshot)
{
	return snapshot->serial;
}

bool snapshot_is_synced(const struct snapshot *snapshot)
{
	return snapshot->synced == SNAPSHOT_ALL;
}

bool snapshot_knows(const struct snapshot *snapshot, unsigned parts)
{
	return (snapshot->synced & parts) == parts;
}

struct snapshot_counts snapshot_counts(const struct snapshot *snapshot)
{
	return snapshot->counts;
}
