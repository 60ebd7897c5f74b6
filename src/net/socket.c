#include "socket.h"

#include <errno.h>
#include <ifaddrs.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#define RECEIVE_BUFFER (8 << 20) /* octets: some twenty thousand queries while a worker is not scheduled */
#define BACKLOG	       4096

static bool set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) == 0;
}

static int give_up(int fd)
{
	int reason = errno;

	close(fd);
	errno = reason;
	return -1;
}

/* A socket of its own for every worker: the kernel spreads queries over them by the client's address and
 * port. */
static int open_bound(const union address *address, int type)
{
	int fd = socket(address->any.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if (!set(fd, SOL_SOCKET, SO_REUSEPORT, 1) ||
		(type == SOCK_STREAM && !set(fd, SOL_SOCKET, SO_REUSEADDR, 1)) ||
		(address->any.sa_family == AF_INET6 && !set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1)) ||
		bind(fd, &address->any, address_length(address)) != 0)
		return give_up(fd);
	return fd;
}

/* What is refused here costs speed or neatness, not service. Replies take no part in path MTU discovery: a
 * forged ICMP message must not be able to make them smaller, and nobody would send them a second time. */
static void tune_udp(int fd, bool is_ipv6)
{
	if (!set(fd, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER))
		set(fd, SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER);
	if (is_ipv6)
		set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_OMIT);
	else
		set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT);
}

int socket_udp(const union address *address)
{
	bool is_ipv6 = address->any.sa_family == AF_INET6, ok = true;
	int fd = open_bound(address, SOCK_DGRAM);

	if (fd < 0)
		return -1;
	tune_udp(fd, is_ipv6);
	if (address_is_wildcard(address))
		ok = is_ipv6 ? set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
			     : set(fd, IPPROTO_IP, IP_PKTINFO, 1);
	return ok ? fd : give_up(fd);
}

int socket_tcp(const union address *address)
{
	int fd = open_bound(address, SOCK_STREAM);

	if (fd < 0)
		return -1;
	set(fd, IPPROTO_TCP, TCP_NODELAY, 1); /* for its connections, which have it from here */
	return listen(fd, BACKLOG) == 0 ? fd : give_up(fd);
}

bool socket_port(int fd, uint16_t *ret_port)
{
	union address address;
	socklen_t length = sizeof(address);

	if (getsockname(fd, &address.any, &length) != 0)
		return false;
	*ret_port = address_port(&address);
	return true;
}

unsigned socket_local_addresses(struct ip *ret, unsigned max)
{
	struct ifaddrs *all;
	unsigned count = 0;

	if (getifaddrs(&all) != 0)
		return 0;
	for (const struct ifaddrs *entry = all; entry && count < max; entry = entry->ifa_next) {
		int family = entry->ifa_addr ? entry->ifa_addr->sa_family : AF_UNSPEC;
		union address address = {0};

		if (family != AF_INET && family != AF_INET6)
			continue;
		memcpy(&address, entry->ifa_addr,
			family == AF_INET ? sizeof(address.in) : sizeof(address.in6));
		if (family == AF_INET || !IN6_IS_ADDR_LINKLOCAL(&address.in6.sin6_addr))
			address_ip(&address, &ret[count++]);
	}
	freeifaddrs(all);
	return count;
}

bool socket_has_ipv6(void)
{
	union address any = {.in6 = {.sin6_family = AF_INET6}};
	int fd = open_bound(&any, SOCK_DGRAM);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}
