/* What echo and echo-tcp answer: every query comes back with one A record behind its question, without a look
 * at what it asks. */
#ifndef SVCDNS_TESTS_ECHO_H
#define SVCDNS_TESTS_ECHO_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define ECHO_HEADER 12

/* Owner: the question's. Type A, class IN, TTL 3600, 10.96.0.1. */
static const uint8_t echo_record[] = {0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0x0e, 0x10, 0, 4, 10, 96, 0, 1};

/* Behind the query there is room for the record. Returns the reply's length; what follows the question, an
 * OPT record, gives way. */
static inline size_t echo_answer(uint8_t *query, size_t length)
{
	size_t at = ECHO_HEADER;

	while (at < length && query[at])
		at += query[at] + 1u;
	at += 5;
	if (at > length)
		return length;
	query[2] |= 0x84;
	query[7] = 1;
	query[10] = query[11] = 0;
	memcpy(query + at, echo_record, sizeof(echo_record));
	return at + sizeof(echo_record);
}

#endif
