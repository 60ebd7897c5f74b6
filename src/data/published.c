#include "svcdns/published.h"

void published_init(struct published *published, void (*free)(struct shared *object))
{
	*published = (struct published){.free = free};
	pthread_mutex_init(&published->mutex, NULL);
}

static void drop(const struct published *published, struct shared *object)
{
	if (object && shared_drop(object))
		published->free(object);
}

void published_finish(struct published *published)
{
	drop(published, published->newest);
	pthread_mutex_destroy(&published->mutex);
}

void published_set(struct published *published, struct shared *fresh)
{
	struct shared *old;

	pthread_mutex_lock(&published->mutex);
	old = published->newest;
	published->newest = fresh;
	atomic_fetch_add_explicit(&published->version, 1, memory_order_relaxed);
	pthread_mutex_unlock(&published->mutex);
	drop(published, old);
}

bool published_refresh(struct published *published, struct published_view *view)
{
	if (LIKELY(atomic_load_explicit(&published->version, memory_order_relaxed) == view->version))
		return false;
	published_release(published, view);
	pthread_mutex_lock(&published->mutex);
	view->object = published->newest;
	view->version = atomic_load_explicit(&published->version, memory_order_relaxed);
	if (view->object)
		shared_ref(view->object);
	pthread_mutex_unlock(&published->mutex);
	return true;
}

void published_release(struct published *published, struct published_view *view)
{
	drop(published, view->object);
	*view = (struct published_view){0};
}
