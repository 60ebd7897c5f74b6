/* Inside prometheus: what the kernel says of the process. */
#ifndef PROMETHEUS_PROCESS_H
#define PROMETHEUS_PROCESS_H

#include "svcdns/metrics.h"

/* When the process began, in seconds since 1970. Read once: the clock it is reckoned from may be set later.
 */
double process_start(void);

void process_collect(struct metrics_page *page, double start);

#endif
