/* The fixed part of a message (RFC 1035 section 4.1.1) and the reading of queries. */
#ifndef SVCDNS_MESSAGE_H
#define SVCDNS_MESSAGE_H

#include "svcdns/edns.h"
#include "svcdns/name.h"
#include "svcdns/types.h"

#define MESSAGE_HEADER 12                   /* octets */
#define MESSAGE_MAX    65535

/* Bits of the second 16-bit word. */
enum {
	FLAG_QR = 0x8000, FLAG_OPCODE = 0x7800, FLAG_AA = 0x0400, FLAG_TC = 0x0200, FLAG_RD = 0x0100, FLAG_RA = 0x0080,
	FLAG_Z = 0x0040, FLAG_AD = 0x0020, FLAG_CD = 0x0010, FLAG_RCODE = 0x000F
};

static inline uint16_t message_u16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint32_t message_u32(const uint8_t *at)
{
	return (uint32_t)message_u16(at) << 16 | message_u16(at + 2);
}

static inline uint16_t message_id(const uint8_t *wire)          { return message_u16(wire); }
static inline uint16_t message_flags(const uint8_t *wire)       { return message_u16(wire + 2); }
static inline uint16_t message_count(const uint8_t *wire, unsigned section) { return message_u16(wire + 4 + 2 * section); }
/* message_count sections: 0 question, 1 answer, 2 authority, 3 additional. */

struct question {
	struct name name;                   /* in lower case; the message keeps the sender's case */
	uint16_t    type, class;
	uint16_t    end;                    /* offset of the octet behind the question */
};

/* Reads the question and, if there is one, the OPT record behind it. As CoreDNS does, a question that ends with the
 * message after its name or its type is accepted (type 0 and class 0 then), and what follows a last record is ignored.
 * False: malformed (ret_question->end tells how much of the question could be read: MESSAGE_HEADER if none of it). */
bool message_read_query(const uint8_t *wire, size_t length, struct question *ret_question, struct edns *ret_edns);

/* Offset of the first octet behind the last whole record for which the message is no longer than limit, and how many
 * records of each section that keeps. For truncation: drops from the end, Additional first. */
size_t message_cut(const uint8_t *wire, size_t length, size_t limit, const uint16_t count[3], uint16_t ret_count[3]);

#endif
