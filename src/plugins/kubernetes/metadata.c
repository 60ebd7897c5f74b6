/* What kubernetes tells of a query under labels of metadata: the parts of the name, and the client's Pod. */
#include <stdio.h>
#include <string.h>

#include "kubernetes.h"

static bool put(char ret[METADATA_MAX], const void *octets, size_t length)
{
	snprintf(ret, METADATA_MAX, "%.*s", (int)length, (const char *)octets);
	return true;
}

static bool put_label(char ret[METADATA_MAX], struct label label)
{
	return put(ret, label.octets, label.length);
}

/* "svc" or "pod": left of the zone; nothing of the zone's own name. */
static bool put_kind(char ret[METADATA_MAX], const struct name *name, const struct name *zone)
{
	struct label label = {0};

	if (name->labels > zone->labels)
		label.octets = name_label(name, name->labels - zone->labels - 1U, &label.length);
	return put_label(ret, label);
}

/* The topology zone of a zonal name, its labels parted by dots. */
static bool put_zone(char ret[METADATA_MAX], const struct parsed *parsed)
{
	uint8_t text[NAME_WIRE_MAX];
	const uint8_t *label = parsed->first;
	size_t length = 0;

	for (unsigned i = 0; i < parsed->zone_labels; label += 1 + *label, i++) {
		if (i)
			text[length++] = '.';
		memcpy(text + length, label + 1, *label);
		length += *label;
	}
	return put(ret, text, length);
}

static bool find_part(const char *part, const struct name *name, const struct name *zone,
	const struct parsed *parsed, char ret[METADATA_MAX])
{
	const struct {
		const char *part;
		struct label label;
	} parts[] = {
		{"port-name", parsed->port},
		{"protocol", parsed->protocol},
		{"endpoint", parsed->endpoint},
		{"service", parsed->service},
		{"namespace", parsed->namespace},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(parts); i++)
		if (strcmp(parts[i].part, part) == 0)
			return put_label(ret, parts[i].label);
	if (strcmp(part, "kind") == 0)
		return put_kind(ret, name, zone);
	return strcmp(part, "zone") == 0 && put_zone(ret, parsed);
}

static bool find_client(const char *part, const struct pod *pod, char ret[METADATA_MAX])
{
	if (!pod)
		return false;
	if (strcmp(part, "client-namespace") == 0)
		return put(ret, text_of(pod, pod->namespace), pod->namespace.length);
	return strcmp(part, "client-pod-name") == 0 && put(ret, text_of(pod, pod->name), pod->name.length);
}

bool kubernetes_find_label(const struct kubernetes *config, const struct request *r, const char *label,
	const struct pod *client, char ret[METADATA_MAX])
{
	const char prefix[] = "kubernetes/";
	const struct name *name = &r->question.name, *zone = zones_match(&config->zones, name);
	struct parsed parsed;
	const char *part;

	if (!zone || strncmp(label, prefix, strlen(prefix)) != 0)
		return false;
	part = label + strlen(prefix);
	if (find_client(part, client, ret))
		return true;
	parse_name(name, zone, config->zonal, &parsed);
	if (parsed.kind == NAME_INVALID)
		return strcmp(part, "parse-error") == 0 && put(ret, "invalid query name", 18);
	return find_part(part, name, zone, &parsed, ret);
}
