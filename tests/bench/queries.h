/* Queries for load generators, from a file with lines "NAME TYPE". */
#ifndef SVCDNS_TESTS_QUERIES_H
#define SVCDNS_TESTS_QUERIES_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUERY_MAX  300
#define QUERY_LINE 320

struct query {
	uint16_t length;
	uint8_t wire[QUERY_MAX]; /* id 0, RD */
};

struct queries {
	struct query *items;
	size_t count;
};

static inline uint8_t query_type(const char *text)
{
	static const struct {
		const char *text;
		uint8_t type;
	} types[] = {{"A", 1}, {"PTR", 12}, {"AAAA", 28}, {"SRV", 33}};

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (strcmp(types[i].text, text) == 0)
			return types[i].type;
	fprintf(stderr, "%s: not a type that is known here\n", text);
	exit(2);
}

/* name: up to 255 octets, without a dot at its end. */
static inline struct query query_make(const char *name, const char *type)
{
	struct query query = {.length = 12, .wire = {[2] = 1, [5] = 1}};

	while (*name) {
		size_t label = strcspn(name, ".");

		query.wire[query.length] = (uint8_t)label;
		memcpy(query.wire + query.length + 1, name, label);
		query.length = (uint16_t)(query.length + 1 + label);
		name += label + (name[label] == '.');
	}
	query.wire[query.length + 2] = query_type(type);
	query.wire[query.length + 4] = 1;
	query.length = (uint16_t)(query.length + 5);
	return query;
}

/* At least one; otherwise the process ends. */
static inline struct queries queries_read(const char *path)
{
	char line[QUERY_LINE], name[256], type[8];
	struct queries queries = {0};
	FILE *file = fopen(path, "r");
	size_t room = 0;

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%255s %7s", name, type) != 2)
			continue;
		if (queries.count == room) {
			room = room ? 2 * room : 1024;
			queries.items = realloc(queries.items, room * sizeof(*queries.items));
			if (!queries.items)
				abort();
		}
		queries.items[queries.count++] = query_make(name, type);
	}
	if (!queries.count) {
		fprintf(stderr, "%s: no queries\n", path);
		exit(2);
	}
	fclose(file);
	return queries;
}

#endif
