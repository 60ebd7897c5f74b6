/* The chain of plugins of one server block for one worker, and the loop over it. */
#ifndef SVCDNS_CHAIN_H
#define SVCDNS_CHAIN_H

#include "svcdns/plugin.h"

#define CHAIN_LOOKING_MAX 4

struct link {
	const struct plugin *plugin;
	void                *self;
	size_t               state;         /* offset of its request_state() */
};

struct chain {
	struct link *links;                 /* in the order of the registry; owned by whoever built the chain */
	unsigned     count;
	unsigned     looking[CHAIN_LOOKING_MAX]; /* indices of the links with look_ahead(); set by chain_lay_out() */
	unsigned     looking_count;
	unsigned    *waiting;               /* counts requests that a plugin has made pending; NULL: nobody wants to know */
};

/* Gives every link its place in the request state, and finds those that look ahead. Aborts, as it is a bug, if there are more of
 * these than CHAIN_LOOKING_MAX, or REQUEST_STATE_MAX does not hold their states. */
void chain_lay_out(struct chain *chain);

/* Calls look_ahead() of all its plugins for request, whose chain is set. */
void chain_look_ahead(struct request *request, unsigned step);

/* Whether the plugins from link `first` on would surely answer NXDOMAIN; see request_is_ruled_out(). */
bool chain_rules_out(struct request *request, unsigned first);

/* Serves request from link `from` on, downwards and up again to the top. */
enum verdict chain_serve(struct request *request, const struct chain *chain, unsigned from);

#endif
