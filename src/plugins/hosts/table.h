/* Inside hosts: the lines of a hosts file, arranged for look-up. Immutable once it is made. */
#ifndef HOSTS_TABLE_H
#define HOSTS_TABLE_H

#include "svcdns/address.h"
#include "svcdns/shared.h"
#include "svcdns/zones.h"

struct hosts_entry { /* one address of one name */
	struct ip ip;
	uint32_t name; /* offset of its wire form, lower case, in the table's names */
	uint8_t name_length;
	uint32_t line; /* entries of one name stay in the order of the file */
};

struct hosts_table {
	struct shared shared;
	uint8_t *names;
	struct hosts_entry *by_name; /* sorted; wildcards stand under "*." */
	struct hosts_entry
		*by_address; /* sorted; names without wildcards; empty where reverse answers are off */
	size_t name_count, address_count;
};

struct hosts_range {
	const struct hosts_entry *entries;
	size_t count;
};

/* Reads hosts(5) lines: bad ones, and names outside `zones`, are left out, as CoreDNS does. */
struct hosts_table *hosts_table_make(
	const char *text, size_t length, const struct zones *zones, bool with_reverse);
void hosts_table_free(struct shared *table);

/* All entries of a lower-case name. */
struct hosts_range hosts_table_name(const struct hosts_table *table, const struct name *name);
/* Those of "*." and its parent. */
struct hosts_range hosts_table_wildcard(const struct hosts_table *table, const struct name *name);
struct hosts_range hosts_table_address(const struct hosts_table *table, const struct ip *ip);

static inline const uint8_t *hosts_entry_name(
	const struct hosts_table *table, const struct hosts_entry *entry)
{
	return table->names + entry->name;
}

#endif
