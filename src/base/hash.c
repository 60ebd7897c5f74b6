/* SipHash-1-3, little-endian input, 64-bit output. */
#include "svcdns/hash.h"

#include <string.h>

#include "svcdns/random.h"

struct sip {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotate(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

static inline void sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v2 += s->v3;
	s->v1 = rotate(s->v1, 13) ^ s->v0;
	s->v3 = rotate(s->v3, 16) ^ s->v2;
	s->v0 = rotate(s->v0, 32) + s->v3;
	s->v2 += s->v1;
	s->v3 = rotate(s->v3, 21) ^ s->v0;
	s->v1 = rotate(s->v1, 17) ^ s->v2;
	s->v2 = rotate(s->v2, 32);
}

static inline void sip_word(struct sip *s, uint64_t word)
{
	s->v3 ^= word;
	sip_round(s);
	s->v0 ^= word;
}

/* The last octets, fewer than 8, as the lower end of a word: read together with those before them where there
 * are any. */
static inline uint64_t tail(const uint8_t *bytes, size_t length)
{
	size_t left = length & 7;
	uint64_t word = 0;

	if (left && length >= 8) {
		memcpy(&word, bytes + length - 8, 8);
		return word >> (64 - 8 * left);
	}
	for (size_t i = 0; i < left; i++)
		word |= (uint64_t)bytes[i] << (8 * i);
	return word;
}

void hash_key_random(struct hash_key *key)
{
	struct random random = {0};

	random_fill(&random, key, sizeof(*key));
}

uint64_t hash_bytes(const struct hash_key *key, const void *bytes, size_t length)
{
	struct sip s = {
		.v0 = key->k0 ^ UINT64_C(0x736f6d6570736575),
		.v1 = key->k1 ^ UINT64_C(0x646f72616e646f6d),
		.v2 = key->k0 ^ UINT64_C(0x6c7967656e657261),
		.v3 = key->k1 ^ UINT64_C(0x7465646279746573),
	};
	const uint8_t *at = bytes, *last = at + (length & ~(size_t)7);
	uint64_t word;

	for (; at != last; at += 8) {
		memcpy(&word, at, 8);
		sip_word(&s, word);
	}
	sip_word(&s, (uint64_t)length << 56 | tail(bytes, length));
	s.v2 ^= 0xff;
	sip_round(&s);
	sip_round(&s);
	sip_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
