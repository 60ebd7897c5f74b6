/* libyaml's events -> decoder. The file is read as the parser needs it; a document is never held in memory as
 * a whole. */
#include <errno.h>
#include <string.h>
#include <yaml.h>

#include "parse.h"

/* What the YAML core schema resolves to null. */
static bool is_null(const struct scalar *scalar)
{
	static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};

	for (size_t i = 0; i < ARRAY_LENGTH(nulls); i++)
		if (strlen(nulls[i]) == scalar->length && memcmp(nulls[i], scalar->text, scalar->length) == 0)
			return true;
	return false;
}

static bool take_scalar(struct decoder *decoder, const yaml_event_t *event)
{
	struct scalar scalar = {
		SCALAR_QUOTED, (const char *)event->data.scalar.value, event->data.scalar.length};

	/* Without quotes and without a tag: what it is follows from its text. */
	if (event->data.scalar.plain_implicit)
		scalar.kind = is_null(&scalar) ? SCALAR_NULL : SCALAR_PLAIN;
	return decoder_scalar(decoder, &scalar);
}

static bool take_event(struct decoder *decoder, const yaml_event_t *event)
{
	decoder->line = (unsigned)event->start_mark.line + 1;
	switch (event->type) {
	case YAML_MAPPING_START_EVENT:
		return decoder_begin_map(decoder);
	case YAML_SEQUENCE_START_EVENT:
		return decoder_begin_list(decoder);
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		return decoder_end(decoder);
	case YAML_SCALAR_EVENT:
		return take_scalar(decoder, event);
	case YAML_ALIAS_EVENT:
		return decoder_alias(decoder);
	default:
		return true;
	}
}

static bool refuse(const yaml_parser_t *parser, FILE *file, struct decoder *decoder)
{
	size_t line = parser->problem_mark.line;

	if (ferror(file))
		return error_set(decoder->error, "read %s: %s", decoder->file, strerror(errno));
	decoder->line = (unsigned)line + 1;
	return decoder_refuse(decoder, "not YAML: %s%s%s", parser->context ? parser->context : "",
		parser->context ? ": " : "", parser->problem ? parser->problem : "broken");
}

bool yaml_parse(FILE *file, struct decoder *decoder)
{
	yaml_parser_t parser;
	yaml_event_t event;
	bool is_end = false, is_good = true;

	if (!yaml_parser_initialize(&parser))
		abort(); /* out of memory */
	yaml_parser_set_input_file(&parser, file);
	while (is_good && !is_end) {
		if (!yaml_parser_parse(&parser, &event)) {
			is_good = refuse(&parser, file, decoder);
			break;
		}
		is_end = event.type == YAML_STREAM_END_EVENT;
		is_good = take_event(decoder, &event);
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	return is_good;
}
