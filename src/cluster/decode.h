/* Events of a parser (YAML, JSON, protobuf) -> objects. The parser reports what it reads by the decoder_*()
 * functions; the decoder follows the paths that DNS needs through all else, and hands over each object that
 * is complete. */
#ifndef SVCDNS_CLUSTER_DECODE_H
#define SVCDNS_CLUSTER_DECODE_H

#include "labels.h"
#include "object.h"

#define DECODER_DEPTH_MAX 100 /* of nesting, in whatever is read */
#define DECODER_FRAMES	  12  /* of the deepest path that is followed */
#define DECODER_KIND_MAX  127 /* octets of "kind" and of "apiVersion" */

#define VERSION_MAX  63	  /* octets of a resourceVersion, which is an opaque text */
#define CONTINUE_MAX 4096 /* octets of the token for a list's next page */

enum scalar_kind {
	SCALAR_NULL,
	SCALAR_PLAIN, /* a number, a boolean, or text without quotes */
	SCALAR_QUOTED
};

struct scalar {
	enum scalar_kind kind;
	const char *text; /* need not be terminated */
	size_t length;
};

struct field;

enum decoded {
	DECODED_OBJECT,
	DECODED_UNWANTED, /* left out by the configuration, or of no use for DNS */
	DECODED_BROKEN,	  /* decoder->failure says why; what was read of it is not to be used but for its name
			   */
	DECODED_OTHER_KIND
};

enum event_type { EVENT_NONE, EVENT_ADDED, EVENT_MODIFIED, EVENT_DELETED, EVENT_BOOKMARK, EVENT_ERROR };

struct api_status {   /* a Status object: why the API server does not do what it was asked */
	int32_t code; /* 0: not said */
	char reason[64], message[512];
};

struct frame {			   /* a map or list that is being read */
	const struct field *field; /* its own */
	const struct field *key;   /* of the value that comes next or came last; NULL: not needed */
	bool awaits_value;	   /* in a map: the key has been read */
	uint32_t index;		   /* in a list: of the item, from 1 */
	uint32_t seen;		   /* in a map: a bit for each field */
};

struct decoder {
	/* Set by whoever reads: */
	const struct feed_config *config;
	const struct field *root; /* what a document is: fields_document, fields_list, fields_event */
	const char *file;	  /* for messages; NULL: it is none */
	unsigned line;		  /* of the event that is being reported */
	struct error *error;	  /* "FILE:LINE: FIELD: why" after any function returned false */
	/* A complete object; of an event, once all of the event has been read. It is valid during the call
	 * only. False ends the reading, error set. */
	bool (*on_object)(
		void *context, struct decoder *decoder, enum decoded what, const struct object *object);
	void *context;
	enum object_kind expected; /* objects of other kinds do not count; OBJECT_KINDS: all do */
	bool only_names;	   /* of whatever kind the objects are, their names and versions count */

	/* The object that is being read: */
	unsigned first_line;
	char kind[DECODER_KIND_MAX + 1], api_version[DECODER_KIND_MAX + 1];
	struct draft draft;
	struct labels labels;
	struct ip single_address; /* clusterIP or podIP; family 0: not set */
	bool single_is_none;	  /* clusterIP: None */
	bool first_is_none, has_address_list;
	bool is_external, is_fqdn, is_over;
	bool has_failed; /* counts only once the kind turns out to be one that DNS needs */
	struct error failure;
	struct port *port;	/* the item of a list of ports */
	struct port spare_port; /* stands in when the list is full */
	unsigned port_line;
	struct {		/* the item of endpoints */
		uint32_t first; /* of its addresses */
		bool is_ready;
		struct text hostname, pod, zone;
	} endpoint;

	char version[VERSION_MAX + 1];
	double triggered_at; /* Unix time of the change that an EndpointSlice is about; 0: not said */

	/* What an API server's answer has besides objects: */
	struct {
		char version[VERSION_MAX + 1];
		char next[CONTINUE_MAX + 1]; /* "": there is no further page */
	} list;
	struct {
		enum event_type type;
		enum decoded what;
		bool ends_initial; /* a bookmark behind the last of the objects that were there at first */
	} event;
	struct api_status status;

	/* Where the reader stands: */
	bool is_item;
	bool is_list; /* the document is a List: what it holds are objects, not it */
	char list_kind[DECODER_KIND_MAX + 1], list_version[DECODER_KIND_MAX + 1];
	struct buffer label_key;
	struct frame frames[DECODER_FRAMES];
	unsigned depth, skipped; /* skipped: levels of what is not needed */
};

void decoder_init(struct decoder *decoder); /* clears all; the first part is set afterwards */
void decoder_finish(struct decoder *decoder);
void decoder_reset(struct decoder *decoder); /* what was being read is given up: a document may begin */

/* Each returns false when the reading has to end. */
bool decoder_begin_map(struct decoder *decoder);
bool decoder_begin_list(struct decoder *decoder);
bool decoder_end(struct decoder *decoder); /* of a map or a list */
/* In a map: key and value by turns. */
bool decoder_scalar(struct decoder *decoder, const struct scalar *scalar);
/* YAML's *name, which is not expanded. */
bool decoder_alias(struct decoder *decoder);
/* What is read is no document at all: sets the error. */
bool decoder_refuse(struct decoder *decoder, const char *format, ...) ATTRIBUTE_PRINTF(2, 3);
/* The object that is being read is broken. Only the first such finding is kept. `below` is a path under the
 * field that is being read, or "". */
void decoder_fail(struct decoder *decoder, unsigned line, const char *below, const char *format, ...)
	ATTRIBUTE_PRINTF(4, 5);
/* False: the reading ends with the object's failure. */
bool decoder_give_up(struct decoder *decoder);

#endif
