/* Asks at a steady rate over UDP, whether or not answers come, and writes down how long each took:
 * pace ADDRESS PORT FILE RATE SECONDS. FILE has lines "NAME TYPE", which are asked one after the other, again
 * and again. Standard output: for every query a uint32_t of this machine, nanoseconds from the time when it
 * was due (so what has to wait for its turn here counts, too) to its answer; UINT32_MAX: none came while 65
 * 536 further ones were sent, or within the second behind the last. */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "queries.h"

#define BATCH	32
#define IDS	65536
#define OCTETS	4096
#define LOST	UINT32_MAX
#define SECOND	1000000000u
#define BUFFERS (4 << 20)

struct pace {
	struct queries queries;
	uint64_t begun, rate, count; /* ns, queries a second, queries */
	uint64_t sent;
	uint32_t *took;	     /* of each query */
	uint32_t asked[IDS]; /* id -> the query that has had it last */
	int fd;
};

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * SECOND + (uint64_t)time.tv_nsec;
}

static int open_socket(const char *address, uint16_t port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_DGRAM, 0), buffers = BUFFERS;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffers, sizeof(buffers));
	if (inet_pton(AF_INET, address, &to.sin_addr) != 1 ||
		connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
		perror(address);
		exit(2);
	}
	return fd;
}

static uint64_t due(const struct pace *pace, uint64_t number)
{
	return pace->begun + number * SECOND / pace->rate;
}

/* What is due by now, up to a batch. */
static void ask(struct pace *pace)
{
	static struct query queries[BATCH];
	static struct mmsghdr messages[BATCH];
	static struct iovec parts[BATCH];
	uint64_t time = now();
	unsigned count = 0;
	int sent;

	while (count < BATCH && pace->sent + count < pace->count && due(pace, pace->sent + count) <= time) {
		uint64_t number = pace->sent + count;

		queries[count] = pace->queries.items[number % pace->queries.count];
		queries[count].wire[0] = (uint8_t)(number >> 8);
		queries[count].wire[1] = (uint8_t)number;
		parts[count] = (struct iovec){queries[count].wire, queries[count].length};
		messages[count].msg_hdr = (struct msghdr){.msg_iov = &parts[count], .msg_iovlen = 1};
		count++;
	}
	sent = count ? sendmmsg(pace->fd, messages, count, MSG_DONTWAIT) : 0;
	for (int i = 0; i < sent; i++, pace->sent++)
		pace->asked[pace->sent % IDS] = (uint32_t)pace->sent;
}

static void take(struct pace *pace)
{
	static uint8_t octets[BATCH][OCTETS];
	struct mmsghdr messages[BATCH];
	struct iovec parts[BATCH];
	uint64_t time;
	int came;

	for (int i = 0; i < BATCH; i++) {
		parts[i] = (struct iovec){octets[i], OCTETS};
		messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
	}
	came = recvmmsg(pace->fd, messages, BATCH, MSG_DONTWAIT, NULL);
	time = now();
	for (int i = 0; i < came; i++) {
		uint32_t number = pace->asked[octets[i][0] << 8 | octets[i][1]];

		if (messages[i].msg_len >= 2 && number < pace->sent && pace->took[number] == LOST)
			pace->took[number] = (uint32_t)(time - due(pace, number));
	}
}

int main(int argc, char **argv)
{
	static struct pace pace;
	uint64_t end;

	pace.rate = argc == 6 ? strtoull(argv[4], NULL, 10) : 0;
	pace.count = argc == 6 ? pace.rate * strtoull(argv[5], NULL, 10) : 0;
	if (!pace.count || pace.count >= LOST) {
		fprintf(stderr, "usage: pace ADDRESS PORT FILE RATE SECONDS\n");
		return 2;
	}
	pace.queries = queries_read(argv[3]);
	pace.fd = open_socket(argv[1], (uint16_t)strtoul(argv[2], NULL, 10));
	pace.took = malloc(pace.count * sizeof(*pace.took));
	if (!pace.took)
		abort();
	memset(pace.took, 0xff, pace.count * sizeof(*pace.took));
	pace.begun = now();
	end = due(&pace, pace.count) + SECOND;
	while (now() < end) {
		ask(&pace);
		take(&pace);
	}
	return fwrite(pace.took, sizeof(*pace.took), pace.count, stdout) != pace.count;
}
