/* Counters of the API client that metrics are made of. One thread. */
#ifndef SVCDNS_CLUSTER_TALLY_H
#define SVCDNS_CLUSTER_TALLY_H

#include "svcdns/feed.h"

void tally_code(struct feed_code codes[FEED_CODES], unsigned code); /* 0: there was no response */
/* A request's time, or that of its wait. */
void tally_request(struct feed_histogram *histogram, double seconds);
void tally_programming(struct feed_histogram *histogram, double seconds);

#endif
