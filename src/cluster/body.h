/* The body of an API server's response -> events of a decoder: JSON or protobuf, one object or the events of
 * a watch. */
#ifndef SVCDNS_CLUSTER_BODY_H
#define SVCDNS_CLUSTER_BODY_H

#include "json.h"
#include "protobuf.h"

#define BODY_EVENT_MAX PROTOBUF_FRAME_MAX /* octets of one event, in either language */

/* What may be answered, the first being what is wanted. The second is for lists that only need names and
 * versions. */
#define BODY_ACCEPT "application/vnd.kubernetes.protobuf, application/json"
#define BODY_ACCEPT_NAMES                                                                                    \
	"application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1, "              \
	"application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1, "                                 \
	"application/vnd.kubernetes.protobuf, application/json"

struct body {
	struct decoder *decoder;
	bool is_watch, is_protobuf;
	struct protobuf protobuf;
	struct json *json;   /* of the document, or of the event that is being read; NULL: between two */
	size_t event_octets; /* of that event, in JSON */
	bool skips_event;    /* it is broken */
};

/* Sets the decoder's root. Its on_object() has to return true. */
void body_init(struct body *body, struct decoder *decoder, bool is_watch, const char *content_type);
void body_finish(struct body *body); /* accepts a zeroed one */
/* False: it cannot be read any further, decoder->error set. A broken event of a watch is told as an object
 * that is broken, and skipped. */
bool body_push(struct body *body, const uint8_t *octets, size_t length);
bool body_end(struct body *body); /* of one object: it has to be whole */

#endif
