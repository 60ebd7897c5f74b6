/* pprof: what the process is doing, as text. CoreDNS shows the profiles of Go's runtime at this address; a C
 * program has none, so that there are pages about threads, memory and descriptors instead, which can be read
 * with curl.
 */
#include <dirent.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "svcdns/http.h"
#include "svcdns/log.h"
#include "svcdns/proc.h"
#include "svcdns/setup.h"

#define TOPIC	 "plugin/pprof"
#define PATH	 "/debug/pprof/"
#define BARE	 "/debug/pprof"
#define TEXT_MAX 64

#define STAT_USER   14 /* fields of /proc/PID/stat: CPU time in ticks */
#define STAT_SYSTEM 15

enum { FOUND = 302, NOT_FOUND = 404, NOT_IMPLEMENTED = 501 };

struct pprof { /* lifetime: configuration */
	const struct setup *setup;
	const char *address;
	struct http_endpoint *endpoint, *bare;
};

/* The whole of a file of /proc; what cannot be read says why instead. */
static void put_file(struct buffer *out, const char *path)
{
	struct buffer text;
	char reason[256];

	buffer_init(&text);
	if (buffer_read_file(&text, path, reason, sizeof(reason)))
		buffer_add(out, text.bytes, text.length);
	else
		buffer_format(out, "%s\n", reason);
	buffer_finish(&text);
}

/* "ID (NAME) STATE ...": a line of /proc/self/task/ID/stat. */
static void put_thread(struct buffer *out, const char *id)
{
	double hz = (double)sysconf(_SC_CLK_TCK);
	char path[sizeof("/proc/self/task//stat") + NAME_MAX];
	const char *name, *end;
	struct buffer text;

	buffer_init(&text);
	snprintf(path, sizeof(path), "/proc/self/task/%s/stat", id);
	put_file(&text, path);
	name = strchr(text.bytes, '(');
	end = strrchr(text.bytes, ')');
	if (name && end)
		buffer_format(out, "%-16.*s %7s   %.1s %10.2f %10.2f\n", (int)(end - name - 1), name + 1, id,
			end + 2, (double)proc_stat_number(text.bytes, STAT_USER) / hz,
			(double)proc_stat_number(text.bytes, STAT_SYSTEM) / hz);
	buffer_finish(&text);
}

static void put_threads(struct buffer *out)
{
	DIR *directory = opendir("/proc/self/task");
	const struct dirent *entry;

	buffer_format(out, "%-16s %7s %s %10s %10s\n", "thread", "id", "state", "user s", "system s");
	while (directory && (entry = readdir(directory)))
		if (*entry->d_name != '.')
			put_thread(out, entry->d_name);
	if (directory)
		closedir(directory);
}

static void put_heap(struct buffer *out)
{
	struct mallinfo2 info = mallinfo2();

	buffer_text(out, "What malloc has, in octets:\n");
	buffer_format(out, "in use            %12zu\n", info.uordblks + info.hblkhd);
	buffer_format(out, "  of it mapped    %12zu in %zu blocks\n", info.hblkhd, info.hblks);
	buffer_format(out, "free              %12zu in %zu pieces\n", info.fordblks, info.ordblks);
	buffer_format(out, "  at the end      %12zu\n", info.keepcost);
	buffer_format(out, "arenas            %12zu\n", info.arena);
	buffer_text(out,
		"\nThe process (proc(5); requests, caches and connections are mapped, not allocated):\n");
	put_file(out, "/proc/self/status");
	buffer_text(out, "\n");
	put_file(out, "/proc/self/smaps_rollup");
}

static void put_descriptors(struct buffer *out)
{
	DIR *directory = opendir("/proc/self/fd");
	const struct dirent *entry;
	char target[256];

	while (directory && (entry = readdir(directory))) {
		ssize_t length = readlinkat(dirfd(directory), entry->d_name, target, sizeof(target));

		if (length > 0)
			buffer_format(out, "%5s %.*s\n", entry->d_name, (int)length, target);
	}
	if (directory)
		closedir(directory);
}

/* The words as they were given, NUL between them, as Go's page has it. */
static void put_command(struct buffer *out)
{
	put_file(out, "/proc/self/cmdline");
	if (out->length && !out->bytes[out->length - 1])
		out->length--;
}

static const struct page {
	const char *name, *about;
	void (*put)(struct buffer *out); /* NULL: only Go has it */
} pages[] = {
	{"threads", "threads, and the CPU time that each has used", put_threads},
	{"goroutine", "the same, under the name of what Go has instead", put_threads},
	{"heap", "memory, as malloc and the kernel count it", put_heap},
	{"allocs", "the same", put_heap},
	{"descriptors", "open files and sockets", put_descriptors},
	{"cmdline", "the command line", put_command},
	{"profile", "not here: perf record -g -p PID", NULL},
	{"trace", "not here: strace -f -p PID, perf trace -p PID", NULL},
	{"symbol", "not here: the program's own symbols are for perf and gdb", NULL},
	{"block", "not here: perf lock, offcputime(8)", NULL},
	{"mutex", "not here: perf lock, offcputime(8)", NULL},
	{"threadcreate", "not here: bpftrace, threadsnoop(8)", NULL},
};

static void put_index(struct buffer *out)
{
	buffer_format(out, "svcdns %s, process %ld\n\n", SVCDNS_VERSION, (long)getpid());
	for (size_t i = 0; i < ARRAY_LENGTH(pages); i++)
		buffer_format(out, PATH "%-12s  %s\n", pages[i].name, pages[i].about);
}

static void answer(void *context, const char *rest, struct http_answer *ret)
{
	(void)context;
	if (ret->body.length)
		return; /* another block's pprof wrote the same page */
	if (!*rest)
		put_index(&ret->body);
	for (size_t i = 0; *rest && i < ARRAY_LENGTH(pages); i++) {
		if (strcmp(pages[i].name, rest) != 0)
			continue;
		if (pages[i].put) {
			pages[i].put(&ret->body);
		} else {
			ret->status = NOT_IMPLEMENTED;
			buffer_format(&ret->body, "%s: %s\n", rest, pages[i].about);
		}
		return;
	}
	if (*rest)
		ret->status = NOT_FOUND;
}

static void answer_bare(void *context, const char *rest, struct http_answer *ret)
{
	(void)context;
	(void)rest;
	ret->status = FOUND;
	ret->location = PATH;
}

static bool open_endpoint(void *config, struct error *error)
{
	struct pprof *pprof = config;

	pprof->endpoint = http_open(pprof->setup->http, pprof->address, PATH, answer, pprof, error);
	if (pprof->endpoint)
		pprof->bare = http_open(pprof->setup->http, pprof->address, BARE, answer_bare, pprof, error);
	if (pprof->bare)
		return true;
	log_line(LOG_ERROR, TOPIC, "Failed to start pprof handler: %s", error->message);
	return false;
}

static void close_endpoint(void *config)
{
	struct pprof *pprof = config;

	http_close(pprof->endpoint);
	http_close(pprof->bare);
	pprof->endpoint = pprof->bare = NULL;
}

/* block [RATE]: how often Go's runtime looks for who waits for a lock. There is nothing to look for here. */
static bool parse_block(void *config, struct setup *setup, struct dispenser *d)
{
	struct words words = {0};
	struct error ignored;
	int64_t rate;

	(void)config;
	setup_words(setup, d, &words);
	if (words.count > 1)
		return dispenser_argument_error(d);
	return !words.count || integer_parse(words.words[0], &rate, &ignored) ||
	       dispenser_error(d, "property 'block' invalid integer value '%s'", words.words[0]);
}

static const struct option options[] = {
	{.name = "block", .type = OPTION_CALL, .parse = parse_block},
	{.name = NULL},
};

static bool read_directive(struct pprof *pprof, struct setup *setup, struct dispenser *d)
{
	struct words words = {0};
	struct error reason;

	if (!setup_once(setup, d))
		return false;
	setup_words(setup, d, &words);
	if (words.count > 1)
		return dispenser_argument_error(d);
	if (words.count) {
		pprof->address = words.words[0];
		if (!http_check_address(pprof->address, &reason))
			return dispenser_error(d, "%s", reason.message);
	}
	return options_parse(options, pprof, setup, d);
}

static void *setup(struct setup *setup, struct error *error)
{
	struct pprof *pprof = arena_alloc(setup->arena, sizeof(*pprof));
	struct dispenser d;

	pprof->setup = setup;
	pprof->address = "localhost:6053";
	dispenser_init(&d, setup->directive, error);
	while (dispenser_next(&d))
		if (!read_directive(pprof, setup, &d))
			return NULL;
	return pprof;
}

extern const struct plugin plugin_pprof;

const struct plugin plugin_pprof = {
	.name = "pprof",
	.setup = setup,
	.open = open_endpoint,
	.leave = close_endpoint,
	.close = close_endpoint,
};
