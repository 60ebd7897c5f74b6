/* inotify (by libuv) on the folder, since files that are replaced by a rename and the ..data links of a
 * mounted ConfigMap change there, and a slow poll beside it. Events are collected until they cease for a
 * moment, so that a file that is being written is mostly read once, when it is whole. */
#include "table_watch.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "svcdns/memory.h"

static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	struct stat status;
	char *folder;
	size_t length;

	if (stat(path, &status) == 0 && S_ISDIR(status.st_mode))
		return memory_copy_text(path);
	if (!slash)
		return memory_copy_text(".");
	length = slash == path ? 1 : (size_t)(slash - path);
	folder = memory_alloc(length + 1);
	memcpy(folder, path, length);
	folder[length] = '\0';
	return folder;
}

static void tell(struct table_watch *watch)
{
	watch->first = 0;
	uv_timer_stop(&watch->quiet);
	watch->on_change(watch->context);
}

static void on_quiet(uv_timer_t *timer)
{
	tell(timer->data);
}

static void on_poll(uv_timer_t *timer)
{
	tell(timer->data);
}

static void on_event(uv_fs_event_t *event, const char *name, int events, int status)
{
	struct table_watch *watch = event->data;
	uint64_t now = uv_now(watch->loop), wait = TABLE_WATCH_QUIET_MS;

	(void)name;
	(void)events;
	if (status < 0)
		return; /* the poll goes on */
	if (!watch->first)
		watch->first = now;
	if (now + wait > watch->first + TABLE_WATCH_LIMIT_MS)
		wait = now < watch->first + TABLE_WATCH_LIMIT_MS ? watch->first + TABLE_WATCH_LIMIT_MS - now
								 : 0;
	uv_timer_start(&watch->quiet, on_quiet, wait, 0);
}

void table_watch_renew(struct table_watch *watch)
{
	uv_fs_event_stop(&watch->event);
	memory_free(watch->folder);
	watch->folder = folder_of(watch->path);
	/* That the folder is not there, or there are no more inotify watches, leaves the poll. */
	(void)uv_fs_event_start(&watch->event, on_event, watch->folder, 0);
	/* What happened since the callee looked, and before the kernel was asked, is not told by it. */
	uv_timer_start(&watch->quiet, on_quiet, TABLE_WATCH_QUIET_MS, 0);
}

void table_watch_start(struct table_watch *watch, uv_loop_t *loop, const char *path,
	void (*on_change)(void *), void *context)
{
	*watch = (struct table_watch){.loop = loop, .path = path, .on_change = on_change, .context = context};
	uv_fs_event_init(loop, &watch->event);
	uv_timer_init(loop, &watch->quiet);
	uv_timer_init(loop, &watch->poll);
	watch->event.data = watch->quiet.data = watch->poll.data = watch;
	table_watch_renew(watch);
	uv_timer_start(&watch->poll, on_poll, TABLE_WATCH_POLL_MS, TABLE_WATCH_POLL_MS);
}

void table_watch_close(struct table_watch *watch)
{
	uv_close((uv_handle_t *)&watch->event, NULL);
	uv_close((uv_handle_t *)&watch->quiet, NULL);
	uv_close((uv_handle_t *)&watch->poll, NULL);
}

void table_watch_finish(struct table_watch *watch)
{
	memory_free(watch->folder);
	watch->folder = NULL;
}
