/* A worker's pool of requests. Invariant: every request is either on the free list or in use by exactly one
 * holder; a request never moves to another worker.
 *
 * A request is one mapping: struct and wire, one behind the other. Mappings begin at page boundaries; the
 * struct is shifted by a different number of cache lines in each, because all requests of a batch would
 * otherwise meet in the same few sets of the first-level cache. */
#include "svcdns/worker.h"

#include "svcdns/memory.h"
#include "svcdns/request.h"

#define LINE	     64 /* octets of a cache line; also holds TCP's prefix before the wire */
#define COLOURS	     16
#define MAPPING_SIZE (COLOURS * LINE + sizeof(struct request) + LINE + REQUEST_WIRE_MAX)
#define FREE_MIN     512  /* kept in the pool in any case */
#define SMALL_REPLY  4096 /* larger ones give their pages back */

void worker_init(struct worker *worker, unsigned index, struct uv_loop_s *loop)
{
	*worker = (struct worker){.index = index, .loop = loop};
}

static struct request *create(struct worker *worker)
{
	unsigned char *mapping = memory_reserve(MAPPING_SIZE);
	struct request *request = (void *)(mapping + worker->requests % COLOURS * LINE);

	request->worker = worker;
	request->mapping = mapping;
	request->wire = (unsigned char *)(request + 1) + LINE;
	worker->requests++;
	return request;
}

static void destroy(struct request *request)
{
	request->worker->requests--;
	memory_unreserve(request->mapping, MAPPING_SIZE);
}

struct request *request_take(struct worker *worker)
{
	struct request *request = worker->free;

	if (UNLIKELY(!request))
		return create(worker);
	worker->free = request->next;
	if (--worker->free_count < worker->free_lowest)
		worker->free_lowest = worker->free_count;
	return request;
}

void request_release(struct request *request)
{
	struct worker *worker;

	if (!request)
		return;
	worker = request->worker;
	if (UNLIKELY(request->reply.length > SMALL_REPLY))
		memory_forget(request->wire, REQUEST_WIRE_MAX);
	request->reply.length = 0;
	request->next = worker->free;
	worker->free = request;
	worker->free_count++;
}

static void destroy_first(struct worker *worker)
{
	struct request *request = worker->free;

	worker->free = request->next;
	worker->free_count--;
	destroy(request);
}

void worker_trim(struct worker *worker)
{
	unsigned spare = worker->free_lowest > FREE_MIN ? worker->free_lowest - FREE_MIN : 0;

	for (unsigned i = 0; i < (spare + 1) / 2; i++)
		destroy_first(worker);
	worker->free_lowest = worker->free_count;
}

void worker_finish(struct worker *worker)
{
	while (worker->free)
		destroy_first(worker);
	assert(worker->requests == 0 && !worker->first_timer);
}
