/* From packet to packet: the ten verbs of docs/architecture.md that need no socket. */
#ifndef SVCDNS_QUERY_H
#define SVCDNS_QUERY_H

#include "svcdns/request.h"

/* Answers the `length` octets in request->wire; worker, router, transport, client, local, deliver and owner are set.
 * VERDICT_ANSWERED: the reply is wire[0 .. reply.length). VERDICT_PENDING: deliver() is called later.
 * VERDICT_DROP: send nothing. Any octets are fit to be given. */
enum verdict query_answer(struct request *request, size_t length);

#define QUERY_STEPS 3                       /* of look_ahead(); query_read() takes the first, 0 */

/* The same in steps, for a batch: each step for all of its requests before the next one. What a step will read of the
 * tables has been asked for in the one before, so that its way from memory takes no time of ours. */
void         query_read(struct request *request, size_t length);
void         query_look_ahead(struct request *request, unsigned step);          /* 1 .. QUERY_STEPS - 1 */
enum verdict query_serve(struct request *request);

#endif
