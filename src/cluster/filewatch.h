/* Tells when a file or folder may have changed, on a libuv loop. */
#ifndef SVCDNS_CLUSTER_FILEWATCH_H
#define SVCDNS_CLUSTER_FILEWATCH_H

#include <uv.h>

#include "svcdns/compiler.h"

#define FILEWATCH_QUIET_MS 20               /* a change is told when this long nothing more has happened */
#define FILEWATCH_LIMIT_MS 500              /* but not later than this */
#define FILEWATCH_POLL_MS  2000             /* for what the kernel does not tell: other machines, links to elsewhere */

struct filewatch {
	uv_loop_t     *loop;
	uv_fs_event_t  event;
	uv_timer_t     quiet, poll;
	uint64_t       first;               /* when the changes began that have not been told, ms; 0: none */
	const char    *path;
	char          *folder;              /* that the event handle watches: the path itself, or where it stands */
	void         (*on_change)(void *context);   /* it may have changed: the callee compares */
	void          *context;
};

void filewatch_start(struct filewatch *watch, uv_loop_t *loop, const char *path, void (*on_change)(void *), void *context);
void filewatch_renew(struct filewatch *watch);          /* the folder may be another one now */
void filewatch_close(struct filewatch *watch);          /* ends with the loop's next round; then filewatch_finish() */
void filewatch_finish(struct filewatch *watch);

#endif
