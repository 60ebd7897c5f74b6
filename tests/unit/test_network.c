/* The network layer over real sockets on the loopback interface, with one plugin that does what a query's
 * first label says. "wait" is held back until somebody asks for "release"; the other labels stand at serve().
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../src/net/cpus.h"
#include "svcdns/clock.h"
#include "svcdns/memory.h"
#include "svcdns/network.h"
#include "svcdns/request.h"

#define PATIENCE_S  20 /* before a test gives up waiting; nothing takes that long */
#define BIG_RECORDS 200
#define MS	    ((int64_t)CLOCK_MS)

/* The kernel's answers to the next calls of sendmmsg(), scripted: 0 is EAGAIN, n > 0: at most n messages. */
static struct {
	int script[8]; /* written before length */
	_Atomic unsigned length, at;
} sending;

int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
	if (sending.at < sending.length) {
		int limit = sending.script[sending.at++];

		if (limit == 0) {
			errno = EAGAIN;
			return -1;
		}
		if (count > (unsigned)limit)
			count = (unsigned)limit;
	}
	return (int)syscall(SYS_sendmmsg, fd, messages, count, flags);
}

/* The plugin. Its state of each worker; only that worker touches it. */
struct echo {
	struct worker *worker;
	struct chain chain;
	struct link link;
	struct request *held[256];
	unsigned held_count;
	struct timer timer; /* resumes outside of serve() */
	sem_t *seen;	    /* posted for every query that is held back */
};

struct fixture {
	struct network_config config;
	struct network_generation generation;
	struct network_listener listener;
	struct network *network;
	struct echo echoes[4];
	sem_t seen;
	uint16_t port;
};

static void release_held(struct echo *echo)
{
	unsigned count = echo->held_count;

	echo->held_count = 0;
	for (unsigned i = 0; i < count; i++) {
		request_reply(echo->held[i], RCODE_NOERROR, 0);
		request_resume(echo->held[i], VERDICT_ANSWERED);
	}
}

static void on_timer(struct timer *timer)
{
	release_held(CONTAINER_OF(timer, struct echo, timer));
}

/* One TXT record: the worker's index, then the address that was asked. */
static void write_txt(struct echo *echo, struct request *r)
{
	char text[ADDRESS_TEXT_MAX];
	struct ip ip;

	address_ip(&r->local, &ip);
	ip_text(&ip, text);
	writer_u16(&r->reply, WRITER_QUESTION);
	writer_open(&r->reply, SECTION_ANSWER, TYPE_TXT, CLASS_IN, 0);
	writer_u8(&r->reply, (uint8_t)(1 + strlen(text)));
	writer_u8(&r->reply, (uint8_t)('0' + echo->worker->index));
	writer_bytes(&r->reply, text, strlen(text));
	writer_close(&r->reply);
}

static void write_big(struct request *r)
{
	static const uint8_t filler[255] = {254};

	for (unsigned i = 0; i < BIG_RECORDS; i++) {
		writer_u16(&r->reply, WRITER_QUESTION);
		writer_open(&r->reply, SECTION_ANSWER, TYPE_TXT, CLASS_IN, 0);
		writer_bytes(&r->reply, filler, sizeof(filler));
		writer_close(&r->reply);
	}
}

static bool asks(const struct request *r, const char *label)
{
	uint8_t length;
	const uint8_t *first = name_label(&r->question.name, 0, &length);

	return length == strlen(label) && memcmp(first, label, length) == 0;
}

static enum verdict hold(struct echo *echo, struct request *r)
{
	assert(echo->held_count < ARRAY_LENGTH(echo->held));
	echo->held[echo->held_count++] = r;
	sem_post(echo->seen);
	return VERDICT_PENDING;
}

static enum verdict serve(void *self, struct request *r)
{
	struct echo *echo = self;

	if (asks(r, "drop"))
		return VERDICT_DROP;
	if (asks(r, "wait"))
		return hold(echo, r);
	if (asks(r, "soon")) { /* answered by itself after a moment */
		timer_set(echo->worker, &echo->timer, echo->worker->now + 20 * CLOCK_MS, on_timer);
		return hold(echo, r);
	}
	if (asks(r, "release"))
		timer_set(echo->worker, &echo->timer, echo->worker->now, on_timer);
	request_reply(r, RCODE_NOERROR, 0);
	if (asks(r, "big"))
		write_big(r);
	else
		write_txt(echo, r);
	return VERDICT_ANSWERED;
}

static const struct plugin echo_plugin = {.name = "echo", .serve = serve};

static void begin(void *context, struct worker *worker, struct router *routers)
{
	struct fixture *f = context;
	struct echo *echo = &f->echoes[worker->index];
	struct route *route = memory_zero(1, sizeof(*route));

	*echo = (struct echo){.worker = worker, .seen = &f->seen};
	echo->link = (struct link){.plugin = &echo_plugin, .self = echo};
	echo->chain = (struct chain){.links = &echo->link, .count = 1};
	chain_lay_out(&echo->chain);
	name_from_text(".", &route->zone);
	route->chain = &echo->chain;
	router_init(&routers[0], route, 1);
}

static void refresh(void *context, struct worker *worker)
{
	(void)context;
	(void)worker;
}

static bool is_idle(void *context, const struct worker *worker)
{
	const struct fixture *f = context;

	return f->echoes[worker->index].held_count == 0;
}

static void end(void *context, struct worker *worker, struct router *routers)
{
	struct fixture *f = context;
	struct echo *echo = &f->echoes[worker->index];

	release_held(echo);
	timer_cancel(worker, &echo->timer);
	router_finish(&routers[0]);
}

static struct fixture *prepare(const char *host, unsigned workers)
{
	struct fixture *f = memory_zero(1, sizeof(*f));
	struct ip ip;

	assert_true(ip_parse(host, &ip));
	address_set(&f->listener.address, &ip, 0);
	f->listener.text = host;
	sem_init(&f->seen, 0, 0);
	f->config = (struct network_config){
		.workers = workers,
		.tcp_connections = 16,
		.tcp = {.first_ns = PATIENCE_S * (int64_t)CLOCK_S,
			.idle_ns = PATIENCE_S * (int64_t)CLOCK_S,
			.write_ns = PATIENCE_S * (int64_t)CLOCK_S},
	};
	f->generation = (struct network_generation){
		.listeners = &f->listener,
		.listener_count = 1,
		.begin = begin,
		.refresh = refresh,
		.is_idle = is_idle,
		.end = end,
		.context = f,
	};
	return f;
}

static struct fixture *run(struct fixture *f)
{
	struct error error = {0};

	f->network = network_start(&f->config, &f->generation, &error);
	if (!f->network)
		fail_msg("%s", error.message);
	f->port = network_port(f->network, 0);
	return f;
}

static struct fixture *start(const char *host, unsigned workers)
{
	return run(prepare(host, workers));
}

static void finish(struct fixture *f)
{
	sem_destroy(&f->seen);
	memory_free(f);
}

static void stop(struct fixture *f)
{
	network_stop(f->network, 0);
	finish(f);
}

/* The client's side. */

static int dial(const char *host, uint16_t port, int type)
{
	struct timeval patience = {.tv_sec = PATIENCE_S};
	union address address;
	struct ip ip;
	int fd;

	assert_true(ip_parse(host, &ip));
	address_set(&address, &ip, port);
	fd = socket(address.any.sa_family, type | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	assert_int_equal(connect(fd, &address.any, address_length(&address)), 0);
	return fd;
}

static int dial_tcp(const struct fixture *f)
{
	return dial("127.0.0.1", f->port, SOCK_STREAM);
}

static int dial_udp(const struct fixture *f)
{
	return dial("127.0.0.1", f->port, SOCK_DGRAM);
}

/* A query for LABEL. TXT IN; over TCP with its length before it. Returns its octets. */
static size_t make_query(uint8_t *out, uint16_t id, const char *label, int type)
{
	struct writer w;

	writer_init(&w, out, 0, 512);
	if (type == SOCK_STREAM)
		writer_u16(&w, (uint16_t)(MESSAGE_HEADER + 1 + strlen(label) + 5));
	writer_u16(&w, id);
	writer_bytes(&w, "\1\0\0\1\0\0\0\0\0\0", 10);
	writer_label(&w, label, (uint8_t)strlen(label));
	writer_bytes(&w, "\0\0\x10\0\1", 5);
	return w.length;
}

static void ask(int fd, int type, uint16_t id, const char *label)
{
	uint8_t query[512];
	size_t length = make_query(query, id, label, type);

	assert_int_equal(send(fd, query, length, MSG_NOSIGNAL), length);
}

static void ask_tcp(int fd, uint16_t id, const char *label)
{
	ask(fd, SOCK_STREAM, id, label);
}

static void ask_udp(int fd, uint16_t id, const char *label)
{
	ask(fd, SOCK_DGRAM, id, label);
}

/* The next reply, which must be whole: returns its id. */
static uint16_t read_tcp(int fd, uint8_t *out, size_t *ret_length)
{
	uint8_t prefix[2];

	assert_int_equal(recv(fd, prefix, 2, MSG_WAITALL), 2);
	*ret_length = message_u16(prefix);
	assert_int_equal(recv(fd, out, *ret_length, MSG_WAITALL), *ret_length);
	assert_true(message_flags(out) & FLAG_QR);
	return message_id(out);
}

static void expect_tcp(int fd, uint16_t id)
{
	uint8_t reply[MESSAGE_MAX];
	size_t length;

	assert_int_equal(read_tcp(fd, reply, &length), id);
}

static size_t expect_udp(int fd, uint16_t id, uint8_t reply[512])
{
	ssize_t length = recv(fd, reply, 512, 0);

	assert_true(length >= MESSAGE_HEADER);
	assert_true(message_flags(reply) & FLAG_QR);
	assert_int_equal(message_id(reply), id);
	return (size_t)length;
}

static void expect_end(int fd)
{
	uint8_t octet;

	assert_int_equal(recv(fd, &octet, 1, 0), 0);
	close(fd);
}

/* What write_txt() wrote, as text. */
static void read_txt(const uint8_t *reply, size_t length, char out[256])
{
	struct reader reader;
	struct record record;

	reader_init(&reader, reply, length, MESSAGE_HEADER);
	reader_skip_name(&reader);
	reader_skip(&reader, 4);
	assert_true(reader_record(&reader, &record));
	snprintf(out, 256, "%.*s", reply[record.rdata], (const char *)reply + record.rdata + 1);
}

static void check_udp(const char *host, uint16_t port, const char *expected)
{
	int fd = dial(host, port, SOCK_DGRAM);
	uint8_t reply[512];
	char text[256];
	size_t length;

	ask_udp(fd, 7, "a");
	length = expect_udp(fd, 7, reply);
	read_txt(reply, length, text);
	assert_string_equal(text, expected);
	close(fd);
}

static void check_tcp(const char *host, uint16_t port, const char *expected)
{
	int fd = dial(host, port, SOCK_STREAM);
	uint8_t reply[512];
	char text[256];
	size_t length;

	ask_tcp(fd, 8, "a");
	assert_int_equal(read_tcp(fd, reply, &length), 8);
	read_txt(reply, length, text);
	assert_string_equal(text, expected);
	close(fd);
}

static void wait_until_held(struct fixture *f)
{
	while (sem_wait(&f->seen) != 0)
		;
}

static bool has_ipv6(void)
{
	union address address = {.in6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT}};
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);
	bool ok = fd >= 0 && bind(fd, &address.any, sizeof(address.in6)) == 0;

	if (fd >= 0)
		close(fd);
	return ok;
}

/* The tests. */

static void one_address_udp_and_tcp(void **state)
{
	struct fixture *f = start("127.0.0.1", 1);

	(void)state;
	check_udp("127.0.0.1", f->port, "0127.0.0.1");
	check_tcp("127.0.0.1", f->port, "0127.0.0.1");
	stop(f);
}

static void wildcard_answers_from_the_address_that_was_asked(void **state)
{
	struct fixture *f = start("0.0.0.0", 1);

	(void)state;
	/* A connected UDP socket gets nothing that comes from another address. */
	check_udp("127.0.0.1", f->port, "0127.0.0.1");
	check_udp("127.0.0.2", f->port, "0127.0.0.2");
	check_tcp("127.0.0.2", f->port, "0127.0.0.2");
	if (has_ipv6()) {
		check_udp("::1", f->port, "0::1");
		check_tcp("::1", f->port, "0::1");
	}
	stop(f);
}

static void ipv6_address(void **state)
{
	struct fixture *f;

	(void)state;
	if (!has_ipv6())
		skip();
	f = start("::1", 1);
	check_udp("::1", f->port, "0::1");
	check_tcp("::1", f->port, "0::1");
	stop(f);
}

static void all_workers_answer(void **state)
{
	struct fixture *f = start("127.0.0.1", 2);
	bool seen[2] = {false, false};
	uint8_t reply[512];
	char text[256];

	(void)state;
	/* The kernel chooses by the client's port: 256 ports all at one worker do not happen. */
	for (uint16_t i = 0; i < 256 && !(seen[0] && seen[1]); i++) {
		int fd = dial_udp(f);

		ask_udp(fd, i, "a");
		read_txt(reply, expect_udp(fd, i, reply), text);
		seen[text[0] - '0'] = true;
		close(fd);
	}
	assert_true(seen[0] && seen[1]);
	stop(f);
}

static void default_number_of_workers(void **state)
{
	struct fixture *f = prepare("127.0.0.1", 1);

	(void)state;
	assert_in_range(network_default_workers(), 1, 16384);
	finish(f);
}

static void udp_query_that_waits(void **state)
{
	struct fixture *f = start("127.0.0.1", 1);
	int fd = dial_udp(f), other = dial_udp(f);
	uint8_t reply[512];

	(void)state;
	ask_udp(fd, 1, "wait");
	ask_udp(other, 2, "wait");
	wait_until_held(f);
	wait_until_held(f);
	ask_udp(fd, 3, "release");
	expect_udp(fd, 3, reply);
	expect_udp(fd, 1, reply);
	expect_udp(other, 2, reply);
	close(fd);
	close(other);
	stop(f);
}

static void udp_noise_gets_no_answer(void **state)
{
	struct fixture *f = start("127.0.0.1", 1);
	uint8_t reply[512], noise[5000] = {0};
	int fd = dial_udp(f);

	(void)state;
	assert_int_equal(send(fd, "", 0, 0), 0);
	assert_int_equal(send(fd, "short", 5, 0), 5);
	noise[2] = 0x80; /* a response */
	assert_int_equal(send(fd, noise, sizeof(noise), 0), sizeof(noise));
	ask_udp(fd, 4, "drop");
	ask_udp(fd, 5, "a");
	expect_udp(fd, 5, reply);
	close(fd);
	stop(f);
}

static void udp_burst_larger_than_a_batch(void **state)
{
	struct fixture *f = start("127.0.0.1", 1);
	int fd = dial_udp(f);
	uint8_t reply[512];

	(void)state;
	for (uint16_t i = 0; i < 200; i++)
		ask_udp(fd, i, "a");
	for (uint16_t i = 0; i < 200; i++)
		expect_udp(fd, i, reply);
	close(fd);
	stop(f);
}

static void udp_partial_sends(void **state)
{
	struct fixture *f = start("127.0.0.1", 1);
	int fd = dial_udp(f);
	uint8_t reply[512];

	(void)state;
	for (uint16_t i = 0; i < 10; i++)
		ask_udp(fd, i, "wait");
	for (unsigned i = 0; i < 10; i++)
		wait_until_held(f);
	memcpy(sending.script, (const int[]){1, 0, 3, 0, 0}, 5 * sizeof(int));
	sending.length = 5;
	ask_udp(fd, 10, "release");
	expect_udp(fd, 10, reply);
	for (uint16_t i = 0; i < 10; i++)
		expect_udp(fd, i, reply);
	ask_udp(fd, 11, "a"); /* it reads again */
	expect_udp(fd, 11, reply);
	assert_int_equal(sending.at, 5);
	close(fd);
	stop(f);
}

static void tcp_octet_by_octet(void **state)
{
	struct fixture *f = start("127.0.0.1", 1);
	int fd = dial_tcp(f), on = 1;
	uint8_t query[512];
	size_t length = make_query(query, 9, "a", SOCK_STREAM);

	(void)state;
	setsockopt(fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &on, sizeof(on));
	for (size_t i = 0; i < length; i++)
		assert_int_equal(send(fd, query + i, 1, 0), 1);
	expect_tcp(fd, 9);
	close(fd);
	stop(f);
}

static void tcp_many_queries_in_one_segment(void **state)
{
	struct fixture *f = start("127.0.0.1", 1);
	static uint8_t queries[64 * 1024];
	int fd = dial_tcp(f);
	size_t length = 0;

	(void)state;
	for (uint16_t i = 0; i < 1000; i++)
		length += make_query(queries + length, i, "a", SOCK_STREAM);
	assert_int_equal(send(fd, queries, length, 0), length);
	for (uint16_t i = 0; i < 1000; i++)
		expect_tcp(fd, i);
	close(fd);
	stop(f);
}

static void tcp_replies_overtake(void **state)
{
	struct fixture *f = start("127.0.0.1", 1);
	int fd = dial_tcp(f);

	(void)state;
	ask_tcp(fd, 1, "wait");
	ask_tcp(fd, 2, "a");
	expect_tcp(fd, 2);
	ask_tcp(fd, 3, "release");
	expect_tcp(fd, 3);
	expect_tcp(fd, 1);
	close(fd);
	stop(f);
}

static void tcp_queries_in_flight_are_bounded(void **state)
{
	struct fixture *f = start("127.0.0.1", 1);
	int fd = dial_tcp(f), udp = dial_udp(f), held = 0;
	uint8_t reply[512];

	(void)state;
	for (uint16_t i = 0; i < 100; i++)
		ask_tcp(fd, i, "wait");
	for (unsigned i = 0; i < 64; i++)
		wait_until_held(f);
	ask_udp(udp, 0, "a"); /* everything before it has been dealt with by its answer */
	expect_udp(udp, 0, reply);
	sem_getvalue(&f->seen, &held);
	assert_int_equal(held, 0);
	ask_udp(udp, 1, "release");
	for (uint16_t i = 0; i < 64; i++)
		expect_tcp(fd, i);
	for (unsigned i = 64; i < 100; i++)
		wait_until_held(f);
	ask_udp(udp, 2, "release");
	for (uint16_t i = 64; i < 100; i++)
		expect_tcp(fd, i);
	close(fd);
	close(udp);
	stop(f);
}

static void tcp_half_close(void **state)
{
	struct fixture *f = start("127.0.0.1", 1);
	int fd = dial_tcp(f), idle = dial_tcp(f), udp = dial_udp(f);

	(void)state;
	ask_tcp(fd, 1, "wait");
	ask_tcp(fd, 2, "a");
	shutdown(fd, SHUT_WR);
	expect_tcp(fd, 2);
	wait_until_held(f);
	ask_udp(udp, 3, "release");
	expect_tcp(fd, 1);
	expect_end(fd);
	shutdown(idle, SHUT_WR);
	expect_end(idle);
	close(udp);
	stop(f);
}

static void tcp_client_leaves_while_its_query_waits(void **state)
{
	struct fixture *f = start("127.0.0.1", 1);
	struct linger reset = {.l_onoff = 1};
	int fd = dial_tcp(f), udp = dial_udp(f);
	uint8_t reply[512];

	(void)state;
	ask_tcp(fd, 1, "wait");
	wait_until_held(f);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(fd);
	ask_udp(udp, 2, "a");
	expect_udp(udp, 2, reply);
	ask_udp(udp, 3, "release");
	expect_udp(udp, 3, reply);
	close(udp);
	stop(f);
}

static void tcp_nonsense(void **state)
{
	struct fixture *f = start("127.0.0.1", 1);
	int fd = dial_tcp(f);

	(void)state;
	assert_int_equal(send(fd, "\0\0\0\5short", 9, 0), 9); /* of no octets, and of five */
	ask_tcp(fd, 1, "drop");
	ask_tcp(fd, 2, "a");
	expect_tcp(fd, 2);
	close(fd);
	stop(f);
}

static void tcp_first_query_times_out(void **state)
{
	struct fixture *f = prepare("127.0.0.1", 1);
	int silent, half;

	(void)state;
	f->config.tcp.first_ns = 50 * MS;
	run(f);
	silent = dial_tcp(f);
	half = dial_tcp(f);
	assert_int_equal(send(half, "\0\x20half", 6, 0), 6);
	expect_end(silent);
	expect_end(half);
	stop(f);
}

static void tcp_limits_of_a_listener(void **state)
{
	struct fixture *f = prepare("127.0.0.1", 1);
	int idle, busy;

	(void)state;
	f->config.tcp.queries = 100;
	f->listener.tcp = (struct tcp_limits){.idle_ns = 50 * MS, .queries = 2};
	run(f);
	idle = dial_tcp(f);
	ask_tcp(idle, 1, "a");
	expect_tcp(idle, 1);
	expect_end(idle);
	stop(f);

	f = prepare("127.0.0.1", 1);
	f->listener.tcp.queries = 2;
	run(f);
	busy = dial_tcp(f);
	ask_tcp(busy, 1, "a");
	expect_tcp(busy, 1);
	ask_tcp(busy, 2, "a");
	expect_tcp(busy, 2);
	expect_end(busy); /* though it would have been waited for long */
	stop(f);
}

static void tcp_idle_times_out_but_not_a_query_that_waits(void **state)
{
	struct fixture *f = prepare("127.0.0.1", 1);
	int waiting, idle, udp;

	(void)state;
	f->config.tcp.idle_ns = 50 * MS;
	run(f);
	udp = dial_udp(f);
	waiting = dial_tcp(f);
	ask_tcp(waiting, 1, "wait");
	wait_until_held(f);
	idle = dial_tcp(f);
	ask_tcp(idle, 2, "a");
	expect_tcp(idle, 2);
	expect_end(idle); /* so the time is over for the other one, too */
	ask_udp(udp, 3, "release");
	expect_tcp(waiting, 1);
	expect_end(waiting);
	close(udp);
	stop(f);
}

static void tcp_oldest_idle_connection_makes_room(void **state)
{
	struct fixture *f = prepare("127.0.0.1", 1);
	int oldest, idle, fresh;

	(void)state;
	f->config.tcp_connections = 2;
	run(f);
	oldest = dial_tcp(f);
	ask_tcp(oldest, 1, "a");
	expect_tcp(oldest, 1);
	idle = dial_tcp(f);
	ask_tcp(idle, 2, "a");
	expect_tcp(idle, 2);
	fresh = dial_tcp(f);
	ask_tcp(fresh, 3, "a");
	expect_tcp(fresh, 3);
	expect_end(oldest);
	ask_tcp(idle, 4, "a");
	expect_tcp(idle, 4);
	close(idle);
	close(fresh);
	stop(f);
}

/* A server of one connection, which has a query that waits. */
static struct fixture *start_busy(int *ret_busy, int *ret_udp)
{
	struct fixture *f = prepare("127.0.0.1", 1);

	f->config.tcp_connections = 1;
	run(f);
	*ret_udp = dial_udp(f);
	*ret_busy = dial_tcp(f);
	ask_tcp(*ret_busy, 1, "wait");
	wait_until_held(f);
	return f;
}

static void tcp_refuses_when_all_are_busy(void **state)
{
	int busy, refused, udp;
	struct fixture *f = start_busy(&busy, &udp);

	(void)state;
	refused = dial_tcp(f);
	expect_end(refused);
	ask_udp(udp, 2, "release");
	expect_tcp(busy, 1);
	close(busy);
	close(udp);
	stop(f);
}

static void tcp_reset_is_seen_though_nothing_is_read(void **state)
{
	struct linger linger = {.l_onoff = 1, .l_linger = 0};
	int gone, fresh, udp;
	struct fixture *f = start_busy(&gone, &udp);
	uint8_t reply[512];

	(void)state;
	shutdown(gone, SHUT_WR);
	ask_udp(udp, 4, "a"); /* when that is answered, the end has been read */
	expect_udp(udp, 4, reply);
	setsockopt(gone, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(gone);
	fresh = dial_tcp(f);
	ask_tcp(fresh, 2, "a");
	expect_tcp(fresh, 2);
	ask_udp(udp, 3, "release"); /* of the query whose client has gone */
	expect_udp(udp, 3, reply);
	close(fresh);
	close(udp);
	stop(f);
}

static void tcp_client_that_does_not_read_is_cut(void **state)
{
	struct fixture *f = prepare("127.0.0.1", 1);
	struct pollfd pollfd = {.events = 0};
	int small = 4096, fd, udp;
	uint8_t reply[512];

	(void)state;
	f->config.tcp.write_ns = 50 * MS;
	run(f);
	fd = dial_tcp(f);
	udp = dial_udp(f);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	for (uint16_t i = 0; i < 400; i++) /* 20 MB of replies: more than the kernel holds */
		ask_tcp(fd, i, "big");
	pollfd.fd = fd;
	assert_int_equal(poll(&pollfd, 1, PATIENCE_S * 1000), 1);
	assert_true(pollfd.revents & POLLHUP);
	ask_udp(udp, 1, "a");
	expect_udp(udp, 1, reply);
	close(fd);
	close(udp);
	stop(f);
}

static void tcp_slow_reader_gets_everything(void **state)
{
	struct fixture *f = start("127.0.0.1", 1);
	int fd = dial_tcp(f);

	(void)state;
	for (uint16_t i = 0; i < 400; i++)
		ask_tcp(fd, i, "big");
	for (uint16_t i = 0; i < 400; i++)
		expect_tcp(fd, i);
	close(fd);
	stop(f);
}

static void stop_waits_for_what_is_under_way(void **state)
{
	struct fixture *f = start("127.0.0.1", 1);
	int udp = dial_udp(f), tcp = dial_tcp(f), idle = dial_tcp(f);
	uint8_t reply[512];

	(void)state;
	ask_tcp(idle, 1, "a");
	expect_tcp(idle, 1);
	ask_udp(udp, 2, "soon");
	ask_tcp(tcp, 3, "soon");
	wait_until_held(f);
	wait_until_held(f);
	network_stop(f->network, PATIENCE_S * (int64_t)CLOCK_S);
	expect_udp(udp, 2, reply);
	expect_tcp(tcp, 3);
	expect_end(tcp);
	expect_end(idle);
	close(udp);
	finish(f);
}

static void stop_waits_no_longer_than_it_is_told(void **state)
{
	struct fixture *f = start("127.0.0.1", 1);
	int udp = dial_udp(f), tcp = dial_tcp(f);
	uint8_t reply[512];

	(void)state;
	ask_udp(udp, 2, "wait");
	ask_tcp(tcp, 3, "wait");
	wait_until_held(f);
	wait_until_held(f);
	network_stop(f->network, 10 * MS);
	expect_udp(udp, 2, reply); /* end() answers what it finds */
	expect_tcp(tcp, 3);
	expect_end(tcp);
	close(udp);
	finish(f);
}

/* A UDP socket that keeps its port to itself, and a TCP socket that shares the same port but does not listen.
 */
static union address take_port(int *ret_udp, int *ret_tcp)
{
	union address address = {.in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}};
	socklen_t length = sizeof(address.in);
	int on = 1;

	*ret_tcp = socket(AF_INET, SOCK_STREAM, 0);
	*ret_udp = socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(setsockopt(*ret_tcp, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)), 0);
	assert_int_equal(bind(*ret_tcp, &address.any, length), 0);
	assert_int_equal(getsockname(*ret_tcp, &address.any, &length), 0);
	assert_int_equal(bind(*ret_udp, &address.any, length), 0);
	return address;
}

static void address_in_use(void **state)
{
	struct fixture *f = prepare("127.0.0.1", 2);
	struct error error = {0};
	int udp, tcp, client = socket(AF_INET, SOCK_STREAM, 0);

	(void)state;
	f->listener.address = take_port(&udp, &tcp);
	f->listener.text = "127.0.0.1:PORT";
	assert_null(network_start(&f->config, &f->generation, &error));
	assert_string_equal(
		error.message, "ListenPacket: listen udp 127.0.0.1:PORT: bind: address already in use");
	assert_int_equal(connect(client, &f->listener.address.any, sizeof(struct sockaddr_in)), -1);
	assert_int_equal(errno, ECONNREFUSED); /* nothing was left listening */
	close(client);
	close(tcp);
	close(udp);
	finish(f);
}

static void address_of_another_host(void **state)
{
	struct fixture *f = prepare("203.0.113.77", 1);
	struct error error = {0};

	(void)state;
	assert_null(network_start(&f->config, &f->generation, &error));
	assert_string_equal(
		error.message, "Listen: listen tcp 203.0.113.77: bind: cannot assign requested address");
	finish(f);
}

/* One generation after another. */

/* The next one, at an address of its own or at that of the one before. */
static struct fixture *follow(const struct fixture *before, const char *host)
{
	struct fixture *next = prepare(host ? host : before->listener.text, before->config.workers);
	struct error error = {0};

	next->network = before->network;
	if (!network_switch(next->network, &next->generation, &error))
		fail_msg("%s", error.message);
	next->port = network_port(next->network, 0);
	return next;
}

static void retire(struct fixture *f, int64_t grace_ns)
{
	network_retire(f->network, grace_ns);
	finish(f);
}

static void the_next_generation_has_sockets_and_connections(void **state)
{
	struct fixture *first = start("127.0.0.1", 2), *next;
	int udp = dial_udp(first), tcp = dial_tcp(first);
	uint8_t reply[512];

	(void)state;
	ask_tcp(tcp, 1, "a");
	expect_tcp(tcp, 1);
	next = follow(first, NULL);
	assert_int_equal(next->port, first->port);
	retire(first, PATIENCE_S * (int64_t)CLOCK_S);
	ask_tcp(tcp, 2, "soon");
	ask_udp(udp, 3, "soon");
	wait_until_held(next);
	wait_until_held(next);
	expect_tcp(tcp, 2);
	expect_udp(udp, 3, reply);
	close(tcp);
	close(udp);
	stop(next);
}

static void queries_stay_with_their_generation(void **state)
{
	struct fixture *first = start("127.0.0.1", 1), *next;
	int udp = dial_udp(first), tcp = dial_tcp(first);
	uint8_t reply[512];

	(void)state;
	ask_udp(udp, 1, "wait");
	ask_tcp(tcp, 2, "wait");
	wait_until_held(first);
	wait_until_held(first);
	next = follow(first, NULL);
	ask_tcp(tcp, 3, "a");
	expect_tcp(tcp, 3); /* the next one answers, while the first still has two */
	ask_tcp(tcp, 4, "soon");
	wait_until_held(next);
	expect_tcp(tcp, 4);
	assert_int_equal(first->echoes[0].held_count, 2);
	network_retire(first->network, 10 * MS); /* end() answers what it finds */
	assert_int_equal(first->echoes[0].held_count, 0);
	expect_udp(udp, 1, reply);
	expect_tcp(tcp, 2);
	finish(first);
	close(tcp);
	close(udp);
	stop(next);
}

static void retire_waits_for_what_is_under_way(void **state)
{
	struct fixture *first = start("127.0.0.1", 1), *next;
	int udp = dial_udp(first);
	uint8_t reply[512];

	(void)state;
	ask_udp(udp, 1, "soon");
	wait_until_held(first);
	next = follow(first, NULL);
	network_retire(first->network, PATIENCE_S * (int64_t)CLOCK_S);
	assert_int_equal(first->echoes[0].held_count, 0);
	assert_int_equal(recv(udp, reply, sizeof(reply), MSG_DONTWAIT), MESSAGE_HEADER + 10);
	finish(first);
	close(udp);
	stop(next);
}

static void addresses_come_and_go(void **state)
{
	struct fixture *first = start("127.0.0.1", 1), *next;
	int udp = dial_udp(first), idle = dial_tcp(first), busy = dial_tcp(first), late;
	union address gone;
	uint8_t reply[512];
	struct ip ip;

	(void)state;
	ask_tcp(idle, 1, "a");
	expect_tcp(idle, 1);
	ask_udp(udp, 2, "soon");
	ask_tcp(busy, 3, "soon");
	wait_until_held(first);
	wait_until_held(first);
	assert_true(ip_parse("127.0.0.1", &ip));
	address_set(&gone, &ip, first->port);
	next = follow(first, "127.0.0.2");
	retire(first, PATIENCE_S * (int64_t)CLOCK_S);
	expect_udp(udp, 2, reply);
	expect_tcp(busy, 3);
	expect_end(busy);
	expect_end(idle);
	late = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(late, &gone.any, sizeof(gone.in)), -1);
	assert_int_equal(errno, ECONNREFUSED);
	check_udp("127.0.0.2", next->port, "0127.0.0.2");
	close(late);
	close(udp);
	stop(next);
}

static void a_client_that_does_not_read_does_not_hold_a_generation(void **state)
{
	struct fixture *first = start("127.0.0.1", 1), *next;
	int fd = dial_tcp(first);

	(void)state;
	for (uint16_t i = 0; i < 400; i++)
		ask_tcp(fd, i, "big");
	next = follow(first, "127.0.0.2");
	retire(first, 10 * MS);
	check_tcp("127.0.0.2", next->port, "0127.0.0.2");
	close(fd);
	stop(next);
}

static void nothing_changes_where_an_address_cannot_be_had(void **state)
{
	struct fixture *first = start("127.0.0.1", 2), *next = prepare("203.0.113.77", 2);
	int tcp = dial_tcp(first);
	struct error error = {0};

	(void)state;
	assert_false(network_switch(first->network, &next->generation, &error));
	assert_string_equal(
		error.message, "Listen: listen tcp 203.0.113.77: bind: cannot assign requested address");
	ask_tcp(tcp, 1, "soon");
	wait_until_held(first);
	expect_tcp(tcp, 1);
	finish(next);
	close(tcp);
	stop(first);
}

/* CPU quotas. A tree of files stands for /proc/self/cgroup and /sys/fs/cgroup. */

static void put(const char *folder, const char *path, const char *text)
{
	char whole[512];
	FILE *file;

	snprintf(whole, sizeof(whole), "%s/%s", folder, path);
	for (char *slash = whole + strlen(folder) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		mkdir(whole, 0700);
		*slash = '/';
	}
	file = fopen(whole, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void cpu_quotas(void **state)
{
	static const struct {
		const char *group, *path, *text, *path2, *text2;
		unsigned expected;
	} cases[] = {
		{"0::/\n", "cpu.max", "max 100000\n", NULL, NULL, 0},
		{"0::/\n", "cpu.max", "250000 100000\n", NULL, NULL, 2},
		{"0::/\n", "cpu.max", "50000 100000\n", NULL, NULL, 1},
		{"0::/a/b\n", "a/b/cpu.max", "800000 100000\n", "a/cpu.max", "300000 100000\n", 3},
		{"0::/a/b\n", "a/b/cpu.max", "200000 100000\n", "a/cpu.max", "max 100000\n", 2},
		{"0::/not/seen/here\n", "cpu.max", "400000 100000\n", NULL, NULL, 4},
		{"5:cpu,cpuacct:/g\n0::/\n", "cpu/g/cpu.cfs_quota_us", "300000\n", "cpu/g/cpu.cfs_period_us",
			"100000\n", 3},
		{"5:cpu,cpuacct:/g\n", "cpu/g/cpu.cfs_quota_us", "-1\n", "cpu/g/cpu.cfs_period_us",
			"100000\n", 0},
		{"4:cpuset:/g\n", "cpu/g/cpu.cfs_quota_us", "300000\n", "cpu/g/cpu.cfs_period_us", "100000\n",
			0},
		{"nonsense\n", "cpu.max", "400000 100000\n", NULL, NULL, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		char folder[] = "/tmp/test_network.XXXXXX", file[64], command[64];

		assert_non_null(mkdtemp(folder));
		put(folder, "self", cases[i].group);
		put(folder, cases[i].path, cases[i].text);
		if (cases[i].path2)
			put(folder, cases[i].path2, cases[i].text2);
		snprintf(file, sizeof(file), "%s/self", folder);
		assert_int_equal(cpus_quota(file, folder), cases[i].expected);
		snprintf(command, sizeof(command), "rm -r %s", folder);
		assert_int_equal(system(command), 0);
	}
	assert_int_equal(cpus_quota("/nowhere", "/nowhere"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_address_udp_and_tcp),
		cmocka_unit_test(wildcard_answers_from_the_address_that_was_asked),
		cmocka_unit_test(ipv6_address),
		cmocka_unit_test(all_workers_answer),
		cmocka_unit_test(default_number_of_workers),
		cmocka_unit_test(udp_query_that_waits),
		cmocka_unit_test(udp_noise_gets_no_answer),
		cmocka_unit_test(udp_burst_larger_than_a_batch),
		cmocka_unit_test(udp_partial_sends),
		cmocka_unit_test(tcp_octet_by_octet),
		cmocka_unit_test(tcp_many_queries_in_one_segment),
		cmocka_unit_test(tcp_replies_overtake),
		cmocka_unit_test(tcp_queries_in_flight_are_bounded),
		cmocka_unit_test(tcp_half_close),
		cmocka_unit_test(tcp_client_leaves_while_its_query_waits),
		cmocka_unit_test(tcp_nonsense),
		cmocka_unit_test(tcp_first_query_times_out),
		cmocka_unit_test(tcp_limits_of_a_listener),
		cmocka_unit_test(tcp_idle_times_out_but_not_a_query_that_waits),
		cmocka_unit_test(tcp_oldest_idle_connection_makes_room),
		cmocka_unit_test(tcp_refuses_when_all_are_busy),
		cmocka_unit_test(tcp_reset_is_seen_though_nothing_is_read),
		cmocka_unit_test(tcp_client_that_does_not_read_is_cut),
		cmocka_unit_test(tcp_slow_reader_gets_everything),
		cmocka_unit_test(stop_waits_for_what_is_under_way),
		cmocka_unit_test(stop_waits_no_longer_than_it_is_told),
		cmocka_unit_test(address_in_use),
		cmocka_unit_test(address_of_another_host),
		cmocka_unit_test(the_next_generation_has_sockets_and_connections),
		cmocka_unit_test(queries_stay_with_their_generation),
		cmocka_unit_test(retire_waits_for_what_is_under_way),
		cmocka_unit_test(addresses_come_and_go),
		cmocka_unit_test(a_client_that_does_not_read_does_not_hold_a_generation),
		cmocka_unit_test(nothing_changes_where_an_address_cannot_be_had),
		cmocka_unit_test(cpu_quotas),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
