/* Inside net: sockets as a DNS server wants them. Non-blocking, closed on exec, SO_REUSEPORT; IPv6 ones take
 * no IPv4. */
#ifndef NET_SOCKET_H
#define NET_SOCKET_H

#include "svcdns/address.h"

bool socket_has_ipv6(void);

/* Both return the descriptor, or -1 with errno. A UDP socket on a wildcard address reports where datagrams
 * were sent to. */
int socket_udp(const union address *address);
int socket_tcp(const union address *address); /* listening */

bool socket_port(int fd, uint16_t *ret_port); /* that it is bound to */

#endif
