/* The families process_*, read from /proc whenever a page is written. What cannot be read is left out. Each
 * block's prometheus gives them: they are the process', and are not added up. */
#include "process.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "svcdns/proc.h"

#define STAT_START 22	     /* field of /proc/self/stat, as proc(5) counts them */
#define UNLIMITED  0x1p64    /* what Go's library shows for it */
#define NOT_OPEN   (2 + 1)   /* entries of /proc/self/fd: "." and "..", and what it is read by */
#define NETSTAT	   "IpExt: " /* the lines of /proc/self/net/netstat that count octets: names, then values */

static const struct metric_family cpu_seconds = {
	.name = "process_cpu_seconds_total",
	.help = "Total user and system CPU time spent in seconds.",
	.alike = METRIC_GREATEST,
};
static const struct metric_family max_fds = {
	.name = "process_max_fds",
	.help = "Maximum number of open file descriptors.",
	.type = METRIC_GAUGE,
};
static const struct metric_family received_bytes = {
	.name = "process_network_receive_bytes_total",
	.help = "Number of bytes received by the process over the network.",
	.alike = METRIC_GREATEST,
};
static const struct metric_family sent_bytes = {
	.name = "process_network_transmit_bytes_total",
	.help = "Number of bytes sent by the process over the network.",
	.alike = METRIC_GREATEST,
};
static const struct metric_family open_fds = {
	.name = "process_open_fds",
	.help = "Number of open file descriptors.",
	.type = METRIC_GAUGE,
};
static const struct metric_family resident_bytes = {
	.name = "process_resident_memory_bytes",
	.help = "Resident memory size in bytes.",
	.type = METRIC_GAUGE,
};
static const struct metric_family start_seconds = {
	.name = "process_start_time_seconds",
	.help = "Start time of the process since unix epoch in seconds.",
	.type = METRIC_GAUGE,
};
static const struct metric_family virtual_bytes = {
	.name = "process_virtual_memory_bytes",
	.help = "Virtual memory size in bytes.",
	.type = METRIC_GAUGE,
};
static const struct metric_family virtual_max_bytes = {
	.name = "process_virtual_memory_max_bytes",
	.help = "Maximum amount of virtual memory available in bytes.",
	.type = METRIC_GAUGE,
};

/* A whole file of /proc, which has no size; false: it cannot be read. */
static bool read_file(const char *path, struct buffer *out)
{
	char ignored[128];

	buffer_init(out);
	buffer_text(out, "");
	return buffer_read_file(out, path, ignored, sizeof(ignored));
}

static double seconds_of(const struct timeval *time)
{
	return (double)time->tv_sec + (double)time->tv_usec / 1e6;
}

static void add_cpu(struct metrics_page *page)
{
	struct rusage usage;

	if (getrusage(RUSAGE_SELF, &usage) == 0)
		metrics_sample(
			page, &cpu_seconds, NULL, seconds_of(&usage.ru_utime) + seconds_of(&usage.ru_stime));
}

static void add_limit(
	struct metrics_page *page, const struct metric_family *family, __rlimit_resource_t which)
{
	struct rlimit limit;

	if (getrlimit(which, &limit) == 0)
		metrics_sample(page, family, NULL,
			limit.rlim_cur == RLIM_INFINITY ? UNLIMITED : (double)limit.rlim_cur);
}

static void add_memory(struct metrics_page *page)
{
	double page_size = (double)sysconf(_SC_PAGESIZE);
	struct buffer text;
	char *at;

	if (read_file("/proc/self/statm", &text)) {
		metrics_sample(page, &virtual_bytes, NULL, (double)strtoull(text.bytes, &at, 10) * page_size);
		metrics_sample(page, &resident_bytes, NULL, (double)strtoull(at, NULL, 10) * page_size);
	}
	buffer_finish(&text);
}

static void add_open_fds(struct metrics_page *page)
{
	DIR *directory = opendir("/proc/self/fd");
	unsigned count = 0;

	if (!directory)
		return;
	while (readdir(directory))
		count++;
	closedir(directory);
	metrics_sample(page, &open_fds, NULL, count - NOT_OPEN);
}

/* The number below a name: both lines have the same words in the same order. */
static bool find_number(const char *names, const char *values, const char *name, double *ret)
{
	size_t length = strlen(name);

	while (*names && *names != '\n') {
		size_t name_length = strcspn(names, " \n"), value_length = strcspn(values, " \n");

		if (name_length == length && memcmp(names, name, length) == 0) {
			*ret = strtod(values, NULL);
			return true;
		}
		names += name_length + (names[name_length] == ' ');
		values += value_length + (values[value_length] == ' ');
	}
	return false;
}

static void add_octets(struct metrics_page *page)
{
	const char *names, *values = NULL;
	struct buffer text;
	double octets;

	if (read_file("/proc/self/net/netstat", &text)) {
		names = strstr(text.bytes, NETSTAT);
		values = names ? strstr(names + 1, NETSTAT) : NULL;
	}
	if (values && find_number(names, values, "InOctets", &octets))
		metrics_sample(page, &received_bytes, NULL, octets);
	if (values && find_number(names, values, "OutOctets", &octets))
		metrics_sample(page, &sent_bytes, NULL, octets);
	buffer_finish(&text);
}

void process_collect(struct metrics_page *page, double start)
{
	add_cpu(page);
	add_limit(page, &max_fds, RLIMIT_NOFILE);
	add_limit(page, &virtual_max_bytes, RLIMIT_AS);
	add_memory(page);
	add_open_fds(page);
	add_octets(page);
	metrics_sample(page, &start_seconds, NULL, start);
}

static double seconds_on(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static double ticks_at_start(void)
{
	double ticks = 0;
	struct buffer text;

	if (read_file("/proc/self/stat", &text))
		ticks = (double)proc_stat_number(text.bytes, STAT_START);
	buffer_finish(&text);
	return ticks;
}

double process_start(void)
{
	double hz = (double)sysconf(_SC_CLK_TCK);
	double booted = seconds_on(CLOCK_REALTIME) - seconds_on(CLOCK_BOOTTIME);

	return (double)(int64_t)((booted + ticks_at_start() / hz) * hz) / hz;
}
