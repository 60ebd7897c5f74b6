#include "svcdns/types.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct mnemonic {
	uint16_t number;
	const char *text;
};

static const struct mnemonic types[] = {
	{1, "A"},
	{2, "NS"},
	{3, "MD"},
	{4, "MF"},
	{5, "CNAME"},
	{6, "SOA"},
	{7, "MB"},
	{8, "MG"},
	{9, "MR"},
	{10, "NULL"},
	{12, "PTR"},
	{13, "HINFO"},
	{14, "MINFO"},
	{15, "MX"},
	{16, "TXT"},
	{17, "RP"},
	{18, "AFSDB"},
	{19, "X25"},
	{20, "ISDN"},
	{21, "RT"},
	{23, "NSAP-PTR"},
	{24, "SIG"},
	{25, "KEY"},
	{26, "PX"},
	{27, "GPOS"},
	{28, "AAAA"},
	{29, "LOC"},
	{30, "NXT"},
	{31, "EID"},
	{32, "NIMLOC"},
	{33, "SRV"},
	{34, "ATMA"},
	{35, "NAPTR"},
	{36, "KX"},
	{37, "CERT"},
	{39, "DNAME"},
	{41, "OPT"},
	{42, "APL"},
	{43, "DS"},
	{44, "SSHFP"},
	{45, "IPSECKEY"},
	{46, "RRSIG"},
	{47, "NSEC"},
	{48, "DNSKEY"},
	{49, "DHCID"},
	{50, "NSEC3"},
	{51, "NSEC3PARAM"},
	{52, "TLSA"},
	{53, "SMIMEA"},
	{55, "HIP"},
	{56, "NINFO"},
	{57, "RKEY"},
	{58, "TALINK"},
	{59, "CDS"},
	{60, "CDNSKEY"},
	{61, "OPENPGPKEY"},
	{62, "CSYNC"},
	{63, "ZONEMD"},
	{64, "SVCB"},
	{65, "HTTPS"},
	{99, "SPF"},
	{100, "UINFO"},
	{101, "UID"},
	{102, "GID"},
	{103, "UNSPEC"},
	{104, "NID"},
	{105, "L32"},
	{106, "L64"},
	{107, "LP"},
	{108, "EUI48"},
	{109, "EUI64"},
	{249, "TKEY"},
	{250, "TSIG"},
	{251, "IXFR"},
	{252, "AXFR"},
	{253, "MAILB"},
	{254, "MAILA"},
	{255, "ANY"},
	{256, "URI"},
	{257, "CAA"},
	{258, "AVC"},
	{260, "AMTRELAY"},
	{32768, "TA"},
	{32769, "DLV"},
	{0, NULL},
};

static const struct mnemonic classes[] = {
	{CLASS_IN, "IN"},
	{2, "CS"},
	{CLASS_CH, "CH"},
	{CLASS_HS, "HS"},
	{CLASS_NONE, "NONE"},
	{CLASS_ANY, "ANY"},
	{0, NULL},
};

static const struct mnemonic rcodes[] = {
	{0, "NOERROR"},
	{1, "FORMERR"},
	{2, "SERVFAIL"},
	{3, "NXDOMAIN"},
	{4, "NOTIMP"},
	{5, "REFUSED"},
	{6, "YXDOMAIN"},
	{7, "YXRRSET"},
	{8, "NXRRSET"},
	{9, "NOTAUTH"},
	{10, "NOTZONE"},
	{11, "DSOTYPENI"},
	{16, "BADVERS"},
	{17, "BADKEY"},
	{18, "BADTIME"},
	{19, "BADMODE"},
	{20, "BADNAME"},
	{21, "BADALG"},
	{22, "BADTRUNC"},
	{23, "BADCOOKIE"},
	{0, NULL},
};

static void to_text(
	const struct mnemonic *table, const char *prefix, uint16_t number, char out[TYPE_TEXT_MAX])
{
	for (; table->text; table++) {
		if (table->number == number) {
			snprintf(out, TYPE_TEXT_MAX, "%s", table->text);
			return;
		}
	}
	snprintf(out, TYPE_TEXT_MAX, "%s%u", prefix, number);
}

void type_text(uint16_t type, char out[TYPE_TEXT_MAX])
{
	to_text(types, "TYPE", type, out);
}

void class_text(uint16_t class, char out[TYPE_TEXT_MAX])
{
	to_text(classes, "CLASS", class, out);
}

void rcode_text(uint16_t rcode, char out[TYPE_TEXT_MAX])
{
	to_text(rcodes, "RCODE", rcode, out);
}

static bool from_text(const struct mnemonic *table, const char *text, uint16_t *ret)
{
	for (; table->text; table++) {
		if (strcasecmp(table->text, text) == 0) {
			*ret = table->number;
			return true;
		}
	}
	return false;
}

bool type_parse(const char *text, uint16_t *ret_type)
{
	unsigned long number;
	char *end;

	if (from_text(types, text, ret_type))
		return true;
	if (strncasecmp(text, "TYPE", 4) != 0 || text[4] < '0' || text[4] > '9')
		return false;
	number = strtoul(text + 4, &end, 10);
	if (*end || number > UINT16_MAX)
		return false;
	*ret_type = (uint16_t)number;
	return true;
}

bool rcode_parse(const char *text, uint16_t *ret_rcode)
{
	return from_text(rcodes, text, ret_rcode);
}
