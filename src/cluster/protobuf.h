/* Kubernetes' protobuf -> events of a decoder, in whatever pieces it comes. Nothing but the texts that are
 * needed is held, and of those not more than PROTOBUF_TEXT_MAX octets. */
#ifndef SVCDNS_CLUSTER_PROTOBUF_H
#define SVCDNS_CLUSTER_PROTOBUF_H

#include "decode.h"
#include "messages.h"

#define PROTOBUF_TEXT_MAX  4096 /* octets of a text; longer ones are cut, and never good for anything */
#define PROTOBUF_FRAME_MAX (64u << 20) /* octets of one event of a watch */
#define PROTOBUF_DEPTH	   12	       /* of messages in messages: more than the tables have */

struct protobuf_level { /* a message that is being read */
	const struct message_field *fields;
	const struct message_field *open; /* the list or map in which the decoder stands; NULL: in none */
	uint64_t end;			  /* the octet behind it */
	bool has_map;			  /* the decoder has been given its begin */
	bool is_object;			  /* if something in it is broken, the reading goes on behind it */
	bool has_key;			  /* an entry of a map: its key has been read */
};

struct protobuf {
	struct decoder *decoder;
	bool is_watch;
	enum protobuf_state {
		PROTOBUF_FRAME, /* the length before an event */
		PROTOBUF_MAGIC, /* the octets "k8s\0" */
		PROTOBUF_TAG,
		PROTOBUF_VALUE,
		PROTOBUF_LENGTH,
		PROTOBUF_TEXT,
		PROTOBUF_SKIP
	} state;
	uint64_t at;			   /* octets read so far */
	uint64_t until;			   /* of a text, or of what is skipped: where it ends */
	const struct message_field *field; /* being read; NULL: one that is not needed */
	uint64_t varint;
	unsigned varint_bits;
	uint8_t head[4]; /* a frame's length, or the magic */
	unsigned head_octets;
	struct buffer text;
	struct protobuf_level levels[PROTOBUF_DEPTH];
	unsigned depth;
};

/* A list (or any other single object), or the events of a watch. */
void protobuf_init(struct protobuf *protobuf, struct decoder *decoder, bool is_watch);
void protobuf_finish(struct protobuf *protobuf);
/* Both return false with decoder->error set; then there is nothing more to be pushed. */
bool protobuf_push(struct protobuf *protobuf, const uint8_t *octets, size_t length);
bool protobuf_end(struct protobuf *protobuf); /* what was pushed has to be whole */

#endif
