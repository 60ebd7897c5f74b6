/* What one has got is copied to all, each with its own id, letters, bits and size. */
#include "wait.h"

#include <string.h>

/* Both write behind questions of the same length. */
static void copy_reply(const struct request *from, struct request *to)
{
	size_t begin = from->question.end;

	if (from->bare) {
		request_fail(to, from->rcode, "%s", from->error);
	} else {
		request_reply(to, from->rcode, from->reply_flags & (FLAG_AA | FLAG_TC | FLAG_RA | FLAG_AD));
		memcpy(to->wire + begin, from->wire + begin, from->reply.length - begin);
		to->reply = from->reply;
		to->reply.wire = to->wire;
	}
	to->extended_error = from->extended_error;
	to->extended_error_code = from->extended_error_code;
}

void wait_answer(struct request *followers, const struct request *reply)
{
	enum verdict verdict = reply->is_dropped ? VERDICT_DROP : VERDICT_ANSWERED;

	while (followers) {
		struct request *follower = followers;
		const struct cache_request *state = request_state(follower);

		followers = follower->next;
		if (verdict == VERDICT_ANSWERED)
			copy_reply(reply, follower);
		lookup_mask_ad(follower, state->wants_ad);
		request_resume(follower, verdict);
	}
}
