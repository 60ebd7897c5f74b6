/* The sticky writer: what is called often stands in the header, what handles names and copies here. */
#include "svcdns/writer.h"

#include "rdata.h"
#include "svcdns/message.h"

#define POINTER_MAX 0x3fff

void writer_remember(struct writer *w, size_t at)
{
	if (!w->overflow && w->names < WRITER_NAMES_MAX && at <= POINTER_MAX)
		w->name_at[w->names++] = (uint16_t)at;
}

void writer_name(struct writer *w, const struct name *name)
{
	size_t at = w->length;

	writer_bytes(w, name->wire, name->length);
	writer_remember(w, at);
}

/* Octets of the part of `name` from its label `first` on that stand at `at` of the message as well, as the
 * end of a name there: returns the offset of that part, or 0. The message's own names were written by us or
 * checked when read. */
static size_t find_suffix(const struct writer *w, size_t at, const struct name *name, unsigned first)
{
	size_t length;
	const uint8_t *suffix = name_suffix(name, first, &length);

	while (at < w->length && w->wire[at] && w->wire[at] < 64) {
		if (at + length <= w->length && memcmp(w->wire + at, suffix, length) == 0)
			return at;
		at += 1u + w->wire[at];
	}
	return 0;
}

void writer_name_compressed(struct writer *w, const struct name *name)
{
	for (unsigned first = 0; first < name->labels; first++) {
		size_t found = find_suffix(w, MESSAGE_HEADER, name, first);

		for (unsigned i = 0; i < w->names && !found; i++)
			found = find_suffix(w, w->name_at[i], name, first);
		if (found && found <= POINTER_MAX) {
			size_t at = w->length;

			writer_bytes(w, name->wire, name->offset[first]);
			writer_pointer(w, found);
			if (first)
				writer_remember(w, at);
			return;
		}
	}
	writer_name(w, name);
}

static bool copy_rdata(struct writer *w, const uint8_t *wire, const struct record *record)
{
	const struct layout *layout = rdata_layout(record->type);
	struct reader reader;
	struct name name;
	size_t before;

	reader_init(&reader, wire, record->end, record->rdata);
	if (layout) {
		before = rdata_before_names(layout, wire + record->rdata, record->end - record->rdata);
		reader_skip(&reader, before);
		if (reader.failed)
			return false;
		writer_bytes(w, wire + record->rdata, before);
		for (unsigned i = 0; i < layout->names; i++) {
			if (!reader_name(&reader, &name))
				return false;
			if (layout->compress)
				writer_name_compressed(w, &name);
			else
				writer_name(w, &name);
		}
	}
	writer_bytes(w, wire + reader.at, record->end - reader.at);
	return true;
}

bool writer_record(struct writer *w, enum section section, const uint8_t *wire, size_t length,
	const struct record *record)
{
	struct writer before = *w;

	assert(record->end <= length);
	(void)length;
	writer_name_compressed(w, &record->owner);
	writer_open(w, section, record->type, record->class, record->ttl);
	if (!copy_rdata(w, wire, record)) {
		*w = before;
		return false;
	}
	writer_close(w);
	return true;
}

size_t writer_expanded_length(const uint8_t *wire, const struct record *record)
{
	const struct layout *layout = rdata_layout(record->type);
	size_t length = record->owner.length + 10u + (record->end - record->rdata);
	struct reader reader;
	struct name name;

	if (!layout)
		return length;
	reader_init(&reader, wire, record->end, record->rdata);
	reader_skip(&reader, rdata_before_names(layout, wire + record->rdata, record->end - record->rdata));
	for (unsigned i = 0; i < layout->names; i++) {
		size_t begin = reader.at;

		if (reader_name(&reader, &name))
			length += name.length - (reader.at - begin);
	}
	return length;
}
