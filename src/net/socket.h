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

/* Addresses of this machine's interfaces, but for link-local ones of IPv6: returns how many, up to max. */
unsigned socket_local_addresses(struct ip *ret, unsigned max);

bool socket_port(int fd, uint16_t *ret_port); /* that it is bound to */

#endif
