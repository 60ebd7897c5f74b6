/* Objects that the store has already are marked there while the files are read; others wait until the last
 * file has been read to its end. Only then the store changes, so that a broken file leaves no trace. */
#include "manifest.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "parse.h"
#include "svcdns/hash.h"
#include "svcdns/log.h"
#include "svcdns/memory.h"

struct seen { /* an object of the files */
	uint64_t hash;
	uint32_t file, line;
};

struct reading {
	const struct files *files;
	struct object_store *store;
	struct manifest_notes *notes;
	struct error *error;
	uint32_t file; /* being read: index into files->paths */
	struct seen *seen;
	size_t seen_count, seen_capacity;
	struct object **changed; /* owned */
	size_t changed_count, changed_capacity;
};

static void note_seen(struct reading *reading, const struct object *object, unsigned line)
{
	if (reading->seen_count == reading->seen_capacity) {
		reading->seen_capacity = reading->seen_capacity ? reading->seen_capacity * 2 : 256;
		reading->seen =
			memory_resize(reading->seen, reading->seen_capacity * sizeof(reading->seen[0]));
	}
	reading->seen[reading->seen_count++] =
		(struct seen){object_store_hash(reading->store, object), reading->file, line};
}

static void hold_back(struct reading *reading, const struct object *object)
{
	if (reading->changed_count == reading->changed_capacity) {
		reading->changed_capacity = reading->changed_capacity ? reading->changed_capacity * 2 : 256;
		reading->changed =
			memory_resize(reading->changed, reading->changed_capacity * sizeof(struct object *));
	}
	reading->changed[reading->changed_count++] = memcpy(memory_alloc(object->size), object, object->size);
}

static void take_object(struct reading *reading, const struct object *object, unsigned line)
{
	note_seen(reading, object, line);
	if (!object_store_has(reading->store, object))
		hold_back(reading, object);
}

static void note_other_kind(const struct reading *reading, const char *kind, const char *api_version)
{
	static const struct hash_key key = {1, 2};
	struct manifest_notes *notes = reading->notes;
	uint64_t hash =
		hash_bytes(&key, kind, strlen(kind)) ^ hash_bytes(&key, api_version, strlen(api_version));

	for (size_t i = 0; i < notes->count; i++)
		if (notes->kinds[i] == hash)
			return;
	if (notes->count == MANIFEST_KINDS)
		return;
	notes->kinds[notes->count++] = hash;
	log_line(LOG_INFO, "plugin/kubernetes", "%s: objects of kind %s (%s) are ignored",
		reading->files->paths[reading->file], kind, api_version);
}

static bool on_object(void *context, struct decoder *decoder, enum decoded what, const struct object *object)
{
	struct reading *reading = context;

	switch (what) {
	case DECODED_OBJECT:
		take_object(reading, object, decoder->first_line);
		return true;
	case DECODED_OTHER_KIND:
		note_other_kind(reading, decoder->kind, decoder->api_version);
		return true;
	case DECODED_BROKEN:
		return decoder_give_up(decoder);
	default:
		return true;
	}
}

static bool has_ending(const char *path, const char *ending)
{
	size_t length = strlen(path);

	return length > strlen(ending) && strcmp(path + length - strlen(ending), ending) == 0;
}

/* By its name; where that does not tell, a file that begins with a brace is JSON. A flow map of YAML does so,
 * too. */
static bool is_json(FILE *file, const char *path)
{
	int c;

	if (has_ending(path, ".yaml") || has_ending(path, ".yml"))
		return false;
	c = getc(file);
	while (c != EOF && isspace(c))
		c = getc(file);
	rewind(file);
	return c == '{' || has_ending(path, ".json");
}

static bool read_file(struct reading *reading, const char *path, struct decoder *decoder)
{
	FILE *file = fopen(path, "re");
	bool is_good;

	if (!file)
		return error_set(reading->error, "open %s: %s", path, strerror(errno));
	decoder->file = path;
	is_good = is_json(file, path) ? json_parse(file, decoder) : yaml_parse(file, decoder);
	fclose(file);
	return is_good;
}

static bool read_files(struct reading *reading, const struct feed_config *config)
{
	struct decoder decoder;
	bool is_good = true;

	for (size_t i = 0; is_good && i < reading->files->count; i++) {
		decoder_init(&decoder);
		decoder.config = config;
		decoder.error = reading->error;
		decoder.on_object = on_object;
		decoder.context = reading;
		reading->file = (uint32_t)i;
		is_good = read_file(reading, reading->files->paths[i], &decoder);
		decoder_finish(&decoder);
	}
	return is_good;
}

static int compare_seen(const void *a, const void *b)
{
	const struct seen *left = a, *right = b;

	if (left->hash != right->hash)
		return left->hash < right->hash ? -1 : 1;
	if (left->file != right->file)
		return left->file < right->file ? -1 : 1;
	return left->line < right->line ? -1 : left->line > right->line;
}

/* Two objects of one kind, namespace and name: nobody could say which of them counts. */
static bool check_doubles(struct reading *reading)
{
	char *const *paths = reading->files->paths;
	const struct seen *seen = reading->seen;

	if (reading->seen_count)
		qsort(reading->seen, reading->seen_count, sizeof(reading->seen[0]), compare_seen);
	for (size_t i = 1; i < reading->seen_count; i++)
		if (seen[i].hash == seen[i - 1].hash)
			return error_set(reading->error,
				"%s:%u: metadata.name: the same object stands at %s:%u", paths[seen[i].file],
				seen[i].line, paths[seen[i - 1].file], seen[i - 1].line);
	return true;
}

static void apply(const struct reading *reading)
{
	for (size_t i = 0; i < reading->changed_count; i++)
		object_store_put(reading->store, reading->changed[i]);
	for (int kind = 0; kind < OBJECT_KINDS; kind++)
		object_store_sweep(reading->store, (enum object_kind)kind);
}

static void reading_finish(struct reading *reading)
{
	for (size_t i = 0; i < reading->changed_count; i++)
		memory_free(reading->changed[i]);
	memory_free(reading->changed);
	memory_free(reading->seen);
}

static bool have_moved(const struct files *files, const char *path)
{
	struct files again;
	struct error ignored;
	bool is_there = files_list(path, &again, &ignored);
	bool moved = !is_there || again.fingerprint != files->fingerprint;

	files_finish(&again);
	return moved;
}

enum manifest_outcome manifest_read(const struct files *files, const struct feed_config *config,
	struct object_store *store, struct manifest_notes *notes, struct error *error)
{
	struct reading reading = {.files = files, .store = store, .notes = notes, .error = error};
	enum manifest_outcome outcome = MANIFEST_READ;

	for (int kind = 0; kind < OBJECT_KINDS; kind++)
		object_store_begin_list(store, (enum object_kind)kind);
	if (!read_files(&reading, config) || !check_doubles(&reading))
		outcome = MANIFEST_BROKEN;
	if (have_moved(files, config->table))
		outcome = MANIFEST_MOVED;
	if (outcome == MANIFEST_READ)
		apply(&reading);
	reading_finish(&reading);
	return outcome;
}
