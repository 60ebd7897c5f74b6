/* Inside upstream: asking one server over TCP, by c-ares. */
#ifndef UPSTREAM_TCP_H
#define UPSTREAM_TCP_H

#include "group.h"

struct tcp_channel *tcp_channel_create(struct server *server);
void tcp_channel_destroy(struct tcp_channel *channel); /* nothing under way */
void tcp_channel_free(struct tcp_channel *channel);    /* when its handles are closed */

/* Sends the query of the attempt's exchange; false: there is no way to the server, reason set. */
bool tcp_send(struct tcp_channel *channel, struct attempt *attempt, char *ret_reason, size_t size);
/* Of the connection, which may not have come about yet; -1: there is none. */
int tcp_descriptor(const struct tcp_channel *channel);

#endif
