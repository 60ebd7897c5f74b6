/* What counting costs: nanoseconds of query_answer() for one query that is answered with an address, with
 * prometheus in the chain and without it, in turns. count [ROUNDS]. Prints the median of each, and of their
 * difference. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../support/plugin_lab.h"

#define QUERIES	   200000 /* in a round */
#define ROUNDS_MAX 1001

extern const struct plugin plugin_prometheus;

static enum verdict serve(void *self, struct request *r)
{
	(void)self;
	request_reply(r, RCODE_NOERROR, FLAG_AA);
	writer_u16(&r->reply, WRITER_QUESTION);
	writer_address(&r->reply, SECTION_ANSWER, (const uint8_t *)"\12\0\0\1", 4, CLASS_IN, 5);
	return VERDICT_ANSWERED;
}

static const struct plugin answering = {.name = "answering", .serve = serve};

static void start(struct lab *lab, bool is_counted)
{
	static struct place_plugin plugins[] = {{&plugin_prometheus, NULL}, {&answering, NULL}};
	const struct link links[] = {{0}, {&answering, NULL, 0}};

	if (!lab_read(lab, &plugin_prometheus, "prometheus 127.0.0.1:0"))
		exit(1);
	lab->place.plugins = plugins;
	lab->place.plugin_count = ARRAY_LENGTH(plugins);
	lab_start(lab, links + !is_counted, 1 + is_counted);
}

static double round_of(struct lab *lab)
{
	uint8_t query[64];
	size_t length;
	uint64_t begin;

	lab_ask(lab, "web.shop.svc.cluster.local", TYPE_A); /* sets client, router and the rest */
	length = lab_write_query(lab, "web.shop.svc.cluster.local", TYPE_A);
	memcpy(query, lab->request->wire, length);
	begin = clock_monotonic();
	for (int i = 0; i < QUERIES; i++) {
		memcpy(lab->request->wire, query, length);
		if (query_answer(lab->request, length) != VERDICT_ANSWERED)
			exit(1);
	}
	return (double)(clock_monotonic() - begin) / QUERIES;
}

static int compare(const void *a, const void *b)
{
	const double *left = a, *right = b;

	return (*left > *right) - (*left < *right);
}

static double median(double *values, int count)
{
	qsort(values, (size_t)count, sizeof(*values), compare);
	return values[count / 2];
}

int main(int argc, char **argv)
{
	static double plain[ROUNDS_MAX], counted[ROUNDS_MAX], difference[ROUNDS_MAX];
	int rounds = argc > 1 ? atoi(argv[1]) : 21;
	struct lab without, with;

	if (rounds < 1 || rounds > ROUNDS_MAX)
		return 2;
	start(&without, false);
	start(&with, true);
	for (int i = 0; i < rounds; i++) {
		plain[i] = round_of(&without);
		counted[i] = round_of(&with);
		difference[i] = counted[i] - plain[i];
	}
	printf("without %.1f ns, with %.1f ns, difference %.1f ns\n", median(plain, rounds),
		median(counted, rounds), median(difference, rounds));
	lab_finish(&without);
	lab_finish(&with);
	return 0;
}
