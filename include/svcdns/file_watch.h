/* Tells when a file has changed: a thread looks at it every now and then, as CoreDNS does for small files that operators
 * edit or a kubelet swaps. */
#ifndef SVCDNS_FILE_WATCH_H
#define SVCDNS_FILE_WATCH_H

#include "svcdns/compiler.h"

struct file_watch;

/* From now on changed() is called on a thread of its own after each look that finds another size, time of change or file
 * behind the path than the one before; it is not called for the file as it is now. interval_ns > 0. */
struct file_watch *file_watch_start(
	const char *path, int64_t interval_ns, void (*changed)(void *context), void *context);
/* Returns when changed() is not running and will not be called again. Accepts NULL. */
void file_watch_stop(struct file_watch *watch);

#endif
