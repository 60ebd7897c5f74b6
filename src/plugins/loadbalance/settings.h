/* Inside loadbalance: what the Corefile says. */
#ifndef LOADBALANCE_SETTINGS_H
#define LOADBALANCE_SETTINGS_H

#include "svcdns/address.h"
#include "svcdns/file_watch.h"
#include "svcdns/published.h"
#include "svcdns/setup.h"

struct loadbalance { /* lifetime: configuration */
	bool is_weighted;
	const char *path; /* of the weight file */
	int64_t reload;	  /* ns; 0: never */
	struct prefix *preferred;
	size_t preferred_count;
	struct published weights;
	struct file_watch *watch;
};

bool loadbalance_read(struct loadbalance *loadbalance, struct setup *setup, struct error *error);

#endif
