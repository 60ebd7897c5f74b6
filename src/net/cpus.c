/* How many workers make sense: one for each CPU that the process may run on, and no more than its control
 * group is given time for (threads beyond that would only be throttled together). */
#include "cpus.h"

#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "svcdns/buffer.h"
#include "svcdns/network.h"

#define CPU_SETS 16 /* of 1024 CPUs each */

static bool read_text(const char *folder, const char *file, char *out, size_t size)
{
	char path[PATH_MAX], reason[128];
	struct buffer text;
	bool ok;

	buffer_init(&text);
	ok = snprintf(path, sizeof(path), "%s%s%s", folder, *file ? "/" : "", file) < (int)sizeof(path) &&
	     buffer_read_file(&text, path, reason, sizeof(reason));
	if (ok)
		snprintf(out, size, "%s", text.bytes ? text.bytes : "");
	buffer_finish(&text);
	return ok;
}

/* The limit of one control group in whole CPUs; 0: none. */
static unsigned limit_of(long long quota, long long period)
{
	if (quota <= 0 || period <= 0)
		return 0;
	return quota < period ? 1 : (unsigned)(quota / period);
}

static unsigned limit_v2(const char *folder)
{
	char text[128], *end;
	long long quota;

	if (!read_text(folder, "cpu.max", text, sizeof(text)))
		return 0;
	quota = strtoll(text, &end, 10); /* "max 100000" reads as 0, which is no limit */
	return limit_of(quota, strtoll(end, NULL, 10));
}

static unsigned limit_v1(const char *folder)
{
	char quota[64], period[64];

	if (!read_text(folder, "cpu.cfs_quota_us", quota, sizeof(quota)) ||
		!read_text(folder, "cpu.cfs_period_us", period, sizeof(period)))
		return 0;
	return limit_of(strtoll(quota, NULL, 10), strtoll(period, NULL, 10));
}

static unsigned lower(unsigned a, unsigned b)
{
	if (!a || !b)
		return a ? a : b;
	return a < b ? a : b;
}

/* The lowest limit from mount/group upwards. Within a container the group's path may be that of the host:
 * what cannot be read sets no limit, and the mount itself is then the container's own group. */
static unsigned lowest(const char *mount, const char *group, unsigned (*limit)(const char *))
{
	char folder[PATH_MAX];
	unsigned found = 0;
	char *end;

	if (snprintf(folder, sizeof(folder), "%s%s", mount, group) >= (int)sizeof(folder))
		return 0;
	for (;;) {
		found = lower(found, limit(folder));
		end = strrchr(folder, '/');
		if (strlen(folder) <= strlen(mount) || !end)
			return found;
		*end = '\0';
	}
}

/* One line of /proc/self/cgroup: "ID:CONTROLLERS:PATH"; version 2 has no controllers there. */
static unsigned limit_of_line(char *line, const char *mount)
{
	char *controllers = strchr(line, ':'), *group, *name, *rest;
	char folder[PATH_MAX];

	group = controllers ? strchr(controllers + 1, ':') : NULL;
	if (!group)
		return 0;
	*group++ = '\0';
	controllers++;
	if (!*controllers)
		return lowest(mount, group, limit_v2);
	for (name = strtok_r(controllers, ",", &rest); name; name = strtok_r(NULL, ",", &rest)) {
		if (strcmp(name, "cpu") != 0)
			continue;
		snprintf(folder, sizeof(folder), "%s/cpu", mount);
		return lowest(folder, group, limit_v1);
	}
	return 0;
}

unsigned cpus_quota(const char *cgroup_file, const char *mount)
{
	char text[8192], *line, *rest;
	unsigned found = 0;

	if (!read_text(cgroup_file, "", text, sizeof(text)))
		return 0;
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		found = lower(found, limit_of_line(line, mount));
	return found;
}

unsigned network_default_workers(void)
{
	cpu_set_t sets[CPU_SETS];
	unsigned cpus = 1;

	if (sched_getaffinity(0, sizeof(sets), sets) == 0)
		cpus = (unsigned)CPU_COUNT_S(sizeof(sets), sets);
	return lower(cpus, cpus_quota("/proc/self/cgroup", "/sys/fs/cgroup"));
}
