#include "format.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "svcdns/clock.h"

#define COMMON                                                                                               \
	"{remote}:{port} - {>id} \"{type} {class} {name} {proto} {size} {>do} {>bufsize}\" {rcode} "         \
	"{>rflags} {rsize} "                                                                                 \
	"{duration}"
#define COMBINED COMMON " \"{>opcode}\""
#define UNKNOWN	 "RCODE" /* stands before the number of an rcode without a name */

struct line { /* being written */
	char *out;
	size_t length, size;
};

struct part {
	void (*write)(
		struct line *line, const struct request *r, uint64_t now); /* NULL: what the text says */
	const char *text;
	bool is_metadata; /* the text is a label of metadata, not to be written as it is */
	struct part *next;
};

struct format {
	struct part *parts;
};

static void put_n(struct line *line, const char *text, size_t length)
{
	if (length > line->size - line->length)
		length = line->size - line->length;
	memcpy(line->out + line->length, text, length);
	line->length += length;
}

static void put(struct line *line, const char *text)
{
	put_n(line, text, strlen(text));
}

static void put_number(struct line *line, uint64_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, number);
	put(line, text);
}

static void write_type(struct line *line, const struct request *r, uint64_t now)
{
	char text[TYPE_TEXT_MAX];

	(void)now;
	type_text(r->question.type, text);
	put(line, text);
}

static void write_class(struct line *line, const struct request *r, uint64_t now)
{
	char text[TYPE_TEXT_MAX];

	(void)now;
	class_text(r->question.class, text);
	put(line, text);
}

static void write_name(struct line *line, const struct request *r, uint64_t now)
{
	char text[NAME_TEXT_MAX];

	(void)now;
	name_to_text(&r->question.name, text);
	put(line, text);
}

static void write_proto(struct line *line, const struct request *r, uint64_t now)
{
	(void)now;
	put(line, r->transport == TRANSPORT_TCP ? "tcp" : "udp");
}

static void write_size(struct line *line, const struct request *r, uint64_t now)
{
	(void)now;
	put_number(line, r->query_length);
}

static void put_address(struct line *line, const union address *address)
{
	char text[ADDRESS_TEXT_MAX];
	struct ip ip;

	address_ip(address, &ip);
	ip_text(&ip, text);
	if (ip.family == 6)
		put(line, "[");
	put(line, text);
	if (ip.family == 6)
		put(line, "]");
}

static void write_remote(struct line *line, const struct request *r, uint64_t now)
{
	(void)now;
	put_address(line, &r->client);
}

static void write_port(struct line *line, const struct request *r, uint64_t now)
{
	(void)now;
	put_number(line, address_port(&r->client));
}

static void write_local(struct line *line, const struct request *r, uint64_t now)
{
	(void)now;
	put_address(line, &r->local);
}

static void write_id(struct line *line, const struct request *r, uint64_t now)
{
	(void)now;
	put_number(line, r->id);
}

static void write_opcode(struct line *line, const struct request *r, uint64_t now)
{
	(void)now;
	put_number(line, (r->flags & FLAG_OPCODE) >> 11);
}

static void write_do(struct line *line, const struct request *r, uint64_t now)
{
	(void)now;
	put(line, r->edns.present && r->edns.dnssec_ok ? "true" : "false");
}

static void write_bufsize(struct line *line, const struct request *r, uint64_t now)
{
	(void)now;
	if (r->transport == TRANSPORT_TCP)
		put_number(line, MESSAGE_MAX);
	else
		put_number(line, r->edns.present && r->edns.payload > 512 ? r->edns.payload : 512);
}

static void write_rcode(struct line *line, const struct request *r, uint64_t now)
{
	char text[TYPE_TEXT_MAX];

	(void)now;
	if (r->is_dropped) {
		put(line, "-");
		return;
	}
	rcode_text(r->rcode, text);
	put(line, strncmp(text, UNKNOWN, strlen(UNKNOWN)) == 0 ? text + strlen(UNKNOWN) : text);
}

static void write_rflags(struct line *line, const struct request *r, uint64_t now)
{
	static const struct {
		uint16_t flag;
		const char *text;
	} flags[] = {
		{FLAG_AA, ",aa"},
		{FLAG_TC, ",tc"},
		{FLAG_RD, ",rd"},
		{FLAG_RA, ",ra"},
		{FLAG_AD, ",ad"},
		{FLAG_CD, ",cd"},
	};

	(void)now;
	if (r->is_dropped) {
		put(line, "-");
		return;
	}
	put(line, "qr");
	for (size_t i = 0; i < ARRAY_LENGTH(flags); i++)
		if (r->reply_flags & flags[i].flag)
			put(line, flags[i].text);
}

static void write_rsize(struct line *line, const struct request *r, uint64_t now)
{
	(void)now;
	put_number(line, request_reply_size(r));
}

/* Seconds, with no more digits than there are. */
static void write_duration(struct line *line, const struct request *r, uint64_t now)
{
	uint64_t ns = now > r->received ? now - r->received : 0;
	char text[40];
	size_t length =
		(size_t)snprintf(text, sizeof(text), "%" PRIu64 ".%09" PRIu64, ns / CLOCK_S, ns % CLOCK_S);

	while (text[length - 1] == '0')
		length--;
	length -= text[length - 1] == '.';
	put_n(line, text, length);
	put(line, "s");
}

static void put_metadata(struct line *line, const struct request *r, const char *label)
{
	char value[METADATA_MAX];

	put(line, request_find_label(r, label, value) ? value : "-");
}

static const struct {
	const char *label;
	void (*write)(struct line *, const struct request *, uint64_t);
} labels[] = {
	{"{type}", write_type},
	{"{class}", write_class},
	{"{name}", write_name},
	{"{proto}", write_proto},
	{"{size}", write_size},
	{"{remote}", write_remote},
	{"{port}", write_port},
	{"{local}", write_local},
	{"{>id}", write_id},
	{"{>opcode}", write_opcode},
	{"{>do}", write_do},
	{"{>bufsize}", write_bufsize},
	{"{rcode}", write_rcode},
	{"{>rflags}", write_rflags},
	{"{rsize}", write_rsize},
	{"{duration}", write_duration},
};

static const char *replace_all(struct arena *arena, const char *text, const char *from, const char *to)
{
	const char *at;

	while ((at = strstr(text, from)))
		text = arena_format(arena, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
	return text;
}

typedef void write_part(struct line *line, const struct request *r, uint64_t now);

/* What writes the label, braces included; NULL: it is none. */
static write_part *find_writer(const char *label, size_t length)
{
	for (size_t i = 0; i < ARRAY_LENGTH(labels); i++)
		if (strlen(labels[i].label) == length && memcmp(labels[i].label, label, length) == 0)
			return labels[i].write;
	return NULL;
}

/* "{/forward/upstream}": whether somebody gives it is seen with each query. */
static bool is_metadata(const char *label, size_t length)
{
	return length > 2 && label[1] == '/';
}

static struct part *add_part(struct part ***link, struct arena *arena)
{
	struct part *part = arena_alloc(arena, sizeof(*part));

	**link = part;
	*link = &part->next;
	return part;
}

static void add_text(struct part ***link, struct arena *arena, const char *text, size_t length)
{
	if (length)
		add_part(link, arena)->text = arena_text_n(arena, text, length);
}

static void add_label(struct part ***link, struct arena *arena, const char *label, size_t length)
{
	struct part *part = add_part(link, arena);

	part->write = find_writer(label, length);
	part->is_metadata = is_metadata(label, length);
	if (part->is_metadata)
		part->text = arena_text_n(arena, label + 2, length - 3);
}

const struct format *format_parse(const char *text, struct arena *arena)
{
	struct format *format = arena_alloc(arena, sizeof(*format));
	struct part **link = &format->parts;
	const char *at, *close;

	text = replace_all(arena, text, "{common}", COMMON);
	text = replace_all(arena, text, "{combined}", COMBINED);
	for (at = text; (close = strchr(at, '}')); at = close + 1) {
		const char *open = close;
		size_t length;

		while (open > at && *open != '{')
			open--;
		length = (size_t)(close + 1 - open);
		if (*open == '{' && (find_writer(open, length) || is_metadata(open, length))) {
			add_text(&link, arena, at, (size_t)(open - at));
			add_label(&link, arena, open, length);
		} else {
			add_text(&link, arena, at, (size_t)(close + 1 - at));
		}
	}
	add_text(&link, arena, at, strlen(at));
	return format;
}

size_t format_write(
	const struct format *format, const struct request *request, uint64_t now, char *out, size_t size)
{
	struct line line = {out, 0, size};

	for (const struct part *part = format->parts; part; part = part->next) {
		if (part->write)
			part->write(&line, request, now);
		else if (part->is_metadata)
			put_metadata(&line, request, part->text);
		else
			put(&line, part->text);
	}
	return line.length;
}
