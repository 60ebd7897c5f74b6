#ifndef SVCDNS_CLUSTER_KUBECONFIG_H
#define SVCDNS_CLUSTER_KUBECONFIG_H

#include "access_fields.h"

/* Reads one context of a kubeconfig file (YAML or JSON): where the server is, and who we are. context NULL:
 * the current one. */
bool kubeconfig_read(const char *path, const char *context, struct access *access, struct error *error);

#endif
