/* The limit of the socket API, and an upstream that never is what takes the time: UDP in batches, and nothing
 * else. echo ADDRESS PORT. */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "echo.h"

#define BATCH	64
#define OCTETS	1500
#define BUFFERS (4 << 20)

struct batch {
	struct mmsghdr messages[BATCH];
	struct iovec parts[BATCH];
	struct sockaddr_in clients[BATCH];
	uint8_t octets[BATCH][OCTETS];
};

static int open_socket(const char *address, uint16_t port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_DGRAM, 0), one = 1, buffers = BUFFERS;

	if (inet_pton(AF_INET, address, &to.sin_addr) != 1)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffers, sizeof(buffers)) != 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffers, sizeof(buffers));
	return bind(fd, (struct sockaddr *)&to, sizeof(to)) == 0 ? fd : -1;
}

static void prepare(struct batch *batch)
{
	for (int i = 0; i < BATCH; i++) {
		batch->parts[i] = (struct iovec){batch->octets[i], OCTETS - sizeof(echo_record)};
		batch->messages[i].msg_hdr = (struct msghdr){.msg_name = &batch->clients[i],
			.msg_namelen = sizeof(batch->clients[i]),
			.msg_iov = &batch->parts[i],
			.msg_iovlen = 1};
	}
}

static void send_all(int fd, struct batch *batch, int count)
{
	for (int done = 0; done < count;) {
		int sent = sendmmsg(fd, batch->messages + done, (unsigned)(count - done), 0);

		if (sent <= 0)
			return;
		done += sent;
	}
}

int main(int argc, char **argv)
{
	static struct batch batch;
	int fd = argc == 3 ? open_socket(argv[1], (uint16_t)atoi(argv[2])) : -1;

	if (fd < 0) {
		fprintf(stderr, "usage: echo ADDRESS PORT, an address of this machine and a free port\n");
		return 2;
	}
	for (;;) {
		int count;

		prepare(&batch);
		count = recvmmsg(fd, batch.messages, BATCH, MSG_WAITFORONE, NULL);
		for (int i = 0; i < count; i++)
			batch.parts[i].iov_len = echo_answer(batch.octets[i], batch.messages[i].msg_len);
		send_all(fd, &batch, count);
	}
}
