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
/* Reads and checks a Corefile, and opens nothing. */
bool           server_validate(const struct server_options *options, struct error *error);

/* Reads the Corefile again, and serves what it says now; no query is lost over it. False: it goes on as before, and the log
 * says why. Returns when the queries that the former configuration had are answered, after 5 s at most. */
bool           server_reread(struct server *server, struct error *error);
/* When the reload plugin wants the Corefile to be looked at, clock_monotonic(), ns; UINT64_MAX: it does not. */
uint64_t       server_next_look(const struct server *server);
/* Looks, and serves what it says if that has changed. */
void           server_look(struct server *server);

/* Takes no more queries, and waits for those under way for grace_ns at most. Accepts NULL. */
void           server_stop(struct server *server, int64_t grace_ns);

#endif
