/* bind: the addresses that a server block is served at, by number or by the interface that has them. */
#include <ifaddrs.h>
#include <net/if.h>
#include <string.h>

#include "svcdns/setup.h"

struct hosts {
	const char **hosts;
	size_t count;
};

static void add(struct hosts *hosts, struct arena *arena, const char *host)
{
	const char **all = arena_alloc(arena, (hosts->count + 1) * sizeof(*all));

	if (hosts->count)
		memcpy(all, hosts->hosts, hosts->count * sizeof(*all));
	all[hosts->count++] = host;
	hosts->hosts = all;
}

/* The address with its zone, if it is link-local: it means nothing without. */
static const char *host_of(const struct ifaddrs *entry, struct arena *arena)
{
	union address address;
	struct ip ip;
	char text[ADDRESS_TEXT_MAX];

	memcpy(&address, entry->ifa_addr,
		entry->ifa_addr->sa_family == AF_INET ? sizeof(address.in) : sizeof(address.in6));
	address_ip(&address, &ip);
	ip_text(&ip, text);
	if (ip.family == 6 && IN6_IS_ADDR_LINKLOCAL(&address.in6.sin6_addr))
		return arena_format(arena, "%s%%%s", text, entry->ifa_name);
	return arena_text(arena, text);
}

static bool add_interface(struct hosts *hosts, struct arena *arena, const char *name)
{
	struct ifaddrs *all;
	bool found = false;

	if (getifaddrs(&all) != 0)
		return false;
	for (const struct ifaddrs *entry = all; entry; entry = entry->ifa_next) {
		if (strcmp(entry->ifa_name, name) != 0)
			continue;
		found = true;
		if (entry->ifa_addr &&
			(entry->ifa_addr->sa_family == AF_INET || entry->ifa_addr->sa_family == AF_INET6))
			add(hosts, arena, host_of(entry, arena));
	}
	freeifaddrs(all);
	return found;
}

static bool is_address(const char *word)
{
	const char *zone = strchr(word, '%');
	struct ip ip;

	return ip_parse_n(word, zone ? (size_t)(zone - word) : strlen(word), &ip);
}

static bool read_hosts(struct setup *setup, struct dispenser *d, struct hosts *ret)
{
	while (dispenser_argument(d)) {
		const char *word = dispenser_value(d);

		if (is_address(word))
			add(ret, setup->arena, word);
		else if (!add_interface(ret, setup->arena, word))
			return dispenser_error(d, "not a valid IP address or interface name: \"%s\"", word);
	}
	return true;
}

struct bind_config {
	struct hosts except;
};

static bool parse_except(void *config, struct setup *setup, struct dispenser *d)
{
	struct bind_config *bind = config;

	if (!dispenser_arguments(d))
		return dispenser_error(
			d, "at least one address or interface must be given to except subdirective");
	return read_hosts(setup, d, &bind->except);
}

static const struct option options[] = {
	{.name = "except", .type = OPTION_CALL, .parse = parse_except},
	{.name = NULL},
};

static bool has(const struct hosts *hosts, const char *host)
{
	for (size_t i = 0; i < hosts->count; i++)
		if (strcmp(hosts->hosts[i], host) == 0)
			return true;
	return false;
}

static bool read_one(struct setup *setup, struct dispenser *d, struct hosts *ret)
{
	struct bind_config config = {0};
	struct hosts wanted = {0};

	if (!dispenser_arguments(d))
		return dispenser_error(d, "at least one address or interface name is expected");
	if (!read_hosts(setup, d, &wanted) || !options_parse(options, &config, setup, d))
		return false;
	for (size_t i = 0; i < wanted.count; i++)
		if (!has(&config.except, wanted.hosts[i]))
			add(ret, setup->arena, wanted.hosts[i]);
	return true;
}

static void *setup(struct setup *setup, struct error *error)
{
	struct hosts all = {0};
	struct dispenser d;

	dispenser_init(&d, setup->directive, error);
	while (dispenser_next(&d))
		if (!read_one(setup, &d, &all))
			return NULL;
	if (!all.count) {
		dispenser_error(&d, "except leaves no address to listen on");
		return NULL;
	}
	*setup->bind = (struct bind){all.hosts, all.count};
	return setup->bind;
}

extern const struct plugin plugin_bind;

const struct plugin plugin_bind = {.name = "bind", .setup = setup};
