/* Inside search: its properties. */
#ifndef SEARCH_SETTINGS_H
#define SEARCH_SETTINGS_H

#include "svcdns/setup.h"

#define SEARCH_LIST_MAX 32

struct search {				   /* lifetime: configuration */
	struct zones zones;		   /* names to search: in one of these ... */
	struct name reverse[2];		   /* ... but in none of these */
	struct name list[SEARCH_LIST_MAX]; /* lower case */
	unsigned count;
	int64_t ndots;
	bool from_client;	 /* list[0] is "svc.ZONE", and the client's namespace comes before it ... */
	struct name namespace;	 /* ... or this one, where that is not known; no label: none */
	const char *resolv_conf; /* file that the list is from; NULL: none */
};

/* NULL: refused, error set. The result lives in the setup's arena. */
struct search *search_settings(struct setup *setup, struct error *error);

#endif
