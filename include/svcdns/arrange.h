/* The records of a message, put into another order in place. */
#ifndef SVCDNS_ARRANGE_H
#define SVCDNS_ARRANGE_H

#include "svcdns/writer.h"

#define PIECES_MAX 5958                     /* records of no more than 11 octets each that 64 KiB can hold */

struct piece {                              /* one record of a message, as offsets in it */
	uint16_t begin, rdata, end, type;
	uint16_t rank;                      /* the caller's */
};

/* The records behind the question, which ends at `begin`, of all sections one after the other: their number. 0: there are
 * none, or they are malformed. */
size_t arrange_read(const struct writer *message, size_t begin, struct piece ret[PIECES_MAX]);

/* Puts the records into the order of pieces, which is that of arrange_read() but for changes within a section. Names stay
 * what they are, however they are compressed. scratch has room for the message's capacity. False: that cannot be done with
 * a message so malformed, or it would get longer than its capacity; nothing was changed then. */
bool arrange_apply(struct writer *message, size_t begin, const struct piece *pieces, uint8_t *scratch);

#endif
