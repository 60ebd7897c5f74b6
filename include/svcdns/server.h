/* A configuration brought to life: Corefile -> server blocks -> chains -> workers. */
#ifndef SVCDNS_SERVER_H
#define SVCDNS_SERVER_H

#include "svcdns/error.h"

struct server_options {
	const char *corefile;               /* NULL: ./Corefile, or the built-in default where there is none */
	const char *port;                   /* -dns.port: digits */
	bool        quiet;
	unsigned    workers;                /* 0: as many as there are CPUs */
};

struct server;

struct server *server_start(const struct server_options *options, struct error *error);
void           server_stop(struct server *server);                      /* accepts NULL */

#endif
