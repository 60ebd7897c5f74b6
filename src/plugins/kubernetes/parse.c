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

void parse_name(const struct name *name, const struct name *zone, bool zonal, struct parsed *ret)
{
	unsigned labels = (unsigned)name->labels - zone->labels;

	ret->kind = NAME_EXISTS;
	ret->namespace.length = ret->service.length = ret->endpoint.length = 0;
	ret->port.length = ret->protocol.length = 0;
	ret->has_port = ret->prefers_zone = false;
	ret->zone_labels = 0;
	if (!labels)
		return;
	labels--;
	if (is_label(label_at(name, labels), "svc"))
		ret->kind = NAME_SERVICE;
	else if (is_label(label_at(name, labels), "pod"))
		ret->kind = NAME_POD;
	else
		ret->kind = NAME_INVALID;
	if (ret->kind == NAME_INVALID)
		return;
	if (!labels) {
		ret->kind = NAME_EXISTS;
		return;
	}
	ret->namespace = label_at(name, --labels);
	if (labels)
		ret->service = label_at(name, --labels);
	if (!parse_rest(name, labels, zonal, ret))
		ret->kind = NAME_INVALID;
}
