/* yajl's callbacks -> decoder, chunk by chunk. yajl knows no lines: they are counted up to the octet that it
 * stands at. */
#include "json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

#include "parse.h"
#include "svcdns/memory.h"

#define CHUNK	  65536
#define TOKEN_MAX (4u << 20) /* octets of one text: what yajl may have to hold */

struct json {
	struct decoder *decoder;
	yajl_handle parser;
	const uint8_t *chunk; /* NULL: at the end, where yajl gives out a number that it held back */
	size_t counted;	      /* octets of the chunk whose newlines are in decoder->line */
	size_t silent;	      /* octets since the last event, but for those of this chunk */
};

static void count_lines(struct json *json, size_t until)
{
	const uint8_t *at = json->chunk + json->counted, *end = json->chunk + until;

	for (; at < end && (at = memchr(at, '\n', (size_t)(end - at))); at++)
		json->decoder->line++;
	json->counted = until;
}

static struct decoder *at_event(void *context)
{
	struct json *json = context;

	if (json->chunk)
		count_lines(json, yajl_get_bytes_consumed(json->parser));
	json->silent = 0;
	return json->decoder;
}

static int on_null(void *context)
{
	return decoder_scalar(at_event(context), &(struct scalar){SCALAR_NULL, "", 0});
}

static int on_boolean(void *context, int value)
{
	struct scalar scalar = {SCALAR_PLAIN, value ? "true" : "false", value ? 4 : 5};

	return decoder_scalar(at_event(context), &scalar);
}

static int on_number(void *context, const char *text, size_t length)
{
	return decoder_scalar(at_event(context), &(struct scalar){SCALAR_PLAIN, text, length});
}

static int on_text(void *context, const unsigned char *text, size_t length)
{
	return decoder_scalar(at_event(context), &(struct scalar){SCALAR_QUOTED, (const char *)text, length});
}

static int on_begin_map(void *context)
{
	return decoder_begin_map(at_event(context));
}

static int on_begin_list(void *context)
{
	return decoder_begin_list(at_event(context));
}

static int on_end(void *context)
{
	return decoder_end(at_event(context));
}

static void refuse(struct json *json, const uint8_t *chunk, size_t length)
{
	unsigned char *text = yajl_get_error(json->parser, 0, chunk, length);

	count_lines(json, yajl_get_bytes_consumed(json->parser));
	text[strcspn((char *)text, "\n")] = '\0';
	decoder_refuse(json->decoder, "not JSON: %s", (const char *)text);
	yajl_free_error(json->parser, text);
}

bool json_push(struct json *json, const uint8_t *octets, size_t length)
{
	yajl_status status;

	if (json->silent > TOKEN_MAX)
		return decoder_refuse(json->decoder, "not JSON: a text of more than %u octets", TOKEN_MAX);
	json->silent += length;
	json->chunk = octets;
	json->counted = 0;
	status = yajl_parse(json->parser, octets, length);
	if (status == yajl_status_ok)
		count_lines(json, length);
	else if (status == yajl_status_error)
		refuse(json, octets, length);
	json->chunk = NULL;
	return status == yajl_status_ok;
}

bool json_end(struct json *json)
{
	if (json->decoder->depth || yajl_complete_parse(json->parser) != yajl_status_ok)
		return decoder_refuse(json->decoder, "not JSON: the text ends too early");
	return true;
}

struct json *json_create(struct decoder *decoder)
{
	static const yajl_callbacks callbacks = {on_null, on_boolean, NULL, NULL, on_number, on_text,
		on_begin_map, on_text, on_end, on_begin_list, on_end};
	struct json *json = memory_zero(1, sizeof(*json));

	json->decoder = decoder;
	json->parser = yajl_alloc(&callbacks, NULL, json);
	if (!json->parser)
		abort(); /* out of memory */
	yajl_config(json->parser, yajl_allow_multiple_values, 1);
	return json;
}

void json_destroy(struct json *json)
{
	if (!json)
		return;
	yajl_free(json->parser);
	memory_free(json);
}

static bool parse_file(struct json *json, FILE *file)
{
	uint8_t chunk[CHUNK];
	size_t length;

	while ((length = fread(chunk, 1, sizeof(chunk), file)) > 0)
		if (!json_push(json, chunk, length))
			return false;
	if (ferror(file))
		return error_set(json->decoder->error, "read %s: %s", json->decoder->file, strerror(errno));
	return json_end(json);
}

bool json_parse(FILE *file, struct decoder *decoder)
{
	struct json *json = json_create(decoder);
	bool is_good;

	decoder->line = 1;
	is_good = parse_file(json, file);
	json_destroy(json);
	return is_good;
}
