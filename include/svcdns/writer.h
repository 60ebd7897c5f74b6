/* The sticky writer of a message: write straight on, look at `overflow` once at the end. Records go in section order. */
#ifndef SVCDNS_WRITER_H
#define SVCDNS_WRITER_H

#include <string.h>

#include "svcdns/name.h"
#include "svcdns/reader.h"

enum section { SECTION_ANSWER, SECTION_AUTHORITY, SECTION_ADDITIONAL };

#define WRITER_QUESTION  UINT16_C(0xC00C)   /* compression pointer to the question's name */
#define WRITER_NAMES_MAX 8
#define WRITER_FIXED     10                 /* octets of type, class, TTL and RDLENGTH */

struct writer {
	uint8_t *wire;                      /* the message's first octet; not owned */
	size_t   length, capacity;
	size_t   rdlength_at;               /* of the open record */
	uint16_t count[3];                  /* records, by section */
	bool     overflow;                  /* sticky: what stands in wire is not to be sent */
	uint8_t  names;                     /* how many of name_at are in use */
	uint16_t name_at[WRITER_NAMES_MAX]; /* names written before that later ones may point to */
};

static inline void writer_init(struct writer *w, uint8_t *wire, size_t length, size_t capacity)
{
	*w = (struct writer){.wire = wire, .length = length, .capacity = capacity};
}

static inline bool writer_room(struct writer *w, size_t octets)
{
	if (UNLIKELY(w->capacity - w->length < octets))
		w->overflow = true;
	return !w->overflow;
}

static inline void writer_u8(struct writer *w, uint8_t value)
{
	if (writer_room(w, 1))
		w->wire[w->length++] = value;
}

static inline void writer_u16(struct writer *w, uint16_t value)
{
	if (writer_room(w, 2)) {
		w->wire[w->length] = (uint8_t)(value >> 8);
		w->wire[w->length + 1] = (uint8_t)value;
		w->length += 2;
	}
}

static inline void writer_u32(struct writer *w, uint32_t value)
{
	writer_u16(w, (uint16_t)(value >> 16));
	writer_u16(w, (uint16_t)value);
}

static inline void writer_bytes(struct writer *w, const void *bytes, size_t length)
{
	if (writer_room(w, length)) {
		memcpy(w->wire + w->length, bytes, length);
		w->length += length;
	}
}

/* One label, its length octet before it. */
static inline void writer_label(struct writer *w, const void *label, uint8_t length)
{
	writer_u8(w, length);
	writer_bytes(w, label, length);
}

static inline void writer_put_u16_at(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* A compression pointer to octet `at` (RFC 1035 section 4.1.4); at < 0x4000. */
static inline void writer_pointer(struct writer *w, size_t at)
{
	writer_u16(w, (uint16_t)(0xC000 | at));
}

/* What follows an owner name that the caller has written: type, class, TTL and room for RDLENGTH. */
static inline void writer_open(struct writer *w, enum section section, uint16_t type, uint16_t class, uint32_t ttl)
{
	writer_u16(w, type);
	writer_u16(w, class);
	writer_u32(w, ttl);
	w->rdlength_at = w->length;
	writer_u16(w, 0);
	w->count[section]++;
}

static inline void writer_close(struct writer *w)               /* the record's RDATA is complete */
{
	if (!w->overflow)
		writer_put_u16_at(w->wire + w->rdlength_at, (uint16_t)(w->length - w->rdlength_at - 2));
}

/* A whole name, never compressed (as RFC 2782 wants it of SRV targets); later names may point into it. */
void writer_name(struct writer *w, const struct name *name);
/* A whole name, its tail replaced by a pointer to the question or to a name written before, where one fits. */
void writer_name_compressed(struct writer *w, const struct name *name);
/* Remembers that an uncompressed name begins at octet `at`, for writer_name_compressed(). */
void writer_remember(struct writer *w, size_t at);

/* An address record: A when length is 4, AAAA when it is 16. The owner has been written. */
static inline void writer_address(struct writer *w, enum section section, const uint8_t *address, size_t length,
	uint16_t class, uint32_t ttl)
{
	uint8_t *at = w->wire + w->length;

	w->count[section]++;
	if (!writer_room(w, WRITER_FIXED + length)) {
		w->rdlength_at = w->length; /* its owner stands there, and nothing else */
		return;
	}
	writer_put_u16_at(at, length == 4 ? 1 : 28);
	writer_put_u16_at(at + 2, class);
	writer_put_u16_at(at + 4, (uint16_t)(ttl >> 16));
	writer_put_u16_at(at + 6, (uint16_t)ttl);
	writer_put_u16_at(at + 8, (uint16_t)length);
	memcpy(at + WRITER_FIXED, address, length == 4 ? 4 : 16);
	w->length += WRITER_FIXED + length;
}

/* Copies a record of another message, names in it expanded and compressed anew. False: its RDATA is malformed
 * (nothing was written then). The owner and TTL are taken from `record`, so that a caller may change them first. */
bool writer_record(struct writer *w, enum section section, const uint8_t *wire, size_t length, const struct record *record);

/* Octets that a record of a message takes with all names written out. */
size_t writer_expanded_length(const uint8_t *wire, const struct record *record);

#endif
