/* Inside upstream: the sockets over which one server is asked. */
#ifndef UPSTREAM_UDP_H
#define UPSTREAM_UDP_H

#include "group.h"

struct udp_pool *udp_pool_create(struct server *server);
void udp_pool_destroy(struct udp_pool *pool); /* closes everything; nothing is under way */
void udp_pool_free(struct udp_pool *pool);    /* when everything is closed */

/* Sends the query of the attempt's exchange; false: it could not, reason set. */
bool udp_send(struct udp_pool *pool, struct attempt *attempt, char *ret_reason, size_t size);
/* A reply to this attempt is of no use any more. */
void udp_forget(struct attempt *attempt);
/* By which the attempt's query went; -1: none. */
int udp_descriptor(const struct attempt *attempt);

#endif
