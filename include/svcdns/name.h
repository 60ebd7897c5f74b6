/* A domain name (RFC 1035 section 3.1) in wire form, with a map of where its labels begin. */
#ifndef SVCDNS_NAME_H
#define SVCDNS_NAME_H

#include "svcdns/compiler.h"

#define NAME_WIRE_MAX   255                 /* octets, the root's included (RFC 1035 section 2.3.4) */
#define NAME_LABELS_MAX 127                 /* the root is not counted */
#define NAME_TEXT_MAX   1024                /* every octet escaped, final dot, NUL */

struct name {
	uint8_t length;                     /* octets of wire, 1 .. 255 */
	uint8_t labels;                     /* 0 for the root */
	uint8_t offset[NAME_LABELS_MAX + 1]; /* offset[i]: length octet of label i, leftmost first; offset[labels]: the root's */
	uint8_t wire[NAME_WIRE_MAX + 1];
};

/* Presentation form, escapes \. and \DDD understood; a final dot may be missing; "" is refused, "." is the root.
 * False: empty label, label over 63 octets, name over 255. Case is kept. */
bool name_from_text(const char *text, struct name *ret);
void name_to_text(const struct name *name, char out[NAME_TEXT_MAX]);              /* absolute: ends with a dot */
bool name_from_wire(const uint8_t *wire, size_t length, struct name *ret);        /* uncompressed, whole; case is kept */
void name_wire_to_text(const uint8_t *wire, char out[NAME_TEXT_MAX]);             /* a valid uncompressed name */
void name_lower(struct name *name);                                               /* ASCII only (RFC 4343) */

bool name_equal(const struct name *a, const struct name *b);                      /* octet by octet */
bool name_equal_nocase(const struct name *a, const struct name *b);
/* True when name is zone or stands below it; both in lower case. */
bool name_is_under(const struct name *name, const struct name *zone);
/* name without its last `zone_labels` labels, then suffix. False when it gets too long: ret is undefined then. */
bool name_replace_suffix(const struct name *name, unsigned zone_labels, const struct name *suffix, struct name *ret);
/* Both names one after the other: "www" + "example.org." */
bool name_join(const struct name *name, const struct name *suffix, struct name *ret);

static inline const uint8_t *name_label(const struct name *name, unsigned i, uint8_t *ret_length)
{
	const uint8_t *label = name->wire + name->offset[i];

	*ret_length = label[0];
	return label + 1;
}

/* The octets from label i on, the root's included: itself a name in wire form. */
static inline const uint8_t *name_suffix(const struct name *name, unsigned i, size_t *ret_length)
{
	*ret_length = (size_t)(name->length - name->offset[i]);
	return name->wire + name->offset[i];
}

#endif
