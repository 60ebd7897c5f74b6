/* The types that have names in their RDATA (RFC 1035 section 3.3, RFC 3597 section 4). */
#include "rdata.h"

#include "svcdns/types.h"

static const struct layout layouts[] = {
	{TYPE_NS, 0, 1, true},
	{3, 0, 1, true},
	{4, 0, 1, true},
	{TYPE_CNAME, 0, 1, true},
	{TYPE_SOA, 0, 2, true},
	{7, 0, 1, true},
	{8, 0, 1, true},
	{9, 0, 1, true},
	{TYPE_PTR, 0, 1, true},
	{14, 0, 2, true},
	{TYPE_MX, 2, 1, true},
	{17, 0, 2, false},
	{18, 2, 1, false},
	{21, 2, 1, false},
	{26, 2, 2, false},
	{TYPE_SRV, 6, 1, false},
	{TYPE_NAPTR, 4, 1, false},
	{36, 2, 1, false},
	{TYPE_DNAME, 0, 1, false},
};

const struct layout *rdata_layout(uint16_t type)
{
	for (size_t i = 0; i < ARRAY_LENGTH(layouts); i++)
		if (layouts[i].type == type)
			return &layouts[i];
	return NULL;
}

/* NAPTR has three character strings between its numbers and its name (RFC 3403 section 4.1). */
size_t rdata_before_names(const struct layout *layout, const uint8_t *rdata, size_t length)
{
	size_t at = layout->before;

	if (layout->type == TYPE_NAPTR)
		for (int i = 0; i < 3 && at < length; i++)
			at += 1u + rdata[at];
	return at;
}
