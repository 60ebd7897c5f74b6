/* Asks over TCP, with so many connections at a time and so many queries for each of them, as fast as it is
 * answered: stream ADDRESS PORT FILE SECONDS CONNECTIONS QUERIES. FILE has lines "NAME TYPE", which are asked
 * one after the other, again and again. Up to WINDOW queries of a connection wait for their answers. Prints
 * how many answers, whole connections and broken ones there were. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "queries.h"

#define WINDOW 8
#define EVENTS 64
#define OCTETS 65536
#define PREFIX 2

struct connection {
	int fd;
	unsigned asked, answered;
	size_t length; /* of what has come in and is not a whole answer yet */
	uint8_t octets[OCTETS];
};

struct stream {
	struct sockaddr_in to;
	struct queries queries;
	unsigned per_connection;
	int loop;
	uint64_t next; /* query */
	uint64_t answers, whole, broken;
};

static void watch(struct stream *stream, struct connection *connection, int operation, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = connection};

	epoll_ctl(stream->loop, operation, connection->fd, &event);
}

static void open_connection(struct stream *stream, struct connection *connection)
{
	connection->asked = connection->answered = 0;
	connection->length = 0;
	connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (connection->fd < 0 ||
		(connect(connection->fd, (struct sockaddr *)&stream->to, sizeof(stream->to)) != 0 &&
			errno != EINPROGRESS)) {
		perror("connect");
		exit(1);
	}
	watch(stream, connection, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
}

static void begin_again(struct stream *stream, struct connection *connection)
{
	stream->whole += connection->answered == stream->per_connection;
	stream->broken += connection->answered != stream->per_connection;
	close(connection->fd);
	open_connection(stream, connection);
}

/* As many queries as there may be under way, in one write. False: the connection does not take them. */
static bool ask(struct stream *stream, struct connection *connection)
{
	uint8_t out[WINDOW * (PREFIX + QUERY_MAX)];
	size_t length = 0;

	while (connection->asked < stream->per_connection &&
		connection->asked - connection->answered < WINDOW) {
		const struct query *query = &stream->queries.items[stream->next++ % stream->queries.count];

		out[length] = (uint8_t)(query->length >> 8);
		out[length + 1] = (uint8_t)query->length;
		memcpy(out + length + PREFIX, query->wire, query->length);
		out[length + PREFIX] = (uint8_t)(connection->asked >> 8);
		out[length + PREFIX + 1] = (uint8_t)connection->asked;
		length += PREFIX + query->length;
		connection->asked++;
	}
	return !length || write(connection->fd, out, length) == (ssize_t)length;
}

static void count_answers(struct stream *stream, struct connection *connection)
{
	size_t at = 0;

	while (connection->length - at >= PREFIX) {
		size_t length = (size_t)connection->octets[at] << 8 | connection->octets[at + 1];

		if (length > connection->length - at - PREFIX)
			break;
		at += PREFIX + length;
		connection->answered++;
		stream->answers++;
	}
	connection->length -= at;
	memmove(connection->octets, connection->octets + at, connection->length);
}

static void take(struct stream *stream, struct connection *connection)
{
	ssize_t came =
		read(connection->fd, connection->octets + connection->length, OCTETS - connection->length);

	if (came <= 0) {
		begin_again(stream, connection);
		return;
	}
	connection->length += (size_t)came;
	count_answers(stream, connection);
	if (connection->answered == stream->per_connection || !ask(stream, connection))
		begin_again(stream, connection);
}

static void on_event(struct stream *stream, struct connection *connection, uint32_t events)
{
	if (!connection->asked && events & EPOLLOUT) {
		watch(stream, connection, EPOLL_CTL_MOD, EPOLLIN);
		if (!ask(stream, connection))
			begin_again(stream, connection);
	} else {
		take(stream, connection);
	}
}

static void run(struct stream *stream, time_t seconds)
{
	struct epoll_event events[EVENTS];
	struct timespec begun, now;

	clock_gettime(CLOCK_MONOTONIC, &begun);
	do {
		int count = epoll_wait(stream->loop, events, EVENTS, 100);

		for (int i = 0; i < count; i++)
			on_event(stream, events[i].data.ptr, events[i].events);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec - begun.tv_sec < seconds ||
		 (now.tv_sec - begun.tv_sec == seconds && now.tv_nsec < begun.tv_nsec));
}

int main(int argc, char **argv)
{
	static struct stream stream;
	unsigned long connections = argc == 7 ? strtoul(argv[5], NULL, 10) : 0;
	struct connection *all;

	stream.per_connection = argc == 7 ? (unsigned)strtoul(argv[6], NULL, 10) : 0;
	stream.to = (struct sockaddr_in){.sin_family = AF_INET};
	stream.loop = epoll_create1(0);
	if (!connections || !stream.per_connection || inet_pton(AF_INET, argv[1], &stream.to.sin_addr) != 1) {
		fprintf(stderr, "usage: stream ADDRESS PORT FILE SECONDS CONNECTIONS QUERIES\n");
		return 2;
	}
	stream.to.sin_port = htons((uint16_t)strtoul(argv[2], NULL, 10));
	stream.queries = queries_read(argv[3]);
	all = calloc(connections, sizeof(*all));
	if (!all)
		abort();
	for (size_t i = 0; i < connections; i++)
		open_connection(&stream, &all[i]);
	run(&stream, strtol(argv[4], NULL, 10));
	free(all);
	printf("answers %ju, connections %ju, broken %ju\n", (uintmax_t)stream.answers,
		(uintmax_t)stream.whole, (uintmax_t)stream.broken);
	return 0;
}
