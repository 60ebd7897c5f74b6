/* Inside net: how much of the machine this process may use. */
#ifndef NET_CPUS_H
#define NET_CPUS_H

/* CPUs' worth of time that the process's control groups and those above them allow, rounded down but at least
 * 1; 0: they set no limit. cgroup_file is /proc/self/cgroup, mount is /sys/fs/cgroup; both versions of
 * control groups are understood. */
unsigned cpus_quota(const char *cgroup_file, const char *mount);

#endif
