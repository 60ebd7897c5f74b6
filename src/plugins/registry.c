/* The order of the chain: that of plugin.cfg in CoreDNS 1.14.7, which also is the order in which plugins are
 * set up. A plugin that is built has its line here, and its struct plugin_NAME in a file of its own. */
#include "svcdns/registry.h"

#include <string.h>

/* search is ours: above acl and cache, which see the full names. */
/* clang-format off */
#define PLUGINS(BUILT, KNOWN) \
	BUILT(root) \
	BUILT(metadata) \
	KNOWN(geoip) \
	BUILT(cancel) \
	KNOWN(proxyproto) \
	KNOWN(quic) \
	KNOWN(grpc_server) \
	KNOWN(https) \
	KNOWN(https3) \
	BUILT(timeouts) \
	BUILT(multisocket) \
	BUILT(reload) \
	BUILT(nsid) \
	BUILT(bufsize) \
	BUILT(bind) \
	BUILT(debug) \
	KNOWN(trace) \
	BUILT(ready) \
	BUILT(health) \
	BUILT(pprof) \
	KNOWN(shed) \
	BUILT(prometheus) \
	BUILT(errors) \
	BUILT(log) \
	KNOWN(dnstap) \
	BUILT(local) \
	BUILT(dns64) \
	BUILT(any) \
	BUILT(chaos) \
	BUILT(loadbalance) \
	KNOWN(tsig) \
	KNOWN(rewrite) \
	BUILT(autopath) \
	BUILT(search) \
	BUILT(acl) \
	BUILT(cache) \
	BUILT(header) \
	KNOWN(dnssec) \
	KNOWN(tls) \
	BUILT(minimal) \
	KNOWN(template) \
	KNOWN(transfer) \
	BUILT(hosts) \
	KNOWN(route53) \
	KNOWN(azure) \
	KNOWN(clouddns) \
	KNOWN(k8s_external) \
	BUILT(kubernetes) \
	KNOWN(file) \
	KNOWN(auto) \
	KNOWN(secondary) \
	KNOWN(etcd) \
	BUILT(loop) \
	BUILT(forward) \
	KNOWN(grpc) \
	BUILT(erratic) \
	BUILT(whoami) \
	KNOWN(on) \
	KNOWN(sign) \
	KNOWN(view) \
	KNOWN(nomad)
/* clang-format on */

#define DECLARE(name)  extern const struct plugin plugin_##name;
#define REGISTER(name) {#name, &plugin_##name},
#define NAME(name)     {#name, NULL},
#define NOTHING(name)

PLUGINS(DECLARE, NOTHING)

const struct registration registry[] = {PLUGINS(REGISTER, NAME){NULL, NULL}};

bool registry_knows(const char *directive)
{
	for (const struct registration *r = registry; r->name; r++)
		if (strcmp(r->name, directive) == 0)
			return true;
	return false;
}
