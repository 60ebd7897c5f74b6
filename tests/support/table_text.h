/* For tests of the service table: scratch folders with manifests in them, and Services as text. */
#ifndef SVCDNS_TESTS_TABLE_TEXT_H
#define SVCDNS_TESTS_TABLE_TEXT_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "svcdns/address.h"
#include "svcdns/buffer.h"
#include "svcdns/name.h"
#include "svcdns/snapshot.h"

#define SCRATCH_PATH_MAX 256

struct scratch {
	char path[64];
};

static inline void scratch_make(struct scratch *scratch)
{
	snprintf(scratch->path, sizeof(scratch->path), "/tmp/svcdns-test-XXXXXX");
	assert_non_null(mkdtemp(scratch->path));
}

static inline const char *scratch_path(
	const struct scratch *scratch, const char *name, char out[SCRATCH_PATH_MAX])
{
	snprintf(out, SCRATCH_PATH_MAX, "%s/%s", scratch->path, name);
	return out;
}

static inline void scratch_write(const struct scratch *scratch, const char *name, const char *text)
{
	char path[SCRATCH_PATH_MAX];
	FILE *file = fopen(scratch_path(scratch, name, path), "we");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
	assert_int_equal(fclose(file), 0);
}

static inline void scratch_remove_folder(const char *path)
{
	DIR *folder = opendir(path);
	char inner[2 * SCRATCH_PATH_MAX];

	assert_non_null(folder);
	for (const struct dirent *entry; (entry = readdir(folder));) {
		struct stat status;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		snprintf(inner, sizeof(inner), "%.255s/%.255s", path, entry->d_name);
		if (lstat(inner, &status) == 0 && S_ISDIR(status.st_mode))
			scratch_remove_folder(inner);
		else
			assert_int_equal(unlink(inner), 0);
	}
	closedir(folder);
	assert_int_equal(rmdir(path), 0);
}

static inline void scratch_remove(const struct scratch *scratch)
{
	scratch_remove_folder(scratch->path);
}

static inline const struct service *find_service(
	const struct snapshot *snapshot, const char *namespace, const char *name)
{
	return snapshot_service(
		snapshot, (const uint8_t *)namespace, strlen(namespace), (const uint8_t *)name, strlen(name));
}

static inline bool has_namespace(const struct snapshot *snapshot, const char *name)
{
	return snapshot_has_namespace(snapshot, (const uint8_t *)name, strlen(name));
}

static inline void add_address(struct buffer *out, const uint8_t *address, uint8_t family)
{
	struct ip ip = {.family = family};
	char text[ADDRESS_TEXT_MAX];

	memcpy(ip.bytes, address, sizeof(ip.bytes));
	ip_text(&ip, text);
	buffer_format(out, " %s", text);
}

static inline void add_ports(
	struct buffer *out, const struct service *service, uint32_t first, uint32_t count)
{
	const struct port *port = service_ports(service) + first;

	for (uint32_t i = 0; i < count; i++)
		buffer_format(out, " %d/%.*s/%.*s", port[i].number, port[i].name.length,
			(const char *)text_of(service, port[i].name), port[i].protocol.length,
			(const char *)text_of(service, port[i].protocol));
}

static inline void add_endpoint(
	struct buffer *out, const struct service *service, const struct endpoint *endpoint)
{
	const struct slice *slice = service_slices(service) + endpoint->slice;
	uint8_t host[ENDPOINT_HOST_MAX];
	uint8_t length = endpoint_host(service, endpoint, host);

	buffer_format(out, "; %.*s", length, (const char *)host);
	add_address(out, endpoint->address, endpoint->family);
	add_ports(out, service, slice->first_port, slice->ports);
	if (endpoint->zone.length)
		buffer_format(out, " in %.*s", endpoint->zone.length,
			(const char *)text_of(service, endpoint->zone));
}

/* "ClusterIP 10.96.0.1: 80/http/tcp; web-0 10.1.0.1 8080/http/tcp in zone-a; ...": kind, addresses, ports,
 * endpoints. */
static inline void describe_service(const struct service *service, struct buffer *out)
{
	static const char *const kinds[] = {"ClusterIP", "Headless", "ExternalName", "Absent"};
	char name[NAME_TEXT_MAX];

	buffer_clear(out);
	if (!service) {
		buffer_text(out, "none");
		return;
	}
	buffer_text(out, kinds[service->kind]);
	for (uint32_t i = 0; i < service->cluster_ips; i++)
		add_address(
			out, service_cluster_ips(service)[i].address, service_cluster_ips(service)[i].family);
	if (service->external_name.length) {
		name_wire_to_text(text_of(service, service->external_name), name);
		buffer_format(out, " %s%s", name, service->external_is_address ? " (an address)" : "");
	}
	buffer_text(out, ":");
	add_ports(out, service, 0, service->service_ports);
	for (uint32_t i = 0; i < service->endpoints; i++)
		add_endpoint(out, service, &service_endpoints(service)[i]);
}

#endif
