#include "letter_case.h"

#include <string.h>

#define CASE_BIT 0x20

static bool is_letter(uint8_t octet)
{
	return (uint8_t)((octet | CASE_BIT) - 'a') < 26;
}

static void flip(uint8_t *name, const uint8_t *bits)
{
	for (size_t at = 0; name[at]; at += 1u + name[at])
		for (size_t i = at + 1; i <= at + name[at]; i++)
			if (bits[i / 8] >> i % 8 & 1 && is_letter(name[i]))
				name[i] ^= CASE_BIT;
}

void letter_case_mix(struct letter_case *letter_case, uint8_t *name, struct random *random)
{
	letter_case_restore(letter_case, name);
	random_fill(random, letter_case->flipped, sizeof(letter_case->flipped));
	flip(name, letter_case->flipped);
	letter_case->is_mixed = true;
}

void letter_case_restore(struct letter_case *letter_case, uint8_t *name)
{
	if (letter_case->is_mixed)
		flip(name, letter_case->flipped);
	letter_case->is_mixed = false;
}
