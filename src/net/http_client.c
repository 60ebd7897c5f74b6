/* The smallest client that can tell whether an endpoint of ours answers. */
#include "http_client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "svcdns/clock.h"

#define REQUEST_MAX 512
#define STATUS	    "HTTP/1.1 200 "

struct client {
	int fd;
	uint64_t deadline;
	struct error *error;
};

static bool fail(const struct client *client, const char *what, int code)
{
	return error_set(client->error, "%s: %s", what, strerror(code));
}

static bool wait_for(const struct client *client, short events, const char *what)
{
	struct pollfd poll_fd = {.fd = client->fd, .events = events};
	uint64_t now = clock_monotonic();
	int left = now < client->deadline ? (int)((client->deadline - now) / CLOCK_MS) : 0;

	if (poll(&poll_fd, 1, left) > 0)
		return true;
	return error_set(client->error, "%s: i/o timeout", what);
}

static bool connect_to(const struct client *client, const union address *address)
{
	socklen_t length = sizeof(int);
	int code = 0;

	if (client->fd < 0)
		return fail(client, "socket", errno);
	if (connect(client->fd, &address->any, address_length(address)) == 0)
		return true;
	if (errno != EINPROGRESS)
		return fail(client, "connect", errno);
	if (!wait_for(client, POLLOUT, "connect"))
		return false;
	getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &code, &length);
	return code == 0 || fail(client, "connect", code);
}

static bool send_request(const struct client *client, const char *path)
{
	char request[REQUEST_MAX];
	int length = snprintf(request, sizeof(request),
		"GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);

	if ((size_t)length >= sizeof(request))
		return error_set(client->error, "the path is too long");
	if (send(client->fd, request, (size_t)length, MSG_NOSIGNAL) != length)
		return fail(client, "write", errno);
	return true;
}

static bool read_status(const struct client *client)
{
	char status[sizeof(STATUS)] = "";
	size_t length = 0;

	while (length < strlen(STATUS)) {
		ssize_t n;

		if (!wait_for(client, POLLIN, "read"))
			return false;
		n = recv(client->fd, status + length, strlen(STATUS) - length, 0);
		if (n < 0)
			return fail(client, "read", errno);
		if (n == 0)
			return error_set(client->error, "read: EOF");
		length += (size_t)n;
	}
	return memcmp(status, STATUS, length) == 0 || error_set(client->error, "status %s", status);
}

bool http_client_ask(const union address *address, const char *path, uint64_t timeout_ns, struct error *error)
{
	struct client client = {
		.fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0),
		.deadline = clock_monotonic() + timeout_ns,
		.error = error,
	};
	bool ok = connect_to(&client, address) && send_request(&client, path) && read_status(&client);

	if (client.fd >= 0)
		close(client.fd);
	return ok;
}
