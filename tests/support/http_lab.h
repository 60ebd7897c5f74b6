/* For unit tests of HTTP endpoints: a free address on this machine, and a client that shows every octet. */
#ifndef SVCDNS_TESTS_HTTP_LAB_H
#define SVCDNS_TESTS_HTTP_LAB_H

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct http_lab {
	int held;	  /* holds the port: SO_REUSEPORT lets us, and nobody else, have it */
	char address[32]; /* "127.0.0.1:40000" */
	char reply[65536];
};

static inline void http_lab_open(struct http_lab *lab)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(in);
	int on = 1;

	lab->held = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(setsockopt(lab->held, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)), 0);
	assert_int_equal(bind(lab->held, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(getsockname(lab->held, (struct sockaddr *)&in, &length), 0);
	snprintf(lab->address, sizeof(lab->address), "127.0.0.1:%u", ntohs(in.sin_port));
}

static inline void http_lab_close(struct http_lab *lab)
{
	close(lab->held);
}

/* -1: nobody listens. */
static inline int http_lab_connect(const struct http_lab *lab)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	in.sin_port = htons((uint16_t)atoi(strchr(lab->address, ':') + 1));
	if (connect(fd, (struct sockaddr *)&in, sizeof(in)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* Sends octets and reads until the other side closes. */
static inline const char *http_lab_exchange(struct http_lab *lab, const char *request)
{
	int fd = http_lab_connect(lab);
	size_t length = 0;
	ssize_t n;

	assert_true(fd >= 0);
	assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
	while ((n = recv(fd, lab->reply + length, sizeof(lab->reply) - 1 - length, 0)) > 0)
		length += (size_t)n;
	lab->reply[length] = '\0';
	close(fd);
	return lab->reply;
}

static inline const char *http_lab_ask(struct http_lab *lab, const char *method, const char *path)
{
	char request[512];

	snprintf(request, sizeof(request), "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", method,
		path);
	return http_lab_exchange(lab, request);
}

static inline bool http_lab_has_status(const struct http_lab *lab, const char *status)
{
	return strncmp(lab->reply, "HTTP/1.1 ", 9) == 0 &&
	       strncmp(lab->reply + 9, status, strlen(status)) == 0;
}

static inline const char *http_lab_body(const struct http_lab *lab)
{
	const char *end = strstr(lab->reply, "\r\n\r\n");

	assert_non_null(end);
	return end + 4;
}

#endif
