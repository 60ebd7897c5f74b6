/* The one checked reader of wire octets: it never reads past its end; after a failed read it stays failed. */
#ifndef SVCDNS_READER_H
#define SVCDNS_READER_H

#include "svcdns/name.h"

struct reader {
	const uint8_t *wire;                /* the whole message: compression pointers count from here */
	size_t         length;
	size_t         at;                  /* next octet */
	bool           failed;
};

struct record {                             /* one resource record, as it stands in a message */
	struct name owner;                  /* uncompressed; case kept */
	uint16_t    type, class;
	uint32_t    ttl;
	size_t      begin, ttl_at, rdata, end; /* offsets in the message; rdata .. end: RDATA */
};

void     reader_init(struct reader *reader, const uint8_t *wire, size_t length, size_t at);
uint8_t  reader_u8(struct reader *reader);                              /* 0 after a failure */
uint16_t reader_u16(struct reader *reader);
uint32_t reader_u32(struct reader *reader);
void     reader_skip(struct reader *reader, size_t octets);
/* A name, compression pointers followed: each must point to before the part that it ends (RFC 1035 section 4.1.4). */
bool     reader_name(struct reader *reader, struct name *ret);
bool     reader_skip_name(struct reader *reader);
bool     reader_record(struct reader *reader, struct record *ret);      /* RDATA is not looked into */
bool     reader_pass_record(struct reader *reader, struct record *ret); /* nor the owner, which stands at ret->begin */

static inline size_t reader_left(const struct reader *reader)
{
	return reader->failed ? 0 : reader->length - reader->at;
}

#endif
