/* Inside cache: its properties. */
#ifndef CACHE_SETTINGS_H
#define CACHE_SETTINGS_H

#include "svcdns/setup.h"

struct cache_side {	       /* success or denial */
	int64_t capacity;      /* entries */
	int64_t ttl, min_ttl;  /* seconds */
	struct zones disabled; /* names in these are not kept; none: all are */
};

struct cache_settings {
	struct zones zones;
	struct cache_side success, denial;
	int64_t bytes;		  /* octets for both sides together */
	int64_t failure_ttl;	  /* seconds; 0: failures are not kept */
	int64_t prefetch;	  /* hits that make a name worth it; 0: off */
	int64_t prefetch_window;  /* ns within which they have to come */
	int64_t prefetch_percent; /* of the TTL that is left when it begins */
	bool serve_stale, verify;
	int64_t stale_for;	/* ns after which an expired entry is of no use */
	int64_t verify_timeout; /* ns; 0: as long as the upstream takes */
	int64_t stale_ttl;	/* seconds, in answers from expired entries */
	int64_t stale_recheck;	/* ns between failed attempts to refresh; 0: none */
	bool has_policy, prefer_positive;
	bool keep_ttl;
};

/* NULL: refused, error set. The result lives in the setup's arena. */
struct cache_settings *cache_settings_read(struct setup *setup, struct error *error);

#endif
