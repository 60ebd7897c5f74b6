/* The protobuf messages of the Kubernetes API, as far as DNS needs them: the numbers of their fields and the
 * names that those have in JSON (k8s.io/api and k8s.io/apimachinery, generated.proto). */
#ifndef SVCDNS_CLUSTER_MESSAGES_H
#define SVCDNS_CLUSTER_MESSAGES_H

#include "svcdns/compiler.h"

enum message_type {
	MESSAGE_TEXT,
	MESSAGE_NUMBER,
	MESSAGE_BOOLEAN,
	MESSAGE_OBJECT,
	MESSAGE_PRESENCE, /* a message of which only matters that it is there */
	MESSAGE_TEXTS,	  /* repeated */
	MESSAGE_OBJECTS,
	MESSAGE_LABELS, /* map<string, string> */
	MESSAGE_KEY,	/* the two fields of an entry of such a map */
	MESSAGE_LABEL,
	MESSAGE_INSIDE,	  /* a message whose fields count as those of the message around it */
	MESSAGE_ENVELOPE, /* octets: "k8s\0" and a message Unknown */
	MESSAGE_RAW	  /* octets: the message that "kind" names */
};

struct message_field {
	uint32_t number; /* 0: behind the last */
	enum message_type type;
	const char *name;
	const struct message_field *fields; /* of the message */
	bool is_kubernetes_object;
};

extern const struct message_field messages_unknown[], messages_event[], messages_label[];
/* The fields of an object or list of this kind; NULL: not needed. */
const struct message_field *messages_of_kind(const char *kind);

#endif
