/* The order of the chain: that of plugin.cfg in CoreDNS 1.14.7, which also is the order in which plugins are
 * set up. */
#include "svcdns/registry.h"

#include <string.h>

extern const struct plugin plugin_bind, plugin_cache, plugin_debug, plugin_errors, plugin_forward,
	plugin_health, plugin_hosts, plugin_kubernetes, plugin_log, plugin_prometheus, plugin_ready,
	plugin_search, plugin_whoami;

const struct registration registry[] = {
	{"root", NULL},
	{"metadata", NULL},
	{"geoip", NULL},
	{"cancel", NULL},
	{"proxyproto", NULL},
	{"quic", NULL},
	{"grpc_server", NULL},
	{"https", NULL},
	{"https3", NULL},
	{"timeouts", NULL},
	{"multisocket", NULL},
	{"reload", NULL},
	{"nsid", NULL},
	{"bufsize", NULL},
	{"bind", &plugin_bind},
	{"debug", &plugin_debug},
	{"trace", NULL},
	{"ready", &plugin_ready},
	{"health", &plugin_health},
	{"pprof", NULL},
	{"shed", NULL},
	{"prometheus", &plugin_prometheus},
	{"errors", &plugin_errors},
	{"log", &plugin_log},
	{"dnstap", NULL},
	{"local", NULL},
	{"dns64", NULL},
	{"any", NULL},
	{"chaos", NULL},
	{"loadbalance", NULL},
	{"tsig", NULL},
	{"rewrite", NULL},
	{"autopath", NULL},
	{"search", &plugin_search}, /* ours: above acl and cache, which see the full names */
	{"acl", NULL},
	{"cache", &plugin_cache},
	{"header", NULL},
	{"dnssec", NULL},
	{"tls", NULL},
	{"minimal", NULL},
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
	{"loop", NULL},
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
