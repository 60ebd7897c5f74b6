/* Base64 (RFC 4648 section 4), as it stands in kubeconfig files. */
#ifndef SVCDNS_CLUSTER_BASE64_H
#define SVCDNS_CLUSTER_BASE64_H

#include "svcdns/buffer.h"

/* Adds what the text stands for; white space in it does not count. False: it is not Base64. */
bool base64_decode(const char *text, size_t length, struct buffer *ret);

#endif
