/* The tree of fields that DNS needs, of all kinds of objects together: "kind" may stand behind all others. */
#ifndef SVCDNS_CLUSTER_FIELDS_H
#define SVCDNS_CLUSTER_FIELDS_H

#include "decode.h"

enum field_type { FIELD_SCALAR, FIELD_MAP, FIELD_LIST, FIELD_LABELS /* a map of any keys to texts */ };

struct field {
	const char *name; /* in a list: NULL */
	enum field_type type;
	/* Of a map, up to a nameless one; of a list, its item; of labels, what each value is. */
	const struct field *fields;
	void (*take)(struct decoder *decoder, const struct scalar *scalar); /* not called for null */
	void (*begin)(struct decoder *decoder);
	bool (*end)(struct decoder *decoder); /* the frame has been left */
	bool is_object;			      /* a whole Kubernetes object */
};

extern const struct field fields_document;

/* The object is wrong, if its kind is one that DNS needs: only the first such finding is kept. `below` is a
 * path under the field that is being read, or "". */
void decoder_fail(struct decoder *decoder, unsigned line, const char *below, const char *format, ...)
	ATTRIBUTE_PRINTF(4, 5);
void decoder_keep_address(struct decoder *decoder, const struct ip *ip);
/* Text for messages: in quotes, cut if it is long, control characters as '?'. */
#define FIELDS_QUOTED 72
const char *fields_quote(char out[FIELDS_QUOTED], const char *text, size_t length);
bool fields_is_list(const char *kind); /* "List", "ServiceList" */
/* False: the reading ends with the object's failure. */
bool decoder_give_up(struct decoder *decoder);

#endif
