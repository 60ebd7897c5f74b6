/* Inside net: sockets that come and go too fast for a handle of libuv each. They are waited for by an epoll
 * set of their own, which the loop waits for as one. */
#ifndef NET_WATCH_H
#define NET_WATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct watch {
	int fd;		 /* -1: watch_end() was called */
	uint32_t events; /* waited for: EPOLLIN, EPOLLOUT, both or none. Errors always are */
	void (*on_events)(struct watch *watch, uint32_t events);
};

struct watch_set {
	uv_poll_t poll;
	int fd;
};

/* When `on_ready` is called, watch_set_serve() is due. */
void watch_set_open(struct watch_set *set, uv_loop_t *loop, uv_poll_cb on_ready);
void watch_set_close(struct watch_set *set); /* the loop has to run once more */

/* Calls on_events() of some of those for which there is something. None of the set's may be freed meanwhile;
 * to end them is allowed. */
void watch_set_serve(struct watch_set *set);

/* Waits for watch->events on watch->fd. False: the kernel has no room for it. */
bool watch_begin(struct watch_set *set, struct watch *watch);
void watch_change(struct watch_set *set, struct watch *watch, uint32_t events);
void watch_end(struct watch *watch); /* closes the socket */

#endif
