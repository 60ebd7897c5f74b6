/* What access_open() found out. Files of certificates are named, not read: each new connection reads them,
 * since they may be replaced. */
#ifndef SVCDNS_CLUSTER_ACCESS_FIELDS_H
#define SVCDNS_CLUSTER_ACCESS_FIELDS_H

#include "svcdns/access.h"
#include "svcdns/arena.h"
#include "token.h"

struct pem { /* neither: there is none */
	const char *file;
	const void *bytes;
	size_t length;
};

struct access { /* all of it lives in the arena, but the token's text */
	struct arena arena;
	const char *server; /* "https://10.96.0.1:443", "https://example.org/path": no '/' at its end */
	const char *scheme, *host, *port,
		*path;	       /* its parts: "https", "10.96.0.1" or "[::1]", "443", "/path" */
	const char *host_port; /* "10.96.0.1:443"; without a port if none was given */
	struct pem authority, certificate, key;
	struct token token;
	const char *user, *password; /* NULL: none */
	const char *tls_name;	     /* the name in the server's certificate; NULL: that of the URL */
	const char *proxy;	     /* NULL: as the environment says */
	bool is_insecure;	     /* the certificate is not looked at */
};

/* "host:port" or a URL -> access->server; without a scheme it is https if there are certificates. */
bool access_set_server(struct access *access, const char *text, struct error *error);
/* False, as the Kubernetes library words it, if the files cannot be opened. */
bool access_check_files(
	const struct access *access, const char *user, const char *cluster, struct error *error);

#endif
