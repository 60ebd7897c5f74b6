/* The feed outlives a configuration that follows the same objects in the same place: what it has read need
 * not be read again, and it answers all the while. So it owns all that its configuration consists of. */
#include <string.h>
#include <sys/stat.h>

#include "kubernetes.h"
#include "svcdns/access.h"
#include "svcdns/kept.h"
#include "svcdns/memory.h"

struct kept_feed {
	struct arena arena;
	struct feed_config config;
	struct selector *labels, *namespace_labels;
	struct feed *feed;
};

static void destroy(void *object)
{
	struct kept_feed *kept = object;

	feed_close(kept->feed);
	access_close(kept->config.api.access);
	selector_free(kept->labels);
	selector_free(kept->namespace_labels);
	arena_finish(&kept->arena);
	memory_free(kept);
}

static const char *copy_text(struct arena *arena, const char *text)
{
	return text ? arena_text(arena, text) : NULL;
}

static const char **copy_list(struct arena *arena, const char *const *texts, size_t count)
{
	const char **list = arena_alloc(arena, count * sizeof(*list));

	for (size_t i = 0; i < count; i++)
		list[i] = copy_text(arena, texts[i]);
	return list;
}

static void copy_texts(struct kept_feed *kept)
{
	struct feed_config *config = &kept->config;

	if (config->namespaces)
		config->namespaces = copy_list(&kept->arena, config->namespaces, config->namespace_count);
	config->table = copy_text(&kept->arena, config->table);
	config->api.saved = copy_text(&kept->arena, config->api.saved);
}

void kept_feed_forget(struct kubernetes *kubernetes)
{
	access_close(kubernetes->feed_config.api.access);
	selector_free(kubernetes->labels);
	selector_free(kubernetes->namespace_labels);
	kubernetes->feed_config.api.access = NULL;
	kubernetes->labels = kubernetes->namespace_labels = NULL;
}

/* Takes over what the configuration holds. */
static void *create(void *context, struct error *error)
{
	struct kubernetes *kubernetes = context;
	struct kept_feed *kept = memory_zero(1, sizeof(*kept));

	arena_init(&kept->arena);
	kept->config = kubernetes->feed_config;
	kept->labels = kubernetes->labels;
	kept->namespace_labels = kubernetes->namespace_labels;
	kubernetes->feed_config.api.access = NULL;
	kubernetes->labels = kubernetes->namespace_labels = NULL;
	copy_texts(kept);
	kept->feed = feed_open(&kept->config, error);
	if (kept->feed)
		return kept;
	destroy(kept);
	return NULL;
}

/* Certificates and the like may be others though their files have the same names. */
static void add_file(struct buffer *key, const char *path)
{
	struct stat status = {0};

	stat(path, &status);
	buffer_format(key, "\n%llu %lld.%09ld %lld", (unsigned long long)status.st_ino,
		(long long)status.st_mtim.tv_sec, status.st_mtim.tv_nsec, (long long)status.st_size);
}

static void make_key(const struct kubernetes *kubernetes, struct buffer *ret)
{
	static const char *const no_matter[] = {"ttl", "fallthrough", "pods", "ignore", "zonal",
		NULL}; /* of names, not of what is followed */

	setup_key(kubernetes->setup, "kubernetes", ret);
	setup_key_add(ret, kubernetes->directive, no_matter);
	buffer_format(ret, "\n%d %s", kubernetes->feed_config.pods,
		kubernetes->feed_config.table ? kubernetes->feed_config.table : "");
	for (size_t i = 0; i < kubernetes->files.count; i++)
		add_file(ret, kubernetes->files.words[i]);
}

bool kept_feed_take(struct kubernetes *kubernetes, struct error *error)
{
	struct buffer key;

	make_key(kubernetes, &key);
	kubernetes->kept = kept_take(kubernetes->setup->kept, key.bytes, create, kubernetes, destroy, error);
	buffer_finish(&key);
	kept_feed_forget(kubernetes);
	if (!kubernetes->kept)
		return false;
	kubernetes->feed_config = kubernetes->kept->config;
	kubernetes->feed = kubernetes->kept->feed;
	return true;
}

void kept_feed_release(struct kubernetes *kubernetes)
{
	if (kubernetes->kept)
		kept_release(kubernetes->setup->kept, kubernetes->kept);
	else
		kept_feed_forget(kubernetes);
}
