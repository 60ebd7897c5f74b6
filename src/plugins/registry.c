/* The order of the chain: that of plugin.cfg in CoreDNS 1.14.7, which also is the order in which plugins are
 * set up. */
#include "svcdns/registry.h"

#include <string.h>

extern const struct plugin plugin_any, plugin_autopath, plugin_bind, plugin_bufsize, plugin_cache,
	plugin_cancel, plugin_chaos, plugin_debug, plugin_errors, plugin_forward, plugin_header,
	plugin_health, plugin_hosts, plugin_kubernetes, plugin_local, plugin_log, plugin_loop,
	plugin_metadata, plugin_minimal, plugin_nsid, plugin_pprof, plugin_prometheus, plugin_ready,
	plugin_root, plugin_search, plugin_whoami;

const struct registration registry[] = {
	{"root", &plugin_root},
	{"metadata", &plugin_metadata},
	{"geoip", NULL},
	{"cancel", &plugin_cancel},
	{"proxyproto", NULL},
	{"quic", NULL},
	{"grpc_server", NULL},
	{"https", NULL},
	{"https3", NULL},
	{"timeouts", NULL},
	{"multisocket", NULL},
	{"reload", NULL},
	{"nsid", &plugin_nsid},
	{"bufsize", &plugin_bufsize},
	{"bind", &plugin_bind},
	{"debug", &plugin_debug},
	{"trace", NULL},
	{"ready", &plugin_ready},
	{"health", &plugin_health},
	{"pprof", &plugin_pprof},
	{"shed", NULL},
	{"prometheus", &plugin_prometheus},
	{"errors", &plugin_errors},
	{"log", &plugin_log},
	{"dnstap", NULL},
	{"local", &plugin_local},
	{"dns64", NULL},
	{"any", &plugin_any},
	{"chaos", &plugin_chaos},
	{"loadbalance", NULL},
	{"tsig", NULL},
	{"rewrite", NULL},
	{"autopath", &plugin_autopath},
	{"search", &plugin_search}, /* ours: above acl and cache, which see the full names */
	{"acl", NULL},
	{"cache", &plugin_cache},
	{"header", &plugin_header},
	{"dnssec", NULL},
	{"tls", NULL},
	{"minimal", &plugin_minimal},
	{"template", NULL},
	{"transfer", NULL},
	{"hosts", &plugin_hosts},
	{"route53", NULL},
	{"azure", NULL},
	{"clouddns", NULL},
	{"k8s_external", NULL},
	{"kubernetes", &plugin_kubernetes},
	{"file", NULL},
	{"auto", NULL},
	{"secondary", NULL},
	{"etcd", NULL},
	{"loop", &plugin_loop},
	{"forward", &plugin_forward},
	{"grpc", NULL},
	{"erratic", NULL},
	{"whoami", &plugin_whoami},
	{"on", NULL},
	{"sign", NULL},
	{"view", NULL},
	{"nomad", NULL},
	{NULL, NULL},
};

bool registry_knows(const char *directive)
{
	for (const struct registration *r = registry; r->name; r++)
		if (strcmp(r->name, directive) == 0)
			return true;
	return false;
}
