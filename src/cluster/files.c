/* Paths and one hash over what stat() says of them. */
#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "svcdns/hash.h"
#include "svcdns/memory.h"

struct fingerprint { /* chained: each file is hashed with what came before it */
	uint64_t before, device, inode, size;
	int64_t modified, modified_ns, changed, changed_ns;
};

static void add_fingerprint(struct files *files, const struct stat *status)
{
	static const struct hash_key key = {1, 2};
	struct fingerprint print = {
		.before = files->fingerprint,
		.device = (uint64_t)status->st_dev,
		.inode = (uint64_t)status->st_ino,
		.size = (uint64_t)status->st_size,
		.modified = status->st_mtim.tv_sec,
		.modified_ns = status->st_mtim.tv_nsec,
		.changed = status->st_ctim.tv_sec,
		.changed_ns = status->st_ctim.tv_nsec,
	};

	files->fingerprint = hash_bytes(&key, &print, sizeof(print));
}

static void add_path(struct files *files, const char *path)
{
	files->paths = memory_resize(files->paths, (files->count + 1) * sizeof(files->paths[0]));
	files->paths[files->count++] = memory_copy_text(path);
}

static bool is_manifest(const char *name)
{
	static const char *const endings[] = {".yaml", ".yml", ".json"};
	size_t length = strlen(name);

	for (size_t i = 0; *name != '.' && i < ARRAY_LENGTH(endings); i++) {
		size_t ending = strlen(endings[i]);

		if (length > ending && strcmp(name + length - ending, endings[i]) == 0)
			return true;
	}
	return false;
}

static int compare_paths(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool cannot(struct error *error, const char *what, const char *path, int code)
{
	return error_set(error, "%s %s: %s", what, path, strerror(code));
}

static bool add_file(struct files *files, const char *path, const struct stat *status, struct error *error)
{
	add_fingerprint(files, status);
	if (status->st_size > FILES_SIZE_MAX)
		return error_set(error, "%s: larger than 1 GiB", path);
	add_path(files, path);
	return true;
}

/* All manifests of a folder; those that vanish meanwhile are left out. */
static bool add_entries(struct files *files, const char *folder, DIR *entries, struct error *error)
{
	char path[4096];

	for (const struct dirent *entry; (entry = readdir(entries));) {
		if (!is_manifest(entry->d_name))
			continue;
		if (files->count == FILES_MAX)
			return error_set(error, "%s: more than %d manifests", folder, FILES_MAX);
		if (snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name) >= (int)sizeof(path))
			return cannot(error, "open", folder, ENAMETOOLONG);
		add_path(files, path);
	}
	return true;
}

/* Keeps the paths that are files, and takes their fingerprints in order. */
static bool check_entries(struct files *files, struct error *error)
{
	struct files kept = {.is_folder = true, .fingerprint = files->fingerprint};
	struct stat status;
	bool is_good = true;

	if (files->count)
		qsort(files->paths, files->count, sizeof(files->paths[0]), compare_paths);
	for (size_t i = 0; is_good && i < files->count; i++)
		if (stat(files->paths[i], &status) == 0 && S_ISREG(status.st_mode))
			is_good = add_file(&kept, files->paths[i], &status, error);
	files_finish(files);
	*files = kept;
	return is_good;
}

static bool list_folder(struct files *files, const char *path, struct error *error)
{
	DIR *entries = opendir(path);
	bool is_good;

	files->is_folder = true;
	if (!entries)
		return cannot(error, "open", path, errno);
	is_good = add_entries(files, path, entries, error);
	closedir(entries);
	return is_good && check_entries(files, error);
}

bool files_list(const char *path, struct files *ret, struct error *error)
{
	struct stat status;

	*ret = (struct files){0};
	if (stat(path, &status) != 0) {
		ret->fingerprint = (uint64_t)errno;
		return cannot(error, "open", path, errno);
	}
	if (S_ISDIR(status.st_mode))
		return list_folder(ret, path, error);
	if (!S_ISREG(status.st_mode))
		return error_set(error, "open %s: neither a file nor a folder", path);
	return add_file(ret, path, &status, error);
}

void files_finish(struct files *files)
{
	for (size_t i = 0; i < files->count; i++)
		memory_free(files->paths[i]);
	memory_free(files->paths);
	files->paths = NULL;
	files->count = 0;
}
