/* health: says that the process is there, and lets it be found for a while longer when it is told to go.
 *
 * A thread of its own asks for the endpoint once a second, as CoreDNS does: how long that takes shows an
 * overloaded machine. It counts in cells that all health plugins of the process share. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "svcdns/clock.h"
#include "svcdns/http.h"
#include "svcdns/log.h"
#include "svcdns/metrics.h"
#include "svcdns/setup.h"

#define TOPIC	    "plugin/health"
#define PATH	    "/health"
#define INTERVAL_MS 1000
#define SLOW_NS	    CLOCK_S
#define TIMEOUT_NS  (3 * CLOCK_S)

struct health { /* lifetime: configuration */
	const struct setup *setup;
	const char *address;
	int64_t lameduck; /* ns */
	struct http_endpoint *endpoint;
	struct cell *durations, *failures;
	pthread_t thread;
	int stop; /* an eventfd, written to when the thread is to end; -1: it does not run */
};

static const uint64_t bounds[] = {
	250 * CLOCK_US, 2500 * CLOCK_US, 25 * CLOCK_MS, 250 * CLOCK_MS, 2500 * CLOCK_MS};

static const struct metric_family durations = {
	.name = "coredns_health_request_duration_seconds",
	.help = "Histogram of the time (in seconds) each request took.",
	.type = METRIC_HISTOGRAM,
	.bounds = bounds,
	.bound_count = ARRAY_LENGTH(bounds),
	.divisor = 1e9,
};

static const struct metric_family failures = {
	.name = "coredns_health_request_failures_total",
	.help = "The number of times the health check failed.",
};

static const struct metric_family *const families_counted[] = {&durations, &failures, NULL};

static void probe(const struct health *health)
{
	uint64_t begin = clock_monotonic(), took;
	char text[DURATION_TEXT_MAX];
	struct error error = {""};
	bool ok = http_probe(health->endpoint, TIMEOUT_NS, &error);

	took = clock_monotonic() - begin;
	cell_add_shared(histogram_bucket(&durations, health->durations, took), 1);
	cell_add_shared(histogram_sum(&durations, health->durations), took);
	if (!ok) {
		cell_add_shared(health->failures, 1);
		log_line(LOG_WARNING, TOPIC, "Local health request to \"http://%s" PATH "\" failed: %s",
			health->address, error.message);
	} else if (took > SLOW_NS) {
		duration_text((int64_t)took, text);
		log_line(LOG_WARNING, TOPIC,
			"Local health request to \"http://%s" PATH "\" took more than 1s: %s",
			health->address, text);
	}
}

static void *run(void *argument)
{
	const struct health *health = argument;
	struct pollfd stop = {.fd = health->stop, .events = POLLIN};

	for (;;) {
		int events = poll(&stop, 1, INTERVAL_MS);

		if (events > 0)
			return NULL;
		if (events == 0)
			probe(health);
	}
}

static void answer(void *context, const char *rest, struct http_answer *ret)
{
	(void)context;
	(void)rest;
	(void)ret; /* as it is: 200 OK */
}

static bool open_endpoint(void *config, struct error *error)
{
	struct health *health = config;

	health->durations = metrics_cells(health->setup->metrics, 0, &durations, NULL);
	health->failures = metrics_cells(health->setup->metrics, 0, &failures, NULL);
	health->endpoint = http_open(health->setup->http, health->address, PATH, answer, health, error);
	if (!health->endpoint)
		return false;
	health->stop = eventfd(0, EFD_CLOEXEC);
	if (health->stop < 0 || pthread_create(&health->thread, NULL, run, health) != 0)
		abort(); /* no descriptors or no memory */
	return true;
}

static void close_endpoint(void *config)
{
	struct health *health = config;

	if (health->stop >= 0) {
		eventfd_write(health->stop, 1);
		pthread_join(health->thread, NULL);
		close(health->stop);
		health->stop = -1;
	}
	http_close(health->endpoint);
	health->endpoint = NULL;
}

/* While it waits, everything but /ready goes on: clients and load balancers get to know that it goes. */
static void leave(void *config)
{
	const struct health *health = config;
	uint64_t until = clock_monotonic() + (uint64_t)health->lameduck;
	struct timespec time = {.tv_sec = (time_t)(until / CLOCK_S), .tv_nsec = (long)(until % CLOCK_S)};
	char text[DURATION_TEXT_MAX];

	if (health->lameduck > 0) {
		duration_text(health->lameduck, text);
		log_line(LOG_INFO, TOPIC, "Going into lameduck mode for %s", text);
		while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL) == EINTR)
			;
	}
	close_endpoint(config);
}

static bool parse_lameduck(void *config, struct setup *setup, struct dispenser *d)
{
	struct health *health = config;
	struct words words = {0};
	struct error reason;

	setup_words(setup, d, &words);
	if (words.count != 1)
		return dispenser_argument_error(d);
	return duration_parse(words.words[0], &health->lameduck, &reason) ||
	       error_set(d->error, "unable to parse lameduck duration value: '%s' : %s", words.words[0],
		       reason.message);
}

static const struct option options[] = {
	{.name = "lameduck", .type = OPTION_CALL, .parse = parse_lameduck},
	{.name = NULL},
};

/* A second directive in a block counts instead of the first. */
static bool read_directive(struct health *health, struct setup *setup, struct dispenser *d)
{
	struct words words = {0};

	health->address = ":8080";
	health->lameduck = 0;
	setup_words(setup, d, &words);
	if (words.count > 1)
		return dispenser_argument_error(d);
	if (words.count) {
		health->address = words.words[0];
		if (!http_check_address(health->address, d->error))
			return false;
	}
	return options_parse(options, health, setup, d);
}

static void *setup(struct setup *setup, struct error *error)
{
	struct health *health = arena_alloc(setup->arena, sizeof(*health));
	struct dispenser d;

	health->setup = setup;
	health->stop = -1;
	dispenser_init(&d, setup->directive, error);
	while (dispenser_next(&d))
		if (!read_directive(health, setup, &d))
			return NULL;
	return health;
}

extern const struct plugin plugin_health;

const struct plugin plugin_health = {
	.name = "health",
	.families = families_counted,
	.setup = setup,
	.open = open_endpoint,
	.leave = leave,
	.close = close_endpoint,
};
