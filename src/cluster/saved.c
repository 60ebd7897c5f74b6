/* A header, then the objects as the blocks that they are: they have no pointers. The check sum goes over all
 * of it, one hash being the key of the next. Objects go into the store as they are read, and out again if the
 * file turns out to be no good. */
#include "saved.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access_fields.h"
#include "labels.h"
#include "svcdns/clock.h"
#include "svcdns/hash.h"
#include "svcdns/memory.h"

#define MAGIC	    "svcdns\1\n"
#define FORMAT	    1u
#define OBJECT_LONG (16u << 20) /* octets of one: more than any has */

struct header {
	char magic[8];
	uint32_t format;
	uint32_t layout;     /* of the blocks: another compiler or machine may have another one */
	uint64_t config;     /* what decides which objects there are */
	uint64_t written_at; /* Unix time, seconds */
	uint64_t objects;
	uint64_t sum; /* of all objects, and of the header without this */
};

struct writing {
	FILE *file;
	uint64_t sum, objects;
	bool has_failed;
};

static uint64_t add_to_sum(uint64_t sum, const void *octets, size_t length)
{
	const struct hash_key key = {sum, UINT64_C(0x7376636b646e7321)};

	return hash_bytes(&key, octets, length);
}

/* As a number that differs where the blocks would, also by the order of octets. */
static uint32_t layout(void)
{
	const uint32_t parts[] = {0x01020304, sizeof(struct object), sizeof(struct port),
		sizeof(struct endpoint), sizeof(struct cluster_ip), offsetof(struct object, namespace),
		offsetof(struct object, addresses), offsetof(struct port, name),
		offsetof(struct endpoint, host), offsetof(struct endpoint, slice)};

	return (uint32_t)add_to_sum(0, parts, sizeof(parts));
}

static void add_selector(struct buffer *text, const struct selector *selector)
{
	buffer_text(text, "\n");
	if (selector)
		selector_format(selector, text);
}

static uint64_t sum_of_config(const struct feed_config *config)
{
	struct buffer text;
	uint64_t sum;

	buffer_init(&text);
	buffer_format(&text, "%s %d %d %d", config->api.access->server, config->endpoints,
		config->endpoint_pod_names, config->pods);
	add_selector(&text, config->labels);
	add_selector(&text, config->namespace_labels);
	for (size_t i = 0; i < config->namespace_count; i++)
		buffer_format(&text, "\n%s", config->namespaces[i]);
	sum = add_to_sum(0, text.bytes, text.length);
	buffer_finish(&text);
	return sum;
}

static struct header header_of(const struct feed_config *config)
{
	struct header header = {.format = FORMAT, .layout = layout(), .config = sum_of_config(config)};

	memcpy(header.magic, MAGIC, sizeof(header.magic));
	return header;
}

static uint64_t final_sum(const struct header *header, uint64_t sum)
{
	return add_to_sum(sum, header, offsetof(struct header, sum));
}

static void write_object(void *context, const struct object *object)
{
	struct writing *writing = context;

	writing->objects++;
	writing->sum = add_to_sum(writing->sum, object, object->size);
	if (fwrite(object, 1, object->size, writing->file) != object->size)
		writing->has_failed = true;
}

/* The header comes first, and is known last. */
static bool write_all(
	FILE *file, const struct object_store *store, const struct feed_config *config, uint64_t now)
{
	struct header header = header_of(config);
	struct writing writing = {.file = file};

	if (fwrite(&header, sizeof(header), 1, file) != 1)
		return false;
	object_store_each(store, write_object, &writing);
	header.written_at = now;
	header.objects = writing.objects;
	header.sum = final_sum(&header, writing.sum);
	return !writing.has_failed && fseek(file, 0, SEEK_SET) == 0 &&
	       fwrite(&header, sizeof(header), 1, file) == 1;
}

static FILE *create(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w");

	if (fd >= 0 && !file)
		close(fd);
	return file;
}

/* Only its check sum says whether it has reached the disk: nobody waits for that here. */
static bool write_file(
	const char *path, const struct object_store *store, const struct feed_config *config, uint64_t now)
{
	FILE *file = create(path);
	bool is_good = file && write_all(file, store, config, now);

	if (file && fclose(file) != 0)
		is_good = false;
	return is_good;
}

bool saved_write(const char *path, const struct object_store *store, const struct feed_config *config,
	uint64_t now, struct error *error)
{
	struct buffer fresh;
	bool is_good;

	buffer_init(&fresh);
	buffer_format(&fresh, "%s.new", path);
	is_good = write_file(fresh.bytes, store, config, now) && rename(fresh.bytes, path) == 0;
	if (!is_good) {
		error_set(error, "%s: cannot be written: %s", path, strerror(errno));
		unlink(fresh.bytes);
	}
	buffer_finish(&fresh);
	return is_good;
}

static const char *check_header(const struct header *header, const struct feed_config *config)
{
	struct header own = header_of(config);

	if (memcmp(header->magic, own.magic, sizeof(own.magic)) != 0)
		return "it is no table of svcdns";
	if (header->format != own.format || header->layout != own.layout)
		return "it was written by another version";
	if (header->config != own.config)
		return "it was written with another configuration or for another API server";
	return NULL;
}

/* The next object, into a block that grows as needed; NULL: there is none that is sound. */
static const struct object *read_object(FILE *file, struct object **block, size_t *capacity)
{
	uint32_t size;

	if (fread(&size, sizeof(size), 1, file) != 1 || size < sizeof(**block) || size > OBJECT_LONG)
		return NULL;
	if (size > *capacity) {
		*block = memory_resize(*block, size);
		*capacity = size;
	}
	(*block)->size = size;
	if (fread((uint8_t *)*block + sizeof(size), 1, size - sizeof(size), file) != size - sizeof(size))
		return NULL;
	return object_is_sound(*block, size) ? *block : NULL;
}

static bool read_objects(FILE *file, const struct header *header, struct object_store *store)
{
	struct object *block = NULL;
	size_t capacity = 0;
	uint64_t sum = 0, count = 0;

	for (; count < header->objects; count++) {
		const struct object *object = read_object(file, &block, &capacity);

		if (!object)
			break;
		sum = add_to_sum(sum, object, object->size);
		object_store_put(store, object);
	}
	memory_free(block);
	return count == header->objects && getc(file) == EOF && final_sum(header, sum) == header->sum;
}

static void empty(struct object_store *store)
{
	for (int kind = 0; kind < OBJECT_KINDS; kind++) {
		object_store_begin_list(store, (enum object_kind)kind);
		object_store_sweep(store, (enum object_kind)kind);
	}
}

static const char *read_file(FILE *file, struct object_store *store, const struct feed_config *config,
	uint64_t now, uint64_t *ret_age_s)
{
	struct header header;
	const char *why;

	if (fread(&header, sizeof(header), 1, file) != 1)
		return "it is no table of svcdns";
	why = check_header(&header, config);
	if (why)
		return why;
	*ret_age_s = now > header.written_at ? now - header.written_at : 0;
	if (*ret_age_s > (uint64_t)config->api.saved_max_age_ns / CLOCK_S)
		return "it is too old";
	if (read_objects(file, &header, store))
		return NULL;
	empty(store);
	return "it is damaged";
}

enum saved_outcome saved_read(const char *path, struct object_store *store, const struct feed_config *config,
	uint64_t now, uint64_t *ret_age_s, struct error *error)
{
	FILE *file = fopen(path, "re");
	const char *why;

	if (!file && errno == ENOENT)
		return SAVED_NONE;
	if (!file) {
		error_set(error, "%s: %s", path, strerror(errno));
		return SAVED_REFUSED;
	}
	why = read_file(file, store, config, now, ret_age_s);
	fclose(file);
	if (!why)
		return SAVED_READ;
	error_set(error, "%s: %s", path, why);
	return SAVED_REFUSED;
}
