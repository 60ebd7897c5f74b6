/* Inside log: a format, taken apart once and filled in for every query. */
#ifndef LOG_FORMAT_H
#define LOG_FORMAT_H

#include "svcdns/arena.h"
#include "svcdns/request.h"

struct format;

/* A format as CoreDNS has it: {type}, {>id}, {/metadata} and the like, {common} and {combined}; what is none
 * of these stays as it is. */
const struct format *format_parse(const char *text, struct arena *arena);

/* Writes the line for a query whose reply stands in the request, without newline; returns its length, size at
 * most. */
size_t format_write(
	const struct format *format, const struct request *request, uint64_t now, char *out, size_t size);

#endif
