/* Inside core: the last verb before sending. */
#ifndef CORE_REPLY_H
#define CORE_REPLY_H

#include "svcdns/request.h"

/* Makes wire[0 .. reply.length) the reply to send: OPT record, truncation, header. */
void reply_finish(struct request *request);

#endif
