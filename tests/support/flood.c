/* Asks a server on 127.0.0.1 for names that are all different, over UDP, with no more than WINDOW unanswered:
 * flood PORT COUNT. Exit 0: all but one in a thousand were answered. */
#include <arpa/inet.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define WINDOW	 256
#define BATCH	 64
#define OCTETS	 512
#define PATIENCE 2000 /* ms without any answer after which those that are missing are given up */

struct batch {
	struct mmsghdr messages[BATCH];
	struct iovec parts[BATCH];
	uint8_t octets[BATCH][OCTETS];
};

static int open_socket(uint16_t port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
		perror("connect");
		exit(1);
	}
	return fd;
}

static void prepare(struct batch *batch)
{
	for (int i = 0; i < BATCH; i++) {
		batch->parts[i] = (struct iovec){batch->octets[i], OCTETS};
		batch->messages[i].msg_hdr = (struct msghdr){.msg_iov = &batch->parts[i], .msg_iovlen = 1};
	}
}

/* "0000002a.flood.test A" */
static size_t write_query(uint8_t *query, uint32_t number)
{
	static const uint8_t header[] = {0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 8};
	static const uint8_t rest[] = "\5flood\4test\0\0\1\0\1";

	memcpy(query, header, sizeof(header));
	query[0] = (uint8_t)(number >> 8);
	query[1] = (uint8_t)number;
	for (int i = 0; i < 8; i++)
		query[13 + i] = (uint8_t) "0123456789abcdef"[number >> (28 - 4 * i) & 15];
	memcpy(query + 21, rest, sizeof(rest) - 1);
	return 21 + sizeof(rest) - 1;
}

/* Returns how many it has sent. */
static uint32_t ask(int fd, struct batch *batch, uint32_t first, uint32_t count)
{
	int sent;

	prepare(batch);
	count = count < BATCH ? count : BATCH;
	for (uint32_t i = 0; i < count; i++)
		batch->parts[i].iov_len = write_query(batch->octets[i], first + i);
	sent = sendmmsg(fd, batch->messages, count, 0);
	return sent > 0 ? (uint32_t)sent : 0;
}

/* Waits for answers; returns how many came. */
static uint32_t take(int fd, struct batch *batch)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	int came;

	if (poll(&wait, 1, PATIENCE) <= 0)
		return 0;
	prepare(batch);
	came = recvmmsg(fd, batch->messages, BATCH, MSG_DONTWAIT, NULL);
	return came > 0 ? (uint32_t)came : 0;
}

int main(int argc, char **argv)
{
	static struct batch batch;
	uint16_t port = argc == 3 ? (uint16_t)atoi(argv[1]) : 0;
	uint32_t count = argc == 3 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0, asked = 0, answered = 0,
		 lost = 0;
	int fd;

	if (!port) {
		fprintf(stderr, "usage: flood PORT COUNT\n");
		return 2;
	}
	fd = open_socket(port);
	while (asked < count || answered + lost < count) {
		uint32_t room = WINDOW - (asked - answered - lost), came;

		if (asked < count && room >= BATCH)
			asked += ask(fd, &batch, asked, count - asked);
		came = take(fd, &batch);
		answered += came;
		if (!came)
			lost = asked - answered;
	}
	printf("%u of %u names answered\n", answered, count);
	return lost > count / 1000;
}
