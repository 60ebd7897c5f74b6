/* From the words behind FROM to addresses: each an address, a file in the format of resolv.conf, or a host
 * name. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "settings.h"

#define DNS_PORT  53
#define FOUND_MAX 64 /* addresses that files and names may give, before doubles are left out */

struct servers {
	union address addresses[FOUND_MAX];
	size_t count;
};

bool forward_read_address(const char *text, union address *ret)
{
	const char *host = text, *end = text + strlen(text), *port = NULL, *zone;
	unsigned long number = DNS_PORT;
	char *rest;
	struct ip ip;

	if (*text == '[') {
		end = strchr(text, ']');
		if (!end || (end[1] && end[1] != ':'))
			return false;
		host = text + 1;
		port = end[1] ? end + 2 : NULL;
	} else if (strchr(text, ':') && strchr(text, ':') == strrchr(text, ':')) {
		end = strchr(text, ':');
		port = end + 1;
	}
	zone = memchr(host, '%', (size_t)(end - host));
	if (!ip_parse_n(host, (size_t)((zone ? zone : end) - host), &ip))
		return false;
	if (port) {
		number = strtoul(port, &rest, 10);
		if (*rest || rest == port || number > UINT16_MAX)
			return false;
	}
	address_set(ret, &ip, (uint16_t)number);
	return true;
}

static bool has_prefix(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* What is checked of an upstream that is no plain DNS server, before it is refused for that. */
static bool refuse_transport(const struct forward *forward, struct dispenser *d, const char *word)
{
	const char *host = strstr(word, "://") + 3, *name = strchr(host, '%');

	if (has_prefix(word, "https://") && strchr(host, '/'))
		return dispenser_error(d,
			"paths are not allowed in HTTPS upstream addresses (the /dns-query path is used by "
			"default): %s",
			word);
	if (has_prefix(word, "tls://") && name && forward->tls_name)
		return dispenser_error(d,
			"both forward ('%s') and proxy level ('%s') TLS servernames are set for upstream "
			"proxy "
			"'%.*s'",
			forward->tls_name, name + 1, (int)(name - word), word);
	if (!has_prefix(word, "tls://") && !has_prefix(word, "https://"))
		return dispenser_error(d, "'%.*s' is not supported as a destination protocol in forward: %s",
			(int)(host - 3 - word), word, word);
	return dispenser_error(d, "upstreams over TLS are not built into this version: %s", word);
}

static bool add_name(
	const struct forward *forward, struct dispenser *d, const char *word, struct servers *servers)
{
	union address *next = servers->addresses + servers->count;
	const char *colon = strrchr(word, ':');
	uint16_t port = DNS_PORT;
	char host[256];
	struct error reason;
	size_t found;

	if (colon && colon[1] && strspn(colon + 1, "0123456789") == strlen(colon + 1))
		port = (uint16_t)strtoul(colon + 1, NULL, 10);
	else
		colon = word + strlen(word);
	if ((size_t)(colon - word) >= sizeof(host))
		return dispenser_error(d, "not an address, a file or a host name: %s", word);
	memcpy(host, word, (size_t)(colon - word));
	host[colon - word] = '\0';
	if (!upstream_resolve(host, port, forward->resolvers, forward->resolver_count, next,
		    FOUND_MAX - servers->count, &found, &reason))
		return dispenser_error(d, "%s", reason.message);
	servers->count += found;
	return true;
}

/* An address, a file in the format of resolv.conf, or a host name, in that order. */
static bool add_servers(
	const struct forward *forward, struct dispenser *d, const char *word, struct servers *servers)
{
	union address *next = servers->addresses + servers->count;
	const char *plain = has_prefix(word, "dns://") ? word + strlen("dns://") : word;
	struct error reason;
	size_t found;

	if (servers->count == FOUND_MAX)
		return dispenser_error(d, "more than %d upstreams", FOUND_MAX);
	if (plain == word && strstr(word, "://"))
		return refuse_transport(forward, d, word);
	if (forward_read_address(plain, next)) {
		servers->count++;
		return true;
	}
	if (access(plain, F_OK) != 0)
		return add_name(forward, d, plain, servers);
	if (!upstream_read_resolv_conf(plain, next, FOUND_MAX - servers->count, &found, &reason))
		return dispenser_error(d, "%s", reason.message);
	servers->count += found;
	return true;
}

/* Each address once, in the order in which they were named. */
static bool keep_servers(
	struct forward *forward, struct setup *setup, struct dispenser *d, const struct servers *found)
{
	struct upstream_config *upstream = &forward->upstream;

	upstream->servers = arena_alloc(setup->arena, found->count * sizeof(*upstream->servers));
	for (size_t i = 0; i < found->count; i++) {
		bool is_known = false;

		for (size_t j = 0; j < upstream->server_count; j++)
			is_known |= address_equal(&found->addresses[i], &upstream->servers[j]);
		if (!is_known)
			upstream->servers[upstream->server_count++] = found->addresses[i];
	}
	if (!upstream->server_count)
		return dispenser_error(d, "no valid upstream addresses found");
	return upstream->server_count <= FORWARD_SERVERS_MAX ||
	       dispenser_error(
		       d, "more than %d TOs configured: %zu", FORWARD_SERVERS_MAX, upstream->server_count);
}

bool forward_find_servers(
	struct forward *forward, const struct words *to, struct setup *setup, struct dispenser *d)
{
	struct servers found = {.count = 0};

	for (size_t i = 0; i < to->count; i++)
		if (!add_servers(forward, d, to->words[i], &found))
			return false;
	return keep_servers(forward, setup, d, &found);
}
