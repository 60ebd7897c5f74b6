/* A name on a line of its own, then its addresses and their weights, a line each. Kept as one sorted array.
 */
#include "weights.h"

#include <stdlib.h>
#include <string.h>

#include "svcdns/buffer.h"
#include "svcdns/memory.h"

#define BLANKS	   " \t\r\v\f"
#define WEIGHT_MAX 255

struct weight { /* of one address of one name */
	struct ip ip;
	uint32_t name; /* offset in the names */
	uint8_t name_length;
	uint8_t value;
	uint32_t line; /* of several for the same address the first counts */
};

struct maker {
	struct buffer names, entries;
	struct name name; /* of the lines that follow */
	uint32_t name_at;
	bool has_name; /* there was a line with one */
	bool is_name;  /* and it can be asked for */
	const char *path;
	struct error *error;
};

static bool read_name(struct maker *maker, const char *word)
{
	struct ip ip;

	if (ip_parse(word, &ip))
		return error_set(maker->error,
			"wrong domain name:\"%s\" in weight file %s. (Maybe a missing weight value?)", word,
			maker->path);
	maker->has_name = true;
	maker->is_name = name_from_text(word, &maker->name);
	if (!maker->is_name)
		return true;
	name_lower(&maker->name);
	maker->name_at = (uint32_t)maker->names.length;
	buffer_add(&maker->names, maker->name.wire, maker->name.length);
	return true;
}

static bool parse_weight(const char *word, uint8_t *ret)
{
	unsigned long value;

	if (word[strspn(word, "0123456789")])
		return false;
	value = strtoul(word, NULL, 10);
	*ret = (uint8_t)value;
	return value && value <= WEIGHT_MAX;
}

static bool read_weight(struct maker *maker, const char *address, const char *value)
{
	struct weight weight = {.name = maker->name_at, .name_length = maker->name.length};

	weight.line = (uint32_t)(maker->entries.length / sizeof(weight));
	if (!ip_parse(address, &weight.ip))
		return error_set(
			maker->error, "wrong IP address:\"%s\" in weight file %s", address, maker->path);
	if (!parse_weight(value, &weight.value))
		return error_set(
			maker->error, "wrong weight value:\"%s\" in weight file %s", value, maker->path);
	if (!maker->has_name)
		return error_set(maker->error, "missing domain name in weight file %s", maker->path);
	if (maker->is_name)
		buffer_add(&maker->entries, &weight, sizeof(weight));
	return true;
}

static bool read_line(struct maker *maker, char *line)
{
	char *rest, *first, *second;

	first = strtok_r(line, BLANKS, &rest);
	if (!first || *first == '#')
		return true;
	second = strtok_r(NULL, BLANKS, &rest);
	if (!second)
		return read_name(maker, first);
	if (strtok_r(NULL, BLANKS, &rest))
		return error_set(maker->error, "could not parse weight line:\"%s %s ...\" in weight file %s",
			first, second, maker->path);
	return read_weight(maker, first, second);
}

static int compare(const uint8_t *names, const struct weight *entry, const uint8_t *name, size_t length,
	const struct ip *ip)
{
	int order;

	if (entry->name_length != length)
		return entry->name_length < length ? -1 : 1;
	order = memcmp(names + entry->name, name, length);
	return order ? order : ip_compare(&entry->ip, ip);
}

static int by_name_and_address(const void *a, const void *b, void *names)
{
	const struct weight *left = a, *right = b;
	int order = compare(names, left, (uint8_t *)names + right->name, right->name_length, &right->ip);

	return order ? order : left->line < right->line ? -1 : 1;
}

static struct weights *arrange(const struct maker *maker)
{
	struct weights *weights = memory_zero(1, sizeof(*weights));

	shared_init(&weights->shared);
	weights->count = maker->entries.length / sizeof(*weights->entries);
	weights->names = memory_alloc(maker->names.length);
	weights->entries = memory_alloc(maker->entries.length);
	if (!weights->count)
		return weights;
	memcpy(weights->names, maker->names.bytes, maker->names.length);
	memcpy(weights->entries, maker->entries.bytes, maker->entries.length);
	qsort_r(weights->entries, weights->count, sizeof(*weights->entries), by_name_and_address,
		weights->names);
	return weights;
}

struct weights *weights_make(char *text, const char *path, struct error *error)
{
	struct maker maker = {.path = path, .error = error};
	struct weights *weights = NULL;
	bool ok = true;

	while (ok && text) {
		char *line = strsep(&text, "\n");

		ok = read_line(&maker, line);
	}
	if (ok)
		weights = arrange(&maker);
	buffer_finish(&maker.names);
	buffer_finish(&maker.entries);
	return weights;
}

void weights_free(struct shared *shared)
{
	struct weights *weights = CONTAINER_OF(shared, struct weights, shared);

	memory_free(weights->names);
	memory_free(weights->entries);
	memory_free(weights);
}

uint8_t weights_find(const struct weights *weights, const struct name *name, const struct ip *ip)
{
	size_t low = 0, high = weights->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare(weights->names, &weights->entries[middle], name->wire, name->length, ip) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == weights->count ||
		compare(weights->names, &weights->entries[low], name->wire, name->length, ip) != 0)
		return 1;
	return weights->entries[low].value;
}
