/* Inside net: one GET request, its status all that is looked at. */
#ifndef NET_HTTP_CLIENT_H
#define NET_HTTP_CLIENT_H

#include "svcdns/address.h"
#include "svcdns/error.h"

/* False: no answer within the time, or another status than 200; error says why. */
bool http_client_ask(
	const union address *address, const char *path, uint64_t timeout_ns, struct error *error);

#endif
