/* What one has got is copied to all, each with its own id, letters, bits and size. */
#include "wait.h"

#include <string.h>

static void copy_reply(const struct request *from, struct request *to)
{
	if (from->bare) {
		request_fail(to, from->rcode, "%s", from->error);
		return;
	}
	request_reply(to, from->rcode, from->reply_flags & (FLAG_AA | FLAG_TC | FLAG_RA | FLAG_AD));
	writer_bytes(&to->reply, from->wire + from->question.end, from->reply.length - from->question.end);
	memcpy(to->reply.count, from->reply.count, sizeof(to->reply.count));
}

void wait_answer(struct request *followers, const struct request *reply)
{
	while (followers) {
		struct request *follower = followers;
		const struct cache_request *state = request_state(follower);

		followers = follower->next;
		copy_reply(reply, follower);
		lookup_mask_ad(follower, state->wants_ad);
		request_resume(follower, VERDICT_ANSWERED);
	}
}
