/* Addresses of HTTP endpoints, with Go's syntax and messages. */
#include "http_address.h"

#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "socket.h"
#include "svcdns/http.h"

#define BACKLOG	 128
#define HOST_MAX 256

struct host_port {
	char host[HOST_MAX];
	const char *port;
};

static bool refuse(struct error *error, const char *text, const char *why)
{
	return error_set(error, "address %s: %s", text, why);
}

/* The colon between host and port; NULL: error set. */
static const char *find_colon(const char *text, struct error *error)
{
	const char *colon = strrchr(text, ':'), *bracket = strchr(text, ']');

	if (!colon) {
		refuse(error, text, "missing port in address");
	} else if (*text == '[') {
		if (bracket && colon == bracket + 1)
			return colon;
		refuse(error, text,
			!bracket	    ? "missing ']' in address"
			: bracket[1] == ':' ? "too many colons in address"
					    : "missing port in address");
	} else {
		if (strchr(text, ':') == colon)
			return colon;
		refuse(error, text, "too many colons in address");
	}
	return NULL;
}

static bool split(const char *text, struct host_port *ret, struct error *error)
{
	const char *colon = find_colon(text, error);
	bool is_bracketed = *text == '[';
	size_t length;

	if (!colon)
		return false;
	length = (size_t)(colon - text) - (is_bracketed ? 2 : 0);
	if (length >= sizeof(ret->host))
		return refuse(error, text, "host name is too long");
	memcpy(ret->host, text + is_bracketed, length);
	ret->host[length] = '\0';
	ret->port = colon + 1;
	return true;
}

bool http_check_address(const char *address, struct error *error)
{
	struct host_port parts;

	return split(address, &parts, error);
}

static bool read_port(const char *text, uint16_t *ret, struct error *error)
{
	char *end;
	unsigned long port;

	errno = 0;
	port = strtoul(text, &end, 10);
	if (errno || *end || !isdigit((unsigned char)*text) || port > UINT16_MAX)
		return error_set(error, "listen tcp: address %s: invalid port", text);
	*ret = (uint16_t)port;
	return true;
}

/* Of several addresses of a host the first one of IPv4, as Go has it. */
static bool look_up(const char *host, uint16_t port, union address *ret, struct error *error)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *chosen;
	struct addrinfo *found = NULL;
	int code = getaddrinfo(host, NULL, &hints, &found);

	if (code != 0 || !found)
		return error_set(error, "listen tcp: lookup %s: %s", host,
			code == EAI_NONAME ? "no such host" : gai_strerror(code));
	chosen = found;
	for (const struct addrinfo *info = found; info && chosen->ai_family != AF_INET; info = info->ai_next)
		if (info->ai_family == AF_INET)
			chosen = info;
	memcpy(ret, chosen->ai_addr, chosen->ai_addrlen);
	freeaddrinfo(found);
	if (ret->any.sa_family == AF_INET6)
		ret->in6.sin6_port = htons(port);
	else
		ret->in.sin_port = htons(port);
	return true;
}

bool http_address_parse(const char *text, union address *ret, struct error *error)
{
	const struct ip any = {.family = socket_has_ipv6() ? 6 : 4};
	struct host_port parts = {.port = ""};
	uint16_t port = 0;

	*ret = (union address){0};
	if (!split(text, &parts, error) || !read_port(parts.port, &port, error))
		return false;
	if (*parts.host)
		return look_up(parts.host, port, ret, error);
	address_set(ret, &any, port);
	return true;
}

static bool set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) == 0;
}

/* The wildcard address of IPv6 takes IPv4 as well. */
static bool bind_and_listen(int fd, const union address *address)
{
	return set(fd, SOL_SOCKET, SO_REUSEADDR, 1) && set(fd, SOL_SOCKET, SO_REUSEPORT, 1) &&
	       (address->any.sa_family != AF_INET6 || set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0)) &&
	       bind(fd, &address->any, address_length(address)) == 0 && listen(fd, BACKLOG) == 0;
}

int http_address_listen(const char *text, const union address *address, struct error *error)
{
	int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	char reason[ERROR_REASON_MAX];

	if (fd >= 0 && bind_and_listen(fd, address))
		return fd;
	error_set(error, "listen tcp %s: bind: %s", text, error_reason(errno, reason));
	if (fd >= 0)
		close(fd);
	return -1;
}

bool http_address_of(int fd, union address *ret)
{
	static const struct ip loopback4 = {.family = 4, .bytes = {127, 0, 0, 1}},
			       loopback6 = {.family = 6, .bytes = {[15] = 1}};
	socklen_t length = sizeof(*ret);

	if (getsockname(fd, &ret->any, &length) != 0)
		return false;
	if (address_is_wildcard(ret))
		address_set(ret, ret->any.sa_family == AF_INET ? &loopback4 : &loopback6, address_port(ret));
	return true;
}
