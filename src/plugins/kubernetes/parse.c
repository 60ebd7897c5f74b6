/* The grammar of names, read from the right: [ENDPOINT | PORT.PROTOCOL |
 * TOPOZONE.pin|prefer._zone].SERVICE.NAMESPACE.svc and [anything].POD.NAMESPACE.pod. As in CoreDNS,
 * underscores before port and protocol may be missing. */
#include <string.h>

#include "kubernetes.h"

static struct label label_at(const struct name *name, unsigned i)
{
	struct label label;

	label.octets = name_label(name, i, &label.length);
	return label;
}

static bool is_label(struct label label, const char *text)
{
	return label.length == strlen(text) && memcmp(label.octets, text, label.length) == 0;
}

static struct label without_underscore(struct label label)
{
	if (label.length && label.octets[0] == '_')
		return (struct label){label.octets + 1, (uint8_t)(label.length - 1)};
	return label;
}

/* TOPOZONE.pin|prefer._zone: a topology zone may have dots. */
static bool parse_zonal(const struct name *name, unsigned labels, struct parsed *ret)
{
	struct label directive = label_at(name, labels - 2);

	if (!is_label(label_at(name, labels - 1), "_zone"))
		return false;
	if (!is_label(directive, "pin") && !is_label(directive, "prefer"))
		return false;
	ret->prefers_zone = is_label(directive, "prefer");
	ret->zone_labels = (uint8_t)(labels - 2);
	ret->first = name->wire;
	return true;
}

/* What stands left of the service. */
static bool parse_rest(const struct name *name, unsigned labels, bool zonal, struct parsed *ret)
{
	if (labels == 0)
		return true;
	if (labels == 1) {
		ret->endpoint = label_at(name, 0);
		return true;
	}
	if (labels == 2) {
		ret->has_port = true;
		ret->protocol = without_underscore(label_at(name, 1));
		ret->port = without_underscore(label_at(name, 0));
		return true;
	}
	return zonal && ret->kind == NAME_SERVICE && parse_zonal(name, labels, ret);
}

struct parsed parse_name(const struct name *name, const struct name *zone, bool zonal)
{
	struct parsed parsed;
	unsigned labels = (unsigned)name->labels - zone->labels;

	parsed.kind = NAME_EXISTS;
	parsed.namespace.length = parsed.service.length = parsed.endpoint.length = 0;
	parsed.port.length = parsed.protocol.length = 0;
	parsed.has_port = parsed.prefers_zone = false;
	parsed.zone_labels = 0;
	if (!labels)
		return parsed;
	labels--;
	if (is_label(label_at(name, labels), "svc"))
		parsed.kind = NAME_SERVICE;
	else if (is_label(label_at(name, labels), "pod"))
		parsed.kind = NAME_POD;
	else
		parsed.kind = NAME_INVALID;
	if (parsed.kind == NAME_INVALID)
		return parsed;
	if (!labels) {
		parsed.kind = NAME_EXISTS;
		return parsed;
	}
	parsed.namespace = label_at(name, --labels);
	if (labels)
		parsed.service = label_at(name, --labels);
	if (!parse_rest(name, labels, zonal, &parsed))
		parsed.kind = NAME_INVALID;
	return parsed;
}
