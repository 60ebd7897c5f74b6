/* Two sorted arrays over one block of names: a hosts file is read rarely, and looked up by halving. */
#include "table.h"

#include <stdlib.h>
#include <string.h>

#include "svcdns/buffer.h"
#include "svcdns/memory.h"

struct maker {
	const struct zones *zones;
	struct buffer names;   /* wire forms, one behind the other */
	struct buffer entries; /* struct hosts_entry */
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

/* The next word of a line; its length is 0 at the end. */
static const char *next_word(const char **at, const char *end, size_t *ret_length)
{
	const char *begin;

	while (*at < end && is_space(**at))
		(*at)++;
	begin = *at;
	while (*at < end && !is_space(**at))
		(*at)++;
	*ret_length = (size_t)(*at - begin);
	return begin;
}

/* An IPv4 address in the form of IPv6 (RFC 4291 section 2.5.5.2) is the same as itself. */
static void unmap(struct ip *ip)
{
	static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};

	if (ip->family != 6 || memcmp(ip->bytes, prefix, sizeof(prefix)) != 0)
		return;
	memmove(ip->bytes, ip->bytes + 12, 4);
	memset(ip->bytes + 4, 0, 12);
	ip->family = 4;
}

/* An interface behind an IPv6 address does not count. */
static bool read_address(const char *word, size_t length, struct ip *ret)
{
	const char *zone = memchr(word, '%', length);

	if (!ip_parse_n(word, zone ? (size_t)(zone - word) : length, ret))
		return false;
	unmap(ret);
	return true;
}

/* A star alone stands for nothing, as in CoreDNS. */
static bool is_every_name(const struct name *name)
{
	return name->labels == 1 && memcmp(name->wire, "\1*", 2) == 0;
}

static void add_name(struct maker *maker, const char *word, size_t length, const struct ip *ip)
{
	char text[NAME_TEXT_MAX];
	struct name name;
	struct hosts_entry entry = {.ip = *ip};

	if (length >= sizeof(text) || memchr(word, '\0', length))
		return;
	memcpy(text, word, length);
	text[length] = '\0';
	if (!name_from_text(text, &name))
		return;
	name_lower(&name);
	if (is_every_name(&name) || !zones_match(maker->zones, &name))
		return;
	entry.name = (uint32_t)maker->names.length;
	entry.name_length = name.length;
	entry.line = (uint32_t)(maker->entries.length / sizeof(entry));
	buffer_add(&maker->names, name.wire, name.length);
	buffer_add(&maker->entries, &entry, sizeof(entry));
}

static void add_line(struct maker *maker, const char *line, const char *end)
{
	const char *comment = memchr(line, '#', (size_t)(end - line)), *word;
	size_t length;
	struct ip ip;

	if (comment)
		end = comment;
	word = next_word(&line, end, &length);
	if (!length || !read_address(word, length, &ip))
		return;
	while (word = next_word(&line, end, &length), length)
		add_name(maker, word, length, &ip);
}

static int compare_octets(const uint8_t *a, size_t a_length, const uint8_t *b, size_t b_length)
{
	if (a_length != b_length)
		return a_length < b_length ? -1 : 1;
	return memcmp(a, b, a_length);
}

static int compare_lines(const struct hosts_entry *a, const struct hosts_entry *b)
{
	return a->line < b->line ? -1 : a->line > b->line;
}

static int by_name(const void *a, const void *b, void *names)
{
	const struct hosts_entry *left = a, *right = b;
	const uint8_t *octets = names;
	int order = compare_octets(
		octets + left->name, left->name_length, octets + right->name, right->name_length);

	return order ? order : compare_lines(left, right);
}

static int by_address(const void *a, const void *b)
{
	const struct hosts_entry *left = a, *right = b;
	int order = ip_compare(&left->ip, &right->ip);

	return order ? order : compare_lines(left, right);
}

static bool is_wildcard(const uint8_t *name)
{
	return name[0] == 1 && name[1] == '*';
}

static void arrange(struct hosts_table *table, const struct maker *maker, bool with_reverse)
{
	size_t octets = maker->entries.length;

	table->name_count = octets / sizeof(*table->by_name);
	table->names = memory_alloc(maker->names.length);
	table->by_name = memory_alloc(octets);
	table->by_address = memory_alloc(octets);
	if (!octets)
		return;
	memcpy(table->names, maker->names.bytes, maker->names.length);
	memcpy(table->by_name, maker->entries.bytes, octets);
	for (size_t i = 0; with_reverse && i < table->name_count; i++)
		if (!is_wildcard(hosts_entry_name(table, &table->by_name[i])))
			table->by_address[table->address_count++] = table->by_name[i];
	qsort_r(table->by_name, table->name_count, sizeof(*table->by_name), by_name, table->names);
	qsort(table->by_address, table->address_count, sizeof(*table->by_address), by_address);
}

struct hosts_table *hosts_table_make(
	const char *text, size_t length, const struct zones *zones, bool with_reverse)
{
	const char *end = text + length;
	struct hosts_table *table = memory_zero(1, sizeof(*table));
	struct maker maker = {.zones = zones};

	shared_init(&table->shared);
	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));

		add_line(&maker, text, newline ? newline : end);
		text = newline ? newline + 1 : end;
	}
	arrange(table, &maker, with_reverse);
	buffer_finish(&maker.names);
	buffer_finish(&maker.entries);
	return table;
}

void hosts_table_free(struct shared *shared)
{
	struct hosts_table *table = CONTAINER_OF(shared, struct hosts_table, shared);

	memory_free(table->names);
	memory_free(table->by_name);
	memory_free(table->by_address);
	memory_free(table);
}

/* The run of entries for which order() is 0. */
static struct hosts_range find(const struct hosts_entry *entries, size_t count,
	int (*order)(const void *key, const struct hosts_entry *, const void *context), const void *key,
	const void *context)
{
	size_t low = 0, high = count, end;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (order(key, &entries[middle], context) > 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (end = low; end < count && order(key, &entries[end], context) == 0; end++)
		;
	return (struct hosts_range){entries + low, end - low};
}

static int order_by_name(const void *key, const struct hosts_entry *entry, const void *names)
{
	const struct name *name = key;

	return compare_octets(
		name->wire, name->length, (const uint8_t *)names + entry->name, entry->name_length);
}

static int order_by_address(const void *key, const struct hosts_entry *entry, const void *context)
{
	(void)context;
	return ip_compare(key, &entry->ip);
}

struct hosts_range hosts_table_name(const struct hosts_table *table, const struct name *name)
{
	return find(table->by_name, table->name_count, order_by_name, name, table->names);
}

struct hosts_range hosts_table_wildcard(const struct hosts_table *table, const struct name *name)
{
	const uint8_t *parent;
	struct name wildcard;
	size_t length;

	if (!name->labels)
		return (struct hosts_range){0};
	parent = name_suffix(name, 1, &length);
	wildcard.length = (uint8_t)(2 + length); /* the first label has one octet at least */
	memcpy(wildcard.wire, "\1*", 2);
	memcpy(wildcard.wire + 2, parent, length);
	return hosts_table_name(table, &wildcard);
}

struct hosts_range hosts_table_address(const struct hosts_table *table, const struct ip *ip)
{
	struct ip key = *ip;

	unmap(&key);
	return find(table->by_address, table->address_count, order_by_address, &key, NULL);
}
