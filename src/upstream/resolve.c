/* Where upstreams are: resolv.conf files and host names, read once while the server starts. */
#include <ares.h>
#include <netdb.h>
#include <string.h>
#include <sys/select.h>

#include "svcdns/buffer.h"
#include "svcdns/log.h"
#include "svcdns/upstream.h"

#define DNS_PORT   53
#define TIMEOUT_MS 2000
#define SPACE	   " \t\r"

/* "nameserver ADDRESS" (resolv.conf(5)); an interface behind the address is left out, as CoreDNS does. */
static bool read_line(char *line, struct ip *ret)
{
	char *rest, *word = strtok_r(line, SPACE, &rest), *address, *zone;

	if (!word || strcmp(word, "nameserver") != 0)
		return false;
	address = strtok_r(NULL, SPACE, &rest);
	if (!address)
		return false;
	zone = strchr(address, '%');
	if (zone)
		*zone = '\0';
	if (ip_parse(address, ret))
		return true;
	log_line(LOG_WARNING, "plugin/forward", "nameserver is not an address, it is left out: %s", address);
	return false;
}

bool upstream_read_resolv_conf(
	const char *path, union address *ret, size_t max, size_t *ret_count, struct error *error)
{
	struct buffer buffer;
	char reason[512], *rest, *line;
	struct ip ip;

	buffer_init(&buffer);
	if (!buffer_read_file(&buffer, path, reason, sizeof(reason))) {
		buffer_finish(&buffer);
		return error_set(error, "%s", reason);
	}
	*ret_count = 0;
	for (line = strtok_r(buffer.bytes, "\n", &rest); line && *ret_count < max;
		line = strtok_r(NULL, "\n", &rest))
		if (read_line(line, &ip))
			address_set(&ret[(*ret_count)++], &ip, DNS_PORT);
	buffer_finish(&buffer);
	return true;
}

struct look_up {
	uint16_t port;
	union address *addresses;
	size_t max, count;
	int status;
	bool is_over;
};

static void on_addresses(void *context, int status, int timeouts, struct ares_addrinfo *result)
{
	struct look_up *look_up = context;

	(void)timeouts;
	look_up->is_over = true;
	look_up->status = status;
	if (!result)
		return;
	for (struct ares_addrinfo_node *node = result->nodes; node; node = node->ai_next) {
		union address address = {0};
		struct ip ip;

		if (look_up->count == look_up->max)
			break;
		memcpy(&address, node->ai_addr,
			node->ai_family == AF_INET ? sizeof(address.in) : sizeof(address.in6));
		address_ip(&address, &ip);
		address_set(&look_up->addresses[look_up->count++], &ip, look_up->port);
	}
	ares_freeaddrinfo(result);
}

/* Nothing else runs yet: waiting here holds nobody up. */
static void wait_for(ares_channel channel, const struct look_up *look_up)
{
	while (!look_up->is_over) {
		fd_set readers, writers;
		struct timeval longest = {.tv_usec = 100000}, part;
		int count;

		FD_ZERO(&readers);
		FD_ZERO(&writers);
		count = ares_fds(channel, &readers, &writers);
		select(count, &readers, &writers, NULL, ares_timeout(channel, &longest, &part));
		ares_process(channel, &readers, &writers);
	}
}

static void set_resolvers(ares_channel channel, const union address *resolvers, size_t count)
{
	struct ares_addr_port_node nodes[15] = {0};

	for (size_t i = 0; i < count && i < ARRAY_LENGTH(nodes); i++) {
		struct ip ip;

		address_ip(&resolvers[i], &ip);
		nodes[i].family = ip.family == 4 ? AF_INET : AF_INET6;
		memcpy(&nodes[i].addr, ip.bytes, ip_length(&ip));
		nodes[i].udp_port = nodes[i].tcp_port = address_port(&resolvers[i]);
		nodes[i].next = i + 1 < count && i + 1 < ARRAY_LENGTH(nodes) ? &nodes[i + 1] : NULL;
	}
	if (count)
		ares_set_servers_ports(channel, nodes);
}

bool upstream_resolve(const char *host, uint16_t port, const union address *resolvers, size_t resolver_count,
	union address *ret, size_t max, size_t *ret_count, struct error *error)
{
	struct look_up look_up = {.port = port, .addresses = ret, .max = max};
	struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC, .ai_flags = ARES_AI_NOSORT};
	struct ares_options options = {
		.flags = ARES_FLAG_NOSEARCH,
		.timeout = TIMEOUT_MS,
		.tries = 1,
		.lookups = resolver_count ? (char[]){"b"} : (char[]){"fb"},
	};
	ares_channel channel;

	if (ares_init_options(&channel, &options,
		    ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS) != ARES_SUCCESS)
		return error_set(error, "failed to resolve \"%s\": no memory", host);
	set_resolvers(channel, resolvers, resolver_count);
	ares_getaddrinfo(channel, host, NULL, &hints, on_addresses, &look_up);
	wait_for(channel, &look_up);
	ares_destroy(channel);
	*ret_count = look_up.count;
	return look_up.count ||
	       error_set(error, "failed to resolve \"%s\": %s", host, ares_strerror(look_up.status));
}
