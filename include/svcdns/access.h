/* Where the Kubernetes API server is, and who we are there. */
#ifndef SVCDNS_ACCESS_H
#define SVCDNS_ACCESS_H

#include "svcdns/error.h"

struct access;

struct access_options {                     /* NULL: not given */
	const char *endpoint;               /* URL, or HOST[:PORT] */
	const char *certificate, *key, *authority;      /* PEM files, for the endpoint */
	const char *kubeconfig;             /* file */
	const char *context;                /* of the kubeconfig; otherwise its current one */
	const char *account;                /* folder of the service account; otherwise where Kubernetes mounts it */
};

/* The kubeconfig, or else the endpoint, or else the cluster that this process is a Pod of: CoreDNS' order and, where they
 * are known, its error messages. What the options point to has to live until it returns. */
struct access *access_open(const struct access_options *options, struct error *error);
/* "10.96.0.1:443": what a URL has there; belongs to `access`. */
const char    *access_host(const struct access *access);
void           access_close(struct access *access);     /* accepts NULL */

#endif
