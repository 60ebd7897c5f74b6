/* Inside forward: its properties. */
#ifndef FORWARD_SETTINGS_H
#define FORWARD_SETTINGS_H

#include "svcdns/setup.h"
#include "svcdns/upstream.h"

#define FORWARD_RCODES_MAX 16

struct forward { /* one forward directive */
	struct name from;
	struct zones except;
	struct upstream_config upstream;
	_Atomic int64_t under_way;
	uint16_t next[FORWARD_RCODES_MAX]; /* rcodes after which the next directive is asked */
	size_t next_count;
	bool next_on_nodata;
};

/* Reads one directive; the dispenser stands on its name. False: refused, error set. */
bool forward_read(struct forward *ret, struct setup *setup, struct dispenser *d);

#endif
