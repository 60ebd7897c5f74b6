/* What the families coredns_dns_* count: queries and replies of one zone at one address, on one worker. */
#ifndef SVCDNS_TRAFFIC_H
#define SVCDNS_TRAFFIC_H

#include "svcdns/metrics.h"
#include "svcdns/request.h"

/* Values of the label "rcode", and the place of a number among them. */
extern const char *const traffic_rcodes[];
unsigned traffic_rcode_place(uint16_t rcode);

struct traffic_labels {                     /* all of it may go once traffic_create() has returned */
	const char *server, *zone, *view;
	const char *const *plugins;         /* that may answer */
	unsigned plugin_count;
};

struct traffic;

struct traffic *traffic_create(struct metrics *metrics, unsigned worker, const struct traffic_labels *labels);
void            traffic_destroy(struct traffic *traffic);       /* accepts NULL */

struct traffic_reply {
	unsigned plugin;                    /* index of who answered; plugin_count: nobody */
	uint16_t rcode;
	size_t   size;                      /* octets without compression; 0: nothing was written */
	uint64_t duration;                  /* ns from its receipt on */
};

/* On the worker's own thread: no lock, no allocation, no search. */
void traffic_count(const struct traffic *traffic, const struct request *request, const struct traffic_reply *reply);

#endif
