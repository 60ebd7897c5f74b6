/* One thread for each watched file. It holds the mutex except while it waits or calls changed(). */
#include "svcdns/file_watch.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "svcdns/clock.h"
#include "svcdns/memory.h"

struct mark { /* what a look at the file sees; all zero while there is none */
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec changed;
};

struct file_watch {
	char *path; /* owned */
	int64_t interval_ns;
	void (*changed)(void *context);
	void *context;
	struct mark mark;
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t stop;
	bool is_stopping; /* guarded by mutex */
};

static struct mark look(const char *path)
{
	struct mark mark = {0};
	struct stat status;

	if (stat(path, &status) != 0)
		return mark;
	mark.device = status.st_dev;
	mark.inode = status.st_ino;
	mark.size = status.st_size;
	mark.changed = status.st_mtim;
	return mark;
}

static bool is_same(const struct mark *a, const struct mark *b)
{
	return a->device == b->device && a->inode == b->inode && a->size == b->size &&
	       a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

/* Waits for the next look; false: stop. */
static bool wait_for_turn(struct file_watch *watch)
{
	uint64_t when = clock_monotonic() + (uint64_t)watch->interval_ns;
	struct timespec until = {.tv_sec = (time_t)(when / CLOCK_S), .tv_nsec = (long)(when % CLOCK_S)};

	while (!watch->is_stopping && clock_monotonic() < when)
		pthread_cond_timedwait(&watch->stop, &watch->mutex, &until);
	return !watch->is_stopping;
}

static void *run(void *argument)
{
	struct file_watch *watch = argument;

	pthread_mutex_lock(&watch->mutex);
	while (wait_for_turn(watch)) {
		struct mark mark = look(watch->path);

		if (is_same(&mark, &watch->mark))
			continue;
		watch->mark = mark;
		pthread_mutex_unlock(&watch->mutex);
		watch->changed(watch->context);
		pthread_mutex_lock(&watch->mutex);
	}
	pthread_mutex_unlock(&watch->mutex);
	return NULL;
}

struct file_watch *file_watch_start(
	const char *path, int64_t interval_ns, void (*changed)(void *context), void *context)
{
	struct file_watch *watch = memory_zero(1, sizeof(*watch));
	pthread_condattr_t attributes;

	assert(interval_ns > 0);
	watch->path = memory_copy_text(path);
	watch->interval_ns = interval_ns;
	watch->changed = changed;
	watch->context = context;
	watch->mark = look(path);
	pthread_mutex_init(&watch->mutex, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&watch->stop, &attributes);
	pthread_condattr_destroy(&attributes);
	if (pthread_create(&watch->thread, NULL, run, watch) != 0)
		abort();
	return watch;
}

void file_watch_stop(struct file_watch *watch)
{
	if (!watch)
		return;
	pthread_mutex_lock(&watch->mutex);
	watch->is_stopping = true;
	pthread_cond_signal(&watch->stop);
	pthread_mutex_unlock(&watch->mutex);
	pthread_join(watch->thread, NULL);
	pthread_mutex_destroy(&watch->mutex);
	pthread_cond_destroy(&watch->stop);
	memory_free(watch->path);
	memory_free(watch);
}
