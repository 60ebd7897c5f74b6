/* Queues of what waits for a moment. In each, all wait about equally long, so that a new one nearly always
 * belongs at the end; a place is looked for from there. What is over already, deadline 0, comes first. */
#include "group.h"
#include "svcdns/clock.h"

void deadlines_add(struct deadlines *queue, struct exchange *exchange, uint64_t deadline)
{
	struct exchange *before = deadline ? queue->newest : NULL;

	while (before && before->deadline > deadline)
		before = before->older;
	exchange->queue = queue;
	exchange->deadline = deadline;
	exchange->older = before;
	exchange->newer = before ? before->newer : queue->oldest;
	*(exchange->newer ? &exchange->newer->older : &queue->newest) = exchange;
	*(before ? &before->newer : &queue->oldest) = exchange;
	if (queue->oldest == exchange)
		deadlines_set_timer(exchange->group);
}

void deadlines_remove(struct exchange *exchange)
{
	struct deadlines *queue = exchange->queue;

	if (!queue)
		return;
	*(exchange->newer ? &exchange->newer->older : &queue->newest) = exchange->older;
	*(exchange->older ? &exchange->older->newer : &queue->oldest) = exchange->newer;
	exchange->older = exchange->newer = NULL;
	exchange->queue = NULL;
}
