/* Inside net: where HTTP is listened for. */
#ifndef NET_HTTP_ADDRESS_H
#define NET_HTTP_ADDRESS_H

#include "svcdns/address.h"
#include "svcdns/error.h"

/* "HOST:PORT", the host a name, an address or nothing, which is all addresses of both families. */
bool http_address_parse(const char *text, union address *ret, struct error *error);

/* A socket that listens, or -1. Others may listen there too, if they have SO_REUSEPORT set. */
int http_address_listen(const char *text, const union address *address, struct error *error);

/* The address that a socket is bound to, as a client on this machine has to call it. */
bool http_address_of(int fd, union address *ret);

#endif
