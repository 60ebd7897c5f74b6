/* A configuration brought to life: Corefile -> server blocks -> chains -> workers. */
#ifndef SVCDNS_SERVER_H
#define SVCDNS_SERVER_H

#include "svcdns/error.h"

struct server_options {
	const char *corefile;               /* NULL or "": ./Corefile, or the built-in default where there is none */
	const char *port;                   /* -dns.port: digits */
	unsigned    workers;                /* 0: as many as there are CPUs */
};

struct server;

/* Returns when all workers serve; has printed one line for each zone then (log_plain()). NULL: nothing serves. */
struct server *server_start(const struct server_options *options, struct error *error);
/* Takes no more queries, and waits for those under way for grace_ns at most. Accepts NULL. */
void           server_stop(struct server *server, int64_t grace_ns);

#endif
