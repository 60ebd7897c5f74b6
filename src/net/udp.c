/* Queries come and replies go in batches, one system call for each.
 *
 * Every slot of the batch holds a request into whose wire the kernel writes. After query_answer() the request
 * has left its slot, which gets another one from the pool: it went to the outgoing list, back to the pool, or
 * it waits for an upstream and comes back through deliver(). So a request has one owner at any time.
 *
 * A socket that the kernel takes no more replies from is not read either: what comes in then waits, and is
 * dropped if need be, in the kernel's buffer, and the outgoing list stays as short as a batch and what
 * upstreams still deliver. */
#include "udp.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "net_worker.h"
#include "socket.h"
#include "svcdns/memory.h"
#include "svcdns/query.h"

#define BATCH	     64
#define ROUNDS	     8	  /* batches before others on the loop get their turn */
#define DATAGRAM_MAX 4096 /* octets of a query; what is longer is cut, and then malformed */

/* Room for a control message, IP_PKTINFO or IPV6_PKTINFO. */
struct control {
	_Alignas(struct cmsghdr) unsigned char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

struct udp_batch {
	struct mmsghdr receive[BATCH], send[BATCH];
	struct iovec read[BATCH], write[BATCH];
	struct control asked[BATCH], source[BATCH];
	struct request *requests[BATCH];
	struct worker *worker;
};

static void fill_slot(struct udp_batch *batch, unsigned i)
{
	struct request *request = request_take(batch->worker);

	batch->requests[i] = request;
	batch->read[i] = (struct iovec){request->wire, DATAGRAM_MAX};
	batch->receive[i].msg_hdr = (struct msghdr){
		.msg_name = &request->client,
		.msg_namelen = sizeof(request->client),
		.msg_iov = &batch->read[i],
		.msg_iovlen = 1,
		.msg_control = &batch->asked[i],
		.msg_controllen = sizeof(batch->asked[i]),
	};
}

struct udp_batch *udp_batch_create(struct worker *worker)
{
	struct udp_batch *batch = memory_zero(1, sizeof(*batch));

	batch->worker = worker;
	for (unsigned i = 0; i < BATCH; i++)
		fill_slot(batch, i);
	return batch;
}

void udp_batch_free(struct udp_batch *batch)
{
	for (unsigned i = 0; i < BATCH; i++)
		request_release(batch->requests[i]);
	memory_free(batch);
}

struct udp *udp_create(struct net_worker *owner, const union address *address, int fd)
{
	struct udp *udp = memory_zero(1, sizeof(*udp));

	udp->owner = owner;
	udp->fd = fd;
	udp->local = *address;
	udp->is_wildcard = address_is_wildcard(address);
	udp->outgoing_end = &udp->outgoing;
	uv_poll_init(&owner->loop, &udp->poll, fd);
	return udp;
}

static void append(struct udp *udp, struct request *request)
{
	request->next = NULL;
	*udp->outgoing_end = request;
	udp->outgoing_end = &request->next;
}

static void drop_first(struct udp *udp)
{
	struct request *request = udp->outgoing;

	udp->outgoing = request->next;
	if (!udp->outgoing)
		udp->outgoing_end = &udp->outgoing;
	request_release(request);
}

static void deliver(struct request *request, enum verdict verdict)
{
	struct udp *udp = request->owner;

	if (verdict == VERDICT_ANSWERED && udp->fd >= 0)
		append(udp, request); /* goes out before the loop waits again */
	else
		request_release(request);
}

/* The address that was asked, into request->local. */
static void read_destination(struct request *request, struct msghdr *message)
{
	struct cmsghdr *header = CMSG_FIRSTHDR(message);
	struct in_pktinfo in;
	struct in6_pktinfo in6;

	if (!header)
		return;
	if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO) {
		memcpy(&in, CMSG_DATA(header), sizeof(in));
		request->local.in.sin_addr = in.ipi_addr;
	} else if (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_PKTINFO) {
		memcpy(&in6, CMSG_DATA(header), sizeof(in6));
		request->local.in6.sin6_addr = in6.ipi6_addr;
		if (IN6_IS_ADDR_LINKLOCAL(&in6.ipi6_addr))
			request->local.in6.sin6_scope_id = in6.ipi6_ifindex;
	}
}

/* The control message by which a reply leaves from request->local. The route is the kernel's choice but for
 * link-local addresses, which mean nothing without their interface. */
static void write_source(const struct request *request, struct control *out, struct msghdr *message)
{
	struct in_pktinfo in = {0};
	struct in6_pktinfo in6 = {0};
	struct cmsghdr *header = (void *)out->bytes;

	if (request->local.any.sa_family == AF_INET) {
		in.ipi_spec_dst = request->local.in.sin_addr;
		*header = (struct cmsghdr){
			.cmsg_len = CMSG_LEN(sizeof(in)), .cmsg_level = IPPROTO_IP, .cmsg_type = IP_PKTINFO};
		memcpy(CMSG_DATA(header), &in, sizeof(in));
		message->msg_controllen = CMSG_SPACE(sizeof(in));
	} else {
		in6.ipi6_addr = request->local.in6.sin6_addr;
		in6.ipi6_ifindex = request->local.in6.sin6_scope_id;
		*header = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(in6)),
			.cmsg_level = IPPROTO_IPV6,
			.cmsg_type = IPV6_PKTINFO};
		memcpy(CMSG_DATA(header), &in6, sizeof(in6));
		message->msg_controllen = CMSG_SPACE(sizeof(in6));
	}
	message->msg_control = out;
}

static unsigned gather(struct udp *udp, struct udp_batch *batch)
{
	unsigned count = 0;

	for (struct request *r = udp->outgoing; r && count < BATCH; r = r->next, count++) {
		struct msghdr *message = &batch->send[count].msg_hdr;

		batch->write[count] = (struct iovec){r->wire, r->reply.length};
		*message = (struct msghdr){
			.msg_name = &r->client,
			.msg_namelen = address_length(&r->client),
			.msg_iov = &batch->write[count],
			.msg_iovlen = 1,
		};
		if (udp->is_wildcard)
			write_source(r, &batch->source[count], message);
	}
	return count;
}

static void on_event(uv_poll_t *poll, int status, int events);

static void watch(struct udp *udp)
{
	int events = udp->is_blocked ? UV_WRITABLE : udp->is_draining || udp->is_busy ? 0 : UV_READABLE;

	if (events)
		uv_poll_start(&udp->poll, events, on_event);
	else
		uv_poll_stop(&udp->poll);
}

static void set_blocked(struct udp *udp, bool is_blocked)
{
	if (udp->is_blocked == is_blocked)
		return;
	udp->is_blocked = is_blocked;
	watch(udp);
}

void udp_flush(struct udp *udp)
{
	struct udp_batch *batch = udp->owner->batch;

	while (udp->outgoing) {
		unsigned count = gather(udp, batch);
		int sent = sendmmsg(udp->fd, batch->send, count, MSG_DONTWAIT);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			set_blocked(udp, true);
			return;
		}
		if (sent < 1)
			sent = 1; /* the first one cannot be sent: no route, too long, … */
		while (sent--)
			drop_first(udp);
	}
	set_blocked(udp, false);
}

static void read_query(struct udp *udp, struct request *request, struct mmsghdr *message)
{
	request->router = udp->router;
	request->transport = TRANSPORT_UDP;
	request->local = udp->local;
	if (udp->is_wildcard)
		read_destination(request, &message->msg_hdr);
	request->received = request->worker->now;
	request->deliver = deliver;
	request->owner = udp;
	query_read(request, message->msg_len);
}

static void serve(struct udp *udp, struct request *request)
{
	switch (query_serve(request)) {
	case VERDICT_ANSWERED:
		append(udp, request);
		break;
	case VERDICT_PENDING:
		break;
	default:
		request_release(request);
	}
}

/* One batch; the slots that were read are empty meanwhile. Returns how many queries there were. */
static unsigned serve_batch(struct udp *udp)
{
	struct udp_batch *batch = udp->owner->batch;
	int count = recvmmsg(udp->fd, batch->receive, BATCH, MSG_DONTWAIT, NULL);

	if (count <= 0)
		return 0;
	net_worker_turn(udp->owner);
	for (unsigned i = 0; i < (unsigned)count; i++)
		read_query(udp, batch->requests[i], &batch->receive[i]);
	for (unsigned step = 1; step < QUERY_STEPS; step++)
		for (unsigned i = 0; i < (unsigned)count; i++)
			query_look_ahead(batch->requests[i], step);
	for (unsigned i = 0; i < (unsigned)count; i++)
		serve(udp, batch->requests[i]);
	udp_flush(udp);
	for (unsigned i = 0; i < (unsigned)count; i++)
		fill_slot(batch, i); /* with requests that have just been used: their memory is still near */
	return (unsigned)count;
}

/* Batches as long as they are full. Returns what the last one had; BATCH: there is more to read now. */
static unsigned serve_batches(struct udp *udp)
{
	unsigned count = BATCH;

	for (int round = 0; count == BATCH && !udp->is_blocked && round < ROUNDS; round++)
		count = serve_batch(udp);
	return udp->is_blocked ? 0 : count;
}

/* The kernel wakes whoever polls a socket for every datagram that comes in, which costs a fortieth of an
 * answer. A socket that always has more is not polled, but read in every round of the loop, until it has
 * nothing. */
static void set_busy(struct udp *udp, bool is_busy)
{
	if (udp->is_busy == is_busy)
		return;
	udp->is_busy = is_busy;
	net_worker_count_busy(udp->owner, is_busy);
	watch(udp);
}

void udp_serve_busy(struct udp *udp)
{
	if (!serve_batches(udp))
		set_busy(udp, false);
}

static void on_event(uv_poll_t *poll, int status, int events)
{
	struct udp *udp = CONTAINER_OF(poll, struct udp, poll);

	if (status < 0)
		watch(udp); /* libuv has stopped; reading takes the error off the socket */
	if (events & UV_WRITABLE)
		udp_flush(udp);
	if (serve_batches(udp) == BATCH)
		set_busy(udp, true);
}

void udp_start(struct udp *udp, size_t listener, const struct router *router)
{
	udp->listener = listener;
	udp->router = router;
	watch(udp);
}

void udp_drain(struct udp *udp)
{
	serve_batches(udp);
	udp->is_draining = true;
	set_busy(udp, false);
	watch(udp);
}

static void on_close(uv_handle_t *handle)
{
	struct udp *udp = CONTAINER_OF((uv_poll_t *)handle, struct udp, poll);

	close(udp->fd);
	udp->fd = -1;
	if (udp->is_retired)
		udp_free(udp);
}

void udp_close(struct udp *udp)
{
	uv_close((uv_handle_t *)&udp->poll, on_close);
}

void udp_free(struct udp *udp)
{
	while (udp->outgoing)
		drop_first(udp);
	memory_free(udp);
}
