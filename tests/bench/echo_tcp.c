/* The limit of the socket API over TCP: an event loop, one read and one write for what has come in.
 * echo-tcp ADDRESS PORT. */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "echo.h"

#define EVENTS 64
#define OCTETS 16384
#define PREFIX 2
#define SHORTEST                                                                                             \
	(PREFIX + ECHO_HEADER) /* of a query; so every reply has room in a buffer of twice the size */

struct connection {
	int fd;
	size_t length; /* of what has come in and is not a whole query yet */
	uint8_t octets[OCTETS];
};

static int open_socket(const char *address, uint16_t port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	if (inet_pton(AF_INET, address, &to.sin_addr) != 1)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	return bind(fd, (struct sockaddr *)&to, sizeof(to)) == 0 && listen(fd, SOMAXCONN) == 0 ? fd : -1;
}

static void watch(int loop, int fd, void *owner)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = owner};

	epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event);
}

static void take_connection(int loop, int listener)
{
	struct connection *connection = malloc(sizeof(*connection));

	if (!connection)
		abort();
	connection->length = 0;
	connection->fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	if (connection->fd < 0)
		free(connection);
	else
		watch(loop, connection->fd, connection);
}

/* Turns the whole queries at the begin into replies, in `out`; returns how long these are. */
static size_t answer_all(struct connection *connection, uint8_t out[2 * OCTETS])
{
	size_t at = 0, written = 0;

	while (connection->length - at >= SHORTEST) {
		size_t length = (size_t)connection->octets[at] << 8 | connection->octets[at + 1];

		if (length < ECHO_HEADER || length > connection->length - at - PREFIX)
			break;
		memcpy(out + written + PREFIX, connection->octets + at + PREFIX, length);
		at += PREFIX + length;
		length = echo_answer(out + written + PREFIX, length);
		out[written] = (uint8_t)(length >> 8);
		out[written + 1] = (uint8_t)length;
		written += PREFIX + length;
	}
	connection->length -= at;
	memmove(connection->octets, connection->octets + at, connection->length);
	return written;
}

static void serve(struct connection *connection)
{
	static uint8_t out[2 * OCTETS];
	ssize_t came =
		read(connection->fd, connection->octets + connection->length, OCTETS - connection->length);
	size_t length;

	if (came > 0) {
		connection->length += (size_t)came;
		length = answer_all(connection, out);
		if (!length || write(connection->fd, out, length) == (ssize_t)length)
			return;
	}
	close(connection->fd); /* its end, or a client that does not read */
	free(connection);
}

int main(int argc, char **argv)
{
	struct epoll_event events[EVENTS];
	int listener = argc == 3 ? open_socket(argv[1], (uint16_t)strtoul(argv[2], NULL, 10)) : -1,
	    loop = epoll_create1(0);

	if (listener < 0 || loop < 0) {
		fprintf(stderr, "usage: echo-tcp ADDRESS PORT, an address of this machine and a free port\n");
		return 2;
	}
	watch(loop, listener, NULL);
	for (;;) {
		int count = epoll_wait(loop, events, EVENTS, -1);

		for (int i = 0; i < count; i++) {
			if (events[i].data.ptr)
				serve(events[i].data.ptr);
			else
				take_connection(loop, listener);
		}
	}
}
