/* hosts: answers from a file in the format of hosts(5), and from such lines in the Corefile itself.
 *
 * The file is read by a thread of its own when it changes; workers take the new table between two batches. A
 * file that cannot be read leaves the last one in place. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>

#include "svcdns/buffer.h"
#include "svcdns/clock.h"
#include "svcdns/file_watch.h"
#include "svcdns/log.h"
#include "svcdns/memory.h"
#include "svcdns/metrics.h"
#include "svcdns/published.h"
#include "svcdns/reverse.h"
#include "svcdns/setup.h"
#include "table.h"

#define TOPIC	       "plugin/hosts"
#define TTL_MAX	       65535
#define RELOAD_DEFAULT INT64_C(5000000000)

struct hosts { /* lifetime: configuration */
	const char *path;
	struct zones zones;
	struct zones fallthrough;
	bool has_fallthrough, fallthrough_unsupported, no_reverse;
	int64_t ttl;	/* seconds */
	int64_t reload; /* ns; 0: never */
	struct hosts_table *inlined;
	struct published file;
	pthread_mutex_t reading; /* by one at a time, so that what was read last is what counts */
	struct file_watch *watch;
	_Atomic size_t entries;	  /* of file and Corefile together */
	_Atomic int64_t modified; /* ns since 1970, of the file that was read last; 0: none was */
};

static const struct metric_family entry_count = {
	.name = "coredns_hosts_entries",
	.help = "The combined number of entries in hosts and Corefile.",
	.type = METRIC_GAUGE,
	.labels = {{.name = "hostsfile"}},
};

static const struct metric_family reload_time = {
	.name = "coredns_hosts_reload_timestamp_seconds",
	.help = "The timestamp of the last reload of hosts file.",
	.type = METRIC_GAUGE,
};

static const struct metric_family *const families[] = {&entry_count, &reload_time, NULL};

struct hosts_worker {
	struct hosts *hosts;
	struct published_view file;
};

static const struct hosts_table *file_table(const struct hosts_worker *w)
{
	return w->file.object ? CONTAINER_OF(w->file.object, struct hosts_table, shared) : NULL;
}

/* The owner is written in lower case, as CoreDNS does; that is the question itself unless it came in mixed
 * case. */
static void write_owner(struct request *r)
{
	const struct name *name = &r->question.name;

	if (memcmp(r->wire + MESSAGE_HEADER, name->wire, name->length) == 0)
		writer_u16(&r->reply, WRITER_QUESTION);
	else
		writer_name(&r->reply, name);
}

static void write_addresses(
	const struct hosts *hosts, struct request *r, struct hosts_range range, uint8_t family)
{
	for (size_t i = 0; i < range.count; i++) {
		const struct ip *ip = &range.entries[i].ip;

		if (ip->family != family)
			continue;
		write_owner(r);
		writer_address(
			&r->reply, SECTION_ANSWER, ip->bytes, ip_length(ip), CLASS_IN, (uint32_t)hosts->ttl);
	}
}

static void write_names(const struct hosts *hosts, struct request *r, const struct hosts_table *table,
	struct hosts_range range)
{
	for (size_t i = 0; i < range.count; i++) {
		const struct hosts_entry *entry = &range.entries[i];

		write_owner(r);
		writer_open(&r->reply, SECTION_ANSWER, TYPE_PTR, CLASS_IN, (uint32_t)hosts->ttl);
		writer_bytes(&r->reply, hosts_entry_name(table, entry), entry->name_length);
		writer_close(&r->reply);
	}
}

static bool falls_through(const struct hosts *hosts, const struct request *r)
{
	return hosts->has_fallthrough && zones_match(&hosts->fallthrough, &r->question.name);
}

/* What is not found passes on, whatever fallthrough says: addresses need not lie in the zones. */
static enum verdict serve_ptr(const struct hosts_worker *w, struct request *r)
{
	const struct hosts *hosts = w->hosts;
	const struct hosts_table *file = file_table(w);
	struct ip ip;

	if (!reverse_address(&r->question.name, &ip))
		return VERDICT_NEXT;
	request_reply(r, RCODE_NOERROR, FLAG_AA);
	if (file)
		write_names(hosts, r, file, hosts_table_address(file, &ip));
	write_names(hosts, r, hosts->inlined, hosts_table_address(hosts->inlined, &ip));
	return r->reply.count[SECTION_ANSWER] ? VERDICT_ANSWERED : VERDICT_NEXT;
}

struct entries {
	struct hosts_range in_file, inlined;
};

static struct entries find_by(const struct hosts_worker *w, const struct name *name,
	struct hosts_range (*find)(const struct hosts_table *table, const struct name *name))
{
	const struct hosts_table *file = file_table(w);
	struct entries entries = {.inlined = find(w->hosts->inlined, name)};

	if (file)
		entries.in_file = find(file, name);
	return entries;
}

static bool is_empty(const struct entries *entries)
{
	return !entries->in_file.count && !entries->inlined.count;
}

/* A name with an entry of its own, wherever it stands, has no part in a wildcard (RFC 4592 section 2.2.1). */
static struct entries find_name(const struct hosts_worker *w, const struct name *name)
{
	struct entries entries = find_by(w, name, hosts_table_name);

	return is_empty(&entries) ? find_by(w, name, hosts_table_wildcard) : entries;
}

/* A name that has entries is answered, if need be with nothing. There is no SOA record to deny others with,
 * so that they fail, as in CoreDNS. */
static enum verdict serve_name(const struct hosts_worker *w, struct request *r)
{
	const struct hosts *hosts = w->hosts;
	uint16_t type = r->question.type;
	bool is_address = type == TYPE_A || type == TYPE_AAAA;
	struct entries entries;

	if (!is_address && hosts->fallthrough_unsupported && falls_through(hosts, r))
		return VERDICT_NEXT;
	entries = find_name(w, &r->question.name);
	if (is_empty(&entries))
		return falls_through(hosts, r) ? VERDICT_NEXT : request_fail(r, RCODE_SERVFAIL, "%s", "");
	request_reply(r, RCODE_NOERROR, FLAG_AA);
	if (is_address) {
		write_addresses(hosts, r, entries.in_file, type == TYPE_A ? 4 : 6);
		write_addresses(hosts, r, entries.inlined, type == TYPE_A ? 4 : 6);
	}
	return VERDICT_ANSWERED;
}

static enum verdict serve(void *self, struct request *r)
{
	const struct hosts_worker *w = self;

	if (r->question.type == TYPE_PTR)
		return serve_ptr(w, r);
	return zones_match(&w->hosts->zones, &r->question.name) ? serve_name(w, r) : VERDICT_NEXT;
}

static int64_t modified_at(const char *path)
{
	struct stat status;

	if (stat(path, &status) != 0)
		return 0;
	return status.st_mtim.tv_sec * (int64_t)CLOCK_S + status.st_mtim.tv_nsec;
}

static size_t count_entries(const struct hosts_table *table)
{
	return table->name_count + table->address_count;
}

static void read_file(void *context)
{
	struct hosts *hosts = context;
	struct buffer buffer;
	struct hosts_table *table;
	char reason[512];

	pthread_mutex_lock(&hosts->reading);
	buffer_init(&buffer);
	if (buffer_read_file(&buffer, hosts->path, reason, sizeof(reason))) {
		table = hosts_table_make(buffer.bytes, buffer.length, &hosts->zones, !hosts->no_reverse);
		log_line(LOG_DEBUG, TOPIC, "Parsed hosts file into %zu entries", count_entries(table));
		atomic_store(&hosts->entries, count_entries(table) + count_entries(hosts->inlined));
		atomic_store(&hosts->modified, modified_at(hosts->path));
		published_set(&hosts->file, &table->shared);
	}
	buffer_finish(&buffer);
	pthread_mutex_unlock(&hosts->reading);
}

static void collect(void *config, struct metrics_page *page)
{
	struct hosts *hosts = config;
	int64_t modified = atomic_load(&hosts->modified);

	if (!modified)
		return;
	metrics_sample(page, &entry_count, &hosts->path, (double)atomic_load(&hosts->entries));
	metrics_sample(page, &reload_time, NULL, (double)modified / (double)CLOCK_S);
}

static bool parse_ttl(void *config, struct setup *setup, struct dispenser *d)
{
	struct hosts *hosts = config;
	struct error ignored;

	(void)setup;
	if (!dispenser_argument(d))
		return dispenser_error(d, "ttl needs a time in second");
	if (!integer_parse(dispenser_value(d), &hosts->ttl, &ignored))
		return dispenser_error(d, "ttl needs a number of second");
	while (dispenser_argument(d))
		;
	return (hosts->ttl > 0 && hosts->ttl <= TTL_MAX) || dispenser_error(d, "ttl provided is invalid");
}

static bool parse_reload(void *config, struct setup *setup, struct dispenser *d)
{
	struct hosts *hosts = config;
	struct error ignored;

	(void)setup;
	if (dispenser_arguments(d) != 1 || !dispenser_argument(d))
		return dispenser_error(d, "reload needs a duration (zero seconds to disable)");
	if (!duration_parse(dispenser_value(d), &hosts->reload, &ignored))
		return dispenser_error(d, "invalid duration for reload '%s'", dispenser_value(d));
	return hosts->reload >= 0 ||
	       dispenser_error(d, "invalid negative duration for reload '%s'", dispenser_value(d));
}

static bool parse_fallthrough(void *config, struct setup *setup, struct dispenser *d)
{
	struct hosts *hosts = config;

	hosts->has_fallthrough = true;
	hosts->fallthrough = (struct zones){0};
	if (!dispenser_arguments(d))
		zones_add(&hosts->fallthrough, setup->arena, ".");
	while (dispenser_argument(d))
		zones_add(&hosts->fallthrough, setup->arena, dispenser_value(d));
	return true;
}

static bool parse_fallthrough_unsupported(void *config, struct setup *setup, struct dispenser *d)
{
	struct hosts *hosts = config;

	(void)setup;
	hosts->fallthrough_unsupported = true;
	return !dispenser_argument(d) || dispenser_argument_error(d);
}

static bool parse_no_reverse(void *config, struct setup *setup, struct dispenser *d)
{
	struct hosts *hosts = config;

	(void)setup;
	while (dispenser_argument(d))
		;
	hosts->no_reverse = true;
	return true;
}

static const struct option options[] = {
	{.name = "fallthrough", .type = OPTION_CALL, .parse = parse_fallthrough},
	{.name = "fallthrough_unsupported", .type = OPTION_CALL, .parse = parse_fallthrough_unsupported},
	{.name = "no_reverse", .type = OPTION_CALL, .parse = parse_no_reverse},
	{.name = "ttl", .type = OPTION_CALL, .parse = parse_ttl},
	{.name = "reload", .type = OPTION_CALL, .parse = parse_reload},
	{.name = NULL},
};

/* What is no property is a line of the table, as long as no fallthrough came before it. */
static bool read_block(struct hosts *hosts, struct setup *setup, struct dispenser *d, struct buffer *inlined)
{
	while (dispenser_block(d)) {
		const struct option *option = options_find(options, dispenser_value(d));

		if (option) {
			if (!option->parse(hosts, setup, d))
				return false;
			continue;
		}
		if (hosts->has_fallthrough)
			return dispenser_unknown_property(d);
		buffer_text(inlined, dispenser_value(d));
		while (dispenser_argument(d))
			buffer_format(inlined, " %s", dispenser_value(d));
		buffer_text(inlined, "\n");
	}
	return true;
}

static bool check_file(const struct hosts *hosts, struct dispenser *d)
{
	struct stat status;

	if (stat(hosts->path, &status) != 0) {
		if (errno != ENOENT)
			return dispenser_error(
				d, "unable to access hosts file '%s': %s", hosts->path, strerror(errno));
		log_line(LOG_WARNING, TOPIC, "File does not exist: %s", hosts->path);
	} else if (S_ISDIR(status.st_mode)) {
		log_line(LOG_WARNING, TOPIC, "Hosts file \"%s\" is a directory", hosts->path);
	}
	return true;
}

static bool read_directive(
	struct hosts *hosts, struct setup *setup, struct dispenser *d, struct buffer *inlined)
{
	if (!setup_once(setup, d))
		return false;
	if (dispenser_argument(d)) {
		hosts->path = setup_path(setup, dispenser_value(d));
		if (!check_file(hosts, d))
			return false;
	}
	setup_zones(setup, d, &hosts->zones);
	if (!read_block(hosts, setup, d, inlined))
		return false;
	return !hosts->fallthrough_unsupported || hosts->has_fallthrough ||
	       dispenser_error(d, "fallthrough_unsupported requires fallthrough");
}

static void *setup(struct setup *setup, struct error *error)
{
	struct hosts *hosts = arena_alloc(setup->arena, sizeof(*hosts));
	struct buffer inlined;
	struct dispenser d;
	bool ok = true;

	*hosts = (struct hosts){.path = "/etc/hosts", .ttl = 3600, .reload = RELOAD_DEFAULT};
	buffer_init(&inlined);
	buffer_text(&inlined, "");
	dispenser_init(&d, setup->directive, error);
	while (ok && dispenser_next(&d))
		ok = read_directive(hosts, setup, &d, &inlined);
	if (ok) {
		hosts->inlined =
			hosts_table_make(inlined.bytes, inlined.length, &hosts->zones, !hosts->no_reverse);
		published_init(&hosts->file, hosts_table_free);
		pthread_mutex_init(&hosts->reading, NULL);
	}
	buffer_finish(&inlined);
	return ok ? hosts : NULL;
}

/* It is watched before it is read: no change is missed. */
static bool open_file(void *config, struct error *error)
{
	struct hosts *hosts = config;

	(void)error;
	if (hosts->reload)
		hosts->watch = file_watch_start(hosts->path, hosts->reload, read_file, hosts);
	read_file(hosts);
	return true;
}

static void close_file(void *config)
{
	struct hosts *hosts = config;

	file_watch_stop(hosts->watch);
	published_finish(&hosts->file);
	pthread_mutex_destroy(&hosts->reading);
	hosts_table_free(&hosts->inlined->shared);
}

static void refresh(void *self)
{
	struct hosts_worker *w = self;

	published_refresh(&w->hosts->file, &w->file);
}

static void *start(void *config, struct worker *worker)
{
	struct hosts_worker *w = memory_zero(1, sizeof(*w));

	(void)worker;
	w->hosts = config;
	refresh(w);
	return w;
}

static void stop(void *self)
{
	struct hosts_worker *w = self;

	published_release(&w->hosts->file, &w->file);
	memory_free(w);
}

extern const struct plugin plugin_hosts;

const struct plugin plugin_hosts = {
	.name = "hosts",
	.is_fresh = true,
	.families = families,
	.setup = setup,
	.open = open_file,
	.start = start,
	.refresh = refresh,
	.serve = serve,
	.collect = collect,
	.stop = stop,
	.close = close_file,
};
