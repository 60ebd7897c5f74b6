#include "watch.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS 64 /* for one turn */

void watch_set_open(struct watch_set *set, uv_loop_t *loop, uv_poll_cb on_ready)
{
	set->fd = epoll_create1(EPOLL_CLOEXEC);
	if (set->fd < 0 || uv_poll_init(loop, &set->poll, set->fd) != 0 ||
		uv_poll_start(&set->poll, UV_READABLE, on_ready) != 0)
		abort();
}

void watch_set_close(struct watch_set *set)
{
	uv_close((uv_handle_t *)&set->poll, NULL);
	close(set->fd);
}

void watch_set_serve(struct watch_set *set)
{
	struct epoll_event ready[EVENTS];
	int count = epoll_wait(set->fd, ready, EVENTS, 0);

	for (int i = 0; i < count; i++) {
		struct watch *watch = ready[i].data.ptr;
		uint32_t events = ready[i].events & (watch->events | EPOLLERR | EPOLLHUP);

		if (watch->fd >= 0 && events)
			watch->on_events(watch, events);
	}
}

static bool control(struct watch_set *set, int operation, struct watch *watch)
{
	struct epoll_event event = {.events = watch->events, .data.ptr = watch};

	return epoll_ctl(set->fd, operation, watch->fd, &event) == 0;
}

bool watch_begin(struct watch_set *set, struct watch *watch)
{
	return control(set, EPOLL_CTL_ADD, watch);
}

void watch_change(struct watch_set *set, struct watch *watch, uint32_t events)
{
	if (watch->events == events)
		return;
	watch->events = events;
	control(set, EPOLL_CTL_MOD, watch);
}

void watch_end(struct watch *watch)
{
	close(watch->fd);
	watch->fd = -1;
}
