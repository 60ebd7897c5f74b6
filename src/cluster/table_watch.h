/* Tells when a file or folder may have changed, on a libuv loop. */
#ifndef SVCDNS_CLUSTER_TABLE_WATCH_H
#define SVCDNS_CLUSTER_TABLE_WATCH_H

#include <uv.h>

#include "svcdns/compiler.h"

#define TABLE_WATCH_QUIET_MS 20	  /* a change is told when this long nothing more has happened */
#define TABLE_WATCH_LIMIT_MS 500  /* but not later than this */
#define TABLE_WATCH_POLL_MS  2000 /* for what the kernel does not tell: other machines, links to elsewhere */

struct table_watch {
	uv_loop_t *loop;
	uv_fs_event_t event;
	uv_timer_t quiet, poll;
	uint64_t first; /* when the changes began that have not been told, ms; 0: none */
	const char *path;
	char *folder; /* that the event handle watches: the path itself, or where it stands */
	void (*on_change)(void *context); /* it may have changed: the callee compares */
	void *context;
};

void table_watch_start(struct table_watch *watch, uv_loop_t *loop, const char *path,
	void (*on_change)(void *), void *context);
void table_watch_renew(struct table_watch *watch); /* the folder may be another one now */
/* Ends with the loop's next round; table_watch_finish() comes after that. */
void table_watch_close(struct table_watch *watch);
void table_watch_finish(struct table_watch *watch);

#endif
