#include "tally.h"

#include "svcdns/clock.h"

#define MS(n) ((n)*CLOCK_MS)

const uint64_t feed_request_bounds[11] = {
	MS(5), MS(10), MS(25), MS(50), MS(100), MS(250), MS(500), MS(1000), MS(2500), MS(5000), MS(10000)};

const uint64_t feed_programming_bounds[20] = {MS(1), MS(2), MS(4), MS(8), MS(16), MS(32), MS(64), MS(128),
	MS(256), MS(512), MS(1024), MS(2048), MS(4096), MS(8192), MS(16384), MS(32768), MS(65536), MS(131072),
	MS(262144), MS(524288)};

/* Codes that find no place any more are counted with the last. */
void tally_code(struct feed_code codes[FEED_CODES], unsigned code)
{
	size_t i = 0;

	while (i < FEED_CODES - 1 && codes[i].count && codes[i].code != code)
		i++;
	codes[i].code = code;
	codes[i].count++;
}

/* A time before the beginning, by clocks that disagree, is none. */
static void observe(struct feed_histogram *histogram, const uint64_t *bounds, size_t count, double seconds)
{
	uint64_t ns = seconds > 0 ? (uint64_t)(seconds * (double)CLOCK_S) : 0;
	size_t i = 0;

	while (i < count && ns > bounds[i])
		i++;
	if (i < count)
		histogram->buckets[i]++;
	histogram->count++;
	histogram->sum_ns += ns;
}

void tally_request(struct feed_histogram *histogram, double seconds)
{
	observe(histogram, feed_request_bounds, ARRAY_LENGTH(feed_request_bounds), seconds);
}

void tally_programming(struct feed_histogram *histogram, double seconds)
{
	observe(histogram, feed_programming_bounds, ARRAY_LENGTH(feed_programming_bounds), seconds);
}
