/* What stands in /proc (proc(5)). */
#ifndef SVCDNS_PROC_H
#define SVCDNS_PROC_H

#include "svcdns/compiler.h"

/* A number of a line of /proc/PID/stat: fields are counted as in proc(5), from 4 on. 0: the line has no such field. */
uint64_t proc_stat_number(const char *line, unsigned field);

#endif
