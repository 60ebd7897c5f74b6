/* Changes wait in four lists, one for each map of a snapshot, until table_publish() applies them.
 * The table owns the lists and a reference to the newest snapshot. */
#include "svcdns/table.h"

#include <string.h>

#include "svcdns/memory.h"
#include "view.h"

struct changes {
	struct map_change *items;
	size_t count, capacity;
};

struct table {
	struct snapshot *newest;
	struct changes services, addresses, pods, namespaces;
	struct snapshot_counts counts;
};

struct table *table_create(void)
{
	struct table *table = memory_zero(1, sizeof(*table));
	struct snapshot *snapshot = memory_zero(1, sizeof(*snapshot));

	shared_init(&snapshot->shared);
	hash_key_random(&snapshot->key);
	snapshot->services.holds_shared = true;
	snapshot->pods.holds_shared = true;
	snapshot->namespaces.holds_shared = true;
	table->newest = snapshot;
	return table;
}

static void changes_finish(struct changes *changes)
{
	memory_free(changes->items);
	*changes = (struct changes){0};
}

void table_destroy(struct table *table)
{
	if (!table)
		return;
	changes_finish(&table->services);
	changes_finish(&table->addresses);
	changes_finish(&table->pods);
	changes_finish(&table->namespaces);
	snapshot_unref(table->newest);
	memory_free(table);
}

uint64_t table_hash(const struct table *table, const uint8_t *namespace, size_t namespace_length,
	const uint8_t *name, size_t name_length)
{
	return view_hash_name(&table->newest->key, namespace, namespace_length, name, name_length);
}

static void add_change(struct changes *changes, uint64_t hash, uint64_t value, int32_t delta)
{
	if (changes->count == changes->capacity) {
		changes->capacity = changes->capacity ? changes->capacity * 2 : 64;
		changes->items = memory_resize(changes->items, changes->capacity * sizeof(changes->items[0]));
	}
	changes->items[changes->count++] = (struct map_change){hash, value, delta};
}

static uint64_t hash_address(const struct table *table, const uint8_t address[16], uint8_t family)
{
	return view_hash_address(&table->newest->key, address, family);
}

static void change_service(struct table *table, struct service *service, int32_t delta)
{
	const struct cluster_ip *cluster_ip = service_cluster_ips(service);
	const struct endpoint *endpoint = service_endpoints(service);

	add_change(&table->services, service->hash, (uintptr_t)service, delta);
	for (uint32_t i = 0; i < service->cluster_ips; i++)
		add_change(&table->addresses,
			hash_address(table, cluster_ip[i].address, cluster_ip[i].family), service->hash,
			delta);
	for (uint32_t i = 0; i < service->endpoints; i++)
		add_change(&table->addresses, hash_address(table, endpoint[i].address, endpoint[i].family),
			service->hash, delta);
	if (service->kind != SERVICE_ABSENT)
		table->counts.services += (size_t)delta;
	table->counts.endpoints += (size_t)delta * service->endpoints;
}

void table_change_service(struct table *table, struct service *old, struct service *fresh)
{
	if (old)
		change_service(table, old, -1);
	if (fresh)
		change_service(table, fresh, 1);
}

static void change_pod(struct table *table, struct pod *pod, int32_t delta)
{
	for (uint32_t i = 0; i < pod->addresses; i++)
		add_change(&table->pods, hash_address(table, pod->address[i].address, pod->address[i].family),
			(uintptr_t)pod, delta);
	table->counts.pods += (size_t)delta;
}

void table_change_pod(struct table *table, struct pod *old, struct pod *fresh)
{
	if (old)
		change_pod(table, old, -1);
	if (fresh)
		change_pod(table, fresh, 1);
}

static void change_namespace(struct table *table, struct namespace *namespace, int32_t delta)
{
	uint64_t hash = table_hash(table, namespace->name, namespace->length, NULL, 0);

	add_change(&table->namespaces, hash, (uintptr_t) namespace, delta);
	table->counts.namespaces += (size_t)delta;
}

void table_change_namespace(struct table *table, struct namespace *old, struct namespace *fresh)
{
	if (old)
		change_namespace(table, old, -1);
	if (fresh)
		change_namespace(table, fresh, 1);
}

static void apply(const struct map *old, struct changes *changes, struct map *ret)
{
	map_apply(old, changes->items, changes->count, ret);
	changes_finish(changes);
}

static bool is_hidden(const struct snapshot *snapshot, uint64_t value)
{
	const struct service *service = (const struct service *)(uintptr_t)value;

	return !snapshot_has_namespace(
		snapshot, text_of(service, service->namespace), service->namespace.length);
}

static size_t count_hidden(const struct snapshot *snapshot)
{
	const struct map_entry *entry;
	uint64_t cursor = 0;
	size_t count = 0;

	while ((entry = map_each(&snapshot->services, &cursor)))
		count += is_hidden(snapshot, entry->value);
	return count;
}

/* What the changes of Services make of that number, where no namespace comes or goes. */
static size_t change_hidden(const struct table *table, const struct snapshot *fresh, size_t hidden)
{
	for (size_t i = 0; i < table->services.count; i++)
		if (is_hidden(fresh, table->services.items[i].value))
			hidden += (size_t)table->services.items[i].delta;
	return hidden;
}

struct snapshot *table_publish(struct table *table, uint32_t serial, unsigned synced)
{
	struct snapshot *old = table->newest, *fresh = memory_zero(1, sizeof(*fresh));
	bool has_namespaces;

	shared_init(&fresh->shared);
	fresh->key = old->key;
	fresh->serial = serial;
	fresh->synced = synced;
	fresh->counts = table->counts;
	has_namespaces = table->namespaces.count;
	apply(&old->namespaces, &table->namespaces, &fresh->namespaces);
	fresh->hidden = change_hidden(table, fresh, old->hidden);
	apply(&old->services, &table->services, &fresh->services);
	if (has_namespaces)
		fresh->hidden = count_hidden(fresh);
	apply(&old->addresses, &table->addresses, &fresh->addresses);
	apply(&old->pods, &table->pods, &fresh->pods);
	table->newest = fresh;
	snapshot_unref(old);
	return snapshot_ref(fresh);
}
