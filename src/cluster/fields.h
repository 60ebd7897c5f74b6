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

extern const struct field fields_document; /* of a file: an object or a List of them */
extern const struct field fields_list;	   /* from the API: a List, or a Status */
extern const struct field fields_event;	   /* of a watch: a type and an object */

void decoder_keep_address(struct decoder *decoder, const struct ip *ip);
/* Parts of the tree that more than one root has: */
extern const struct field fields_label, fields_spec[], fields_status[], fields_endpoint, fields_slice_port;
void fields_take_kind(struct decoder *decoder, const struct scalar *scalar);
void fields_take_api_version(struct decoder *decoder, const struct scalar *scalar);
void fields_take_name(struct decoder *decoder, const struct scalar *scalar);
void fields_take_namespace(struct decoder *decoder, const struct scalar *scalar);
void fields_take_deletion(struct decoder *decoder, const struct scalar *scalar);
void fields_take_address_type(struct decoder *decoder, const struct scalar *scalar);

/* Text for messages: in quotes, cut if it is long, control characters as '?'. */
#define FIELDS_QUOTED 72
const char *fields_quote(char out[FIELDS_QUOTED], const char *text, size_t length);
bool fields_is_list(const char *kind); /* "List", "ServiceList" */

#endif
