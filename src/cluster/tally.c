#include "tally.h"

const double feed_request_bounds[11] = {.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10};

const double feed_programming_bounds[20] = {.001, .002, .004, .008, .016, .032, .064, .128, .256, .512, 1.024,
	2.048, 4.096, 8.192, 16.384, 32.768, 65.536, 131.072, 262.144, 524.288};

/* Codes that find no place any more are counted with the last. */
void tally_code(struct feed_code codes[FEED_CODES], unsigned code)
{
	size_t i = 0;

	while (i < FEED_CODES - 1 && codes[i].count && codes[i].code != code)
		i++;
	codes[i].code = code;
	codes[i].count++;
}

static void observe(struct feed_histogram *histogram, const double *bounds, size_t count, double value)
{
	size_t i = 0;

	while (i < count && value > bounds[i])
		i++;
	if (i < count)
		histogram->buckets[i]++;
	histogram->count++;
	histogram->sum += value;
}

void tally_request(struct feed_histogram *histogram, double seconds)
{
	observe(histogram, feed_request_bounds, ARRAY_LENGTH(feed_request_bounds), seconds);
}

void tally_programming(struct feed_histogram *histogram, double seconds)
{
	observe(histogram, feed_programming_bounds, ARRAY_LENGTH(feed_programming_bounds), seconds);
}
