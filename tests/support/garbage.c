/* Sends packets that are random or mutated to a server on 127.0.0.1, over UDP and TCP, and makes sure now and
 * then that it still answers: garbage PORT COUNT SEED. Never more than WINDOW packets ahead of a query that
 * is waited for. Exit 0: it answered to the end. */
#include <arpa/inet.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WINDOW	   256
#define PACKET_MAX 700
#define PATIENCE   10000 /* ms to wait for an answer */
#define TCP_EVERY  16	 /* one packet in so many goes over TCP */

static const char *const names[] = {
	"\3web\4shop\3svc\7cluster\5local",
	"\23product-service-svc",
	"\7unknown\4shop\3svc\7cluster\5local",
	"\5_http\4_tcp\23product-service-svc\7default\3svc\7cluster\5local",
	"\0011\0010\00296\00210\7in-addr\4arpa",
	"\3www\7example\3com",
};

static uint64_t seed;

static uint32_t next(uint32_t limit) /* xorshift: the same packets for the same seed */
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 32) % limit;
}

static size_t make_query(uint8_t *out)
{
	static const uint8_t types[] = {1, 28, 33, 16, 12, 2, 6, 5, 255, 65, 41, 43};
	const char *name = names[next(sizeof(names) / sizeof(names[0]))];
	size_t length = strlen(name) + 1;

	memcpy(out, "\xab\xcd\1\0\0\1\0\0\0\0\0\0", 12);
	memcpy(out + 12, name, length);
	memcpy(out + 12 + length, "\0\1\0\1", 4);
	out[12 + length + 1] = types[next(sizeof(types))];
	length += 16;
	if (next(2)) {
		out[11] = 1;
		memcpy(out + length, "\0\0\x29\4\xd0\0\0\0\0\0\0", 11);
		length += 11;
	}
	return length;
}

/* A query with some of its octets changed, cut or doubled, or nothing but noise. */
static size_t make_garbage(uint8_t *out)
{
	size_t length = make_query(out);

	if (next(8) == 0) {
		length = next(PACKET_MAX);
		for (size_t i = 0; i < length; i++)
			out[i] = (uint8_t)next(256);
		return length;
	}
	for (uint32_t changes = 1 + next(6); changes; changes--)
		out[next((uint32_t)length)] = (uint8_t)next(256);
	if (next(4) == 0)
		length = next((uint32_t)length + 1);
	return length;
}

static int open_socket(int type, uint16_t port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, type, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
		perror("connect");
		exit(1);
	}
	return fd;
}

static bool is_readable(int fd, int patience)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};

	return poll(&wait, 1, patience) > 0;
}

static void drain(int fd)
{
	uint8_t reply[65536];

	while (is_readable(fd, 0) && recv(fd, reply, sizeof(reply), MSG_DONTWAIT) > 0)
		;
}

/* A plain query with an id of its own: whatever else comes before its answer is dropped. */
static void check_alive(int fd, uint16_t id)
{
	static const uint8_t question[] = "\5alive\4test\0\0\1\0\1";
	uint8_t query[12 + sizeof(question) - 1] = {0, 0, 1, 0, 0, 1}, reply[65536];

	for (int tries = 0; tries < 5; tries++) {
		query[0] = (uint8_t)(id >> 8);
		query[1] = (uint8_t)id;
		memcpy(query + 12, question, sizeof(question) - 1);
		send(fd, query, sizeof(query), 0);
		while (is_readable(fd, PATIENCE / 5)) {
			ssize_t n = recv(fd, reply, sizeof(reply), 0);

			if (n >= (ssize_t)sizeof(query) && memcmp(reply, query, 2) == 0 &&
				memcmp(reply + 12, question, sizeof(question) - 1) == 0)
				return;
		}
	}
	fprintf(stderr, "no answer to a plain query any more\n");
	exit(1);
}

/* A connection with some messages, whole or not, with the right length before them or not. */
static void send_tcp(uint16_t port)
{
	uint8_t stream[4 * (PACKET_MAX + 2)], *at = stream;
	int fd = open_socket(SOCK_STREAM, port);

	for (uint32_t messages = 1 + next(4); messages; messages--) {
		size_t length = make_garbage(at + 2), told = next(8) ? length : next(65536);

		at[0] = (uint8_t)(told >> 8);
		at[1] = (uint8_t)told;
		at += 2 + length;
	}
	send(fd, stream, (size_t)(at - stream), MSG_NOSIGNAL);
	if (next(2)) {
		shutdown(fd, SHUT_WR);
		if (is_readable(fd, 50))
			recv(fd, stream, sizeof(stream), 0);
	}
	close(fd);
}

int main(int argc, char **argv)
{
	uint16_t port = argc == 4 ? (uint16_t)atoi(argv[1]) : 0;
	unsigned long count = argc == 4 ? strtoul(argv[2], NULL, 10) : 0;
	uint8_t packet[PACKET_MAX + 64];
	int udp;

	if (!port) {
		fprintf(stderr, "usage: garbage PORT COUNT SEED\n");
		return 2;
	}
	seed = strtoull(argv[3], NULL, 10) * 2 + 1;
	udp = open_socket(SOCK_DGRAM, port);
	for (unsigned long i = 0; i < count; i++) {
		if (i % TCP_EVERY == 0)
			send_tcp(port);
		else
			send(udp, packet, make_garbage(packet), 0);
		drain(udp);
		if (i % WINDOW == WINDOW - 1)
			check_alive(udp, (uint16_t)(i / WINDOW));
	}
	check_alive(udp, 0xffff);
	printf("%lu packets sent, the server still answers\n", count);
	return 0;
}
