/* Any octets as a manifest, YAML or JSON: a table, or a refusal that says where and why. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "svcdns/feed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_as(const char *path, const uint8_t *data, size_t size)
{
	struct feed_config config = {.table = path, .endpoints = true, .pods = true};
	struct error error = {""};
	FILE *file = fopen(path, "w");
	struct feed *feed;

	if (!file || fwrite(data, 1, size, file) != size || fclose(file) != 0)
		abort();
	feed = feed_open(&config, &error);
	if (!feed && !error.message[0])
		abort();
	feed_close(feed);
	unlink(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[64];

	snprintf(path, sizeof(path), "/tmp/svcdns-fuzz-%d.yaml", (int)getpid());
	try_as(path, data, size);
	snprintf(path, sizeof(path), "/tmp/svcdns-fuzz-%d.json", (int)getpid());
	try_as(path, data, size);
	return 0;
}
