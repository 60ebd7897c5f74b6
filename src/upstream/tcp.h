/* Inside upstream: asking one server over TCP, by c-ares. */
#ifndef UPSTREAM_TCP_H
#define UPSTREAM_TCP_H

#include "group.h"

struct tcp_channel *tcp_channel_create(struct server *server);
void tcp_channel_destroy(struct tcp_channel *channel); /* nothing under way */
void tcp_channel_free(struct tcp_channel *channel);    /* when its handles are closed */

/* Sends the query of the attempt's exchange; what becomes of it is told later, also if it could not be sent.
 */
void tcp_send(struct tcp_channel *channel, struct attempt *attempt);
/* Of the connection, which may not have come about yet; -1: there is none. */
int tcp_descriptor(const struct tcp_channel *channel);

#endif
