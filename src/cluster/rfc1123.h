/* The two shapes of names that Kubernetes takes from RFC 1123: both in lower case only. */
#ifndef SVCDNS_CLUSTER_RFC1123_H
#define SVCDNS_CLUSTER_RFC1123_H

#include "svcdns/compiler.h"

bool rfc1123_is_label(const char *text, size_t length);	    /* "web-0", 1 .. 63 octets */
bool rfc1123_is_subdomain(const char *text, size_t length); /* "web-0.example", 1 .. 253 octets */

#endif
