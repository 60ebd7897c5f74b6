/* The life of a resource without a server and without waiting: what is asked for next, after everything that
 * can happen to a list or a watch, and what the store has then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/cluster/reflector.h"
#include "svcdns/clock.h"

struct lab {
	struct object_store *store;
	struct reflector reflector;
	struct decoder decoder; /* only what an answer said */
	struct draft draft;
	uint64_t now;
	char asked[256];
};

static void lab_init(struct lab *lab)
{
	memset(lab, 0, sizeof(*lab));
	lab->store = object_store_create(clock_unix);
	lab->now = 1000 * CLOCK_S;
	reflector_init(&lab->reflector, &resources[OBJECT_SERVICE], lab->store, lab->now);
}

static void lab_finish(struct lab *lab)
{
	reflector_finish(&lab->reflector);
	object_store_destroy(lab->store);
	draft_finish(&lab->draft);
}

static const struct object *service(struct lab *lab, const char *name, int32_t port)
{
	draft_clear(&lab->draft);
	lab->draft.head.kind = OBJECT_SERVICE;
	lab->draft.head.namespace = draft_text(&lab->draft, "shop", 4);
	lab->draft.head.name = draft_text(&lab->draft, name, strlen(name));
	draft_port(&lab->draft.service_ports)->number = port;
	return draft_pack(&lab->draft);
}

struct search {
	const struct object *wanted;
	bool is_found;
};

static void compare(void *context, const struct object *object)
{
	struct search *search = context;

	if (object->size == search->wanted->size && memcmp(object, search->wanted, object->size) == 0)
		search->is_found = true;
}

static bool has(struct lab *lab, const char *name, int32_t port)
{
	struct search search = {service(lab, name, port), false};

	object_store_each(lab->store, compare, &search);
	return search.is_found;
}

/* The request that the reflector wants now: "list v= next= limit=500". */
static const char *asks(struct lab *lab)
{
	static const char *const asks[] = {"watch-list", "list", "watch"};
	struct reflector_step step = reflector_next(&lab->reflector, lab->now);
	const struct resource_request *request = &step.request;

	if (step.action == REFLECTOR_CANCEL)
		return "cancel";
	if (step.action == REFLECTOR_WAIT)
		return "wait";
	if (request->ask == ASK_LIST)
		snprintf(lab->asked, sizeof(lab->asked), "list v=%s next=%s limit=%u", request->version,
			request->next, request->limit);
	else
		snprintf(lab->asked, sizeof(lab->asked), "%s v=%s", asks[request->ask], request->version);
	if (request->ask != ASK_LIST)
		assert_in_range(request->timeout_s, 300, 599);
	return lab->asked;
}

#define assert_asks(lab, text) assert_string_equal(asks(lab), text)

/* Milliseconds until the reflector wants to be asked again. */
static uint64_t wait_ms(struct lab *lab)
{
	struct reflector_step step = reflector_next(&lab->reflector, lab->now);

	assert_int_equal(step.action, REFLECTOR_WAIT);
	return (step.until - lab->now) / CLOCK_MS;
}

static void pass(struct lab *lab, uint64_t seconds)
{
	lab->now += seconds * CLOCK_S;
}

static void head(struct lab *lab, unsigned status)
{
	memset(&lab->decoder, 0, sizeof(lab->decoder));
	reflector_on_head(&lab->reflector, lab->now, status, 0);
}

static void event(struct lab *lab, enum event_type type, const char *name, int32_t port, const char *version)
{
	lab->decoder.event.type = type;
	snprintf(lab->decoder.version, sizeof(lab->decoder.version), "%s", version);
	reflector_on_octets(&lab->reflector, lab->now);
	reflector_on_object(
		&lab->reflector, lab->now, &lab->decoder, DECODED_OBJECT, service(lab, name, port));
}

static void item(struct lab *lab, const char *name, int32_t port)
{
	event(lab, EVENT_NONE, name, port, "1");
}

static void bookmark(struct lab *lab, const char *version, bool ends_initial)
{
	lab->decoder.event.type = EVENT_BOOKMARK;
	lab->decoder.event.ends_initial = ends_initial;
	snprintf(lab->decoder.version, sizeof(lab->decoder.version), "%s", version);
	reflector_on_octets(&lab->reflector, lab->now);
	reflector_on_object(&lab->reflector, lab->now, &lab->decoder, DECODED_BROKEN, NULL);
	lab->decoder.event.ends_initial = false;
}

static void error_event(struct lab *lab, int32_t code)
{
	lab->decoder.event.type = EVENT_ERROR;
	lab->decoder.status.code = code;
	reflector_on_object(&lab->reflector, lab->now, &lab->decoder, DECODED_OTHER_KIND, NULL);
}

static void end(struct lab *lab, enum reflector_end how)
{
	reflector_on_end(
		&lab->reflector, lab->now, how, how == REFLECTOR_COMPLETE, &lab->decoder, "broken pipe");
}

/* The whole body of a page. */
static void end_list(struct lab *lab, const char *version, const char *next)
{
	snprintf(lab->decoder.kind, sizeof(lab->decoder.kind), "ServiceList");
	snprintf(lab->decoder.api_version, sizeof(lab->decoder.api_version), "v1");
	snprintf(lab->decoder.list.version, sizeof(lab->decoder.list.version), "%s", version);
	snprintf(lab->decoder.list.next, sizeof(lab->decoder.list.next), "%s", next);
	end(lab, REFLECTOR_COMPLETE);
}

static void refuse(struct lab *lab, unsigned status)
{
	head(lab, status);
	end(lab, REFLECTOR_COMPLETE);
}

/* What the log is to say; "" if nothing. */
static void assert_says(struct lab *lab, const char *text)
{
	assert_string_equal(lab->reflector.notice.text, text);
	lab->reflector.notice.text[0] = '\0';
}

/* Synchronized by a watch that began with all objects. */
static void follow(struct lab *lab)
{
	lab_init(lab);
	assert_asks(lab, "watch-list v=");
	head(lab, 200);
	event(lab, EVENT_ADDED, "web", 80, "5");
	event(lab, EVENT_ADDED, "db", 5432, "7");
	bookmark(lab, "10", true);
}

static void test_watch_list(void **state)
{
	struct lab lab;

	(void)state;
	lab_init(&lab);
	assert_asks(&lab, "watch-list v=");
	head(&lab, 200);
	event(&lab, EVENT_ADDED, "web", 80, "5");
	assert_false(lab.reflector.is_synced);
	bookmark(&lab, "8", false); /* not the one that says so */
	assert_false(lab.reflector.is_synced);
	bookmark(&lab, "10", true);
	assert_true(lab.reflector.is_synced);
	assert_true(has(&lab, "web", 80));
	event(&lab, EVENT_ADDED, "db", 5432, "11");
	event(&lab, EVENT_MODIFIED, "web", 8080, "12");
	event(&lab, EVENT_DELETED, "db", 5432, "13");
	assert_true(has(&lab, "web", 8080));
	assert_false(has(&lab, "db", 5432));
	pass(&lab, 400);
	reflector_on_octets(&lab.reflector, lab.now);
	end(&lab, REFLECTOR_COMPLETE); /* the server's time-out: nothing is listed again */
	assert_asks(&lab, "watch v=13");
	assert_says(&lab, "");
	lab_finish(&lab);
}

static void test_bookmarks_move_the_version(void **state)
{
	struct lab lab;

	(void)state;
	follow(&lab);
	bookmark(&lab, "99", false);
	pass(&lab, 2);
	end(&lab, REFLECTOR_CUT);
	assert_asks(&lab, "watch v=99");
	lab_finish(&lab);
}

static void test_server_without_watch_lists(void **state)
{
	static const unsigned codes[] = {400, 404, 405, 422};
	struct lab lab;

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(codes); i++) {
		lab_init(&lab);
		assert_asks(&lab, "watch-list v=");
		refuse(&lab, codes[i]);
		assert_says(&lab, "");
		assert_asks(&lab, "list v=0 next= limit=500");
		head(&lab, 200);
		item(&lab, "web", 80);
		end_list(&lab, "20", "");
		assert_true(lab.reflector.is_synced);
		assert_asks(&lab, "watch v=20");
		lab_finish(&lab);
	}
}

/* A list of a server that has forgotten our version comes in pages; only the last one sweeps. */
static void begin_pages(struct lab *lab)
{
	follow(lab);
	reflector_distrust(&lab->reflector, "2 differ");
	assert_asks(lab, "cancel");
	assert_says(lab, "services: 2 differ: listing all of them anew");
	assert_asks(lab, "watch-list v=");
	refuse(lab, 422);
	assert_asks(lab, "list v= next= limit=500");
	head(lab, 200);
	item(lab, "web", 81);
	end_list(lab, "30", "token");
}

static void test_pages(void **state)
{
	struct lab lab;

	(void)state;
	begin_pages(&lab);
	assert_true(has(&lab, "db", 5432));
	assert_asks(&lab, "list v= next=token limit=500");
	head(&lab, 200);
	item(&lab, "new", 1);
	end_list(&lab, "30", "");
	assert_true(has(&lab, "web", 81));
	assert_true(has(&lab, "new", 1));
	assert_false(has(&lab, "db", 5432));
	assert_asks(&lab, "watch v=30");
	lab_finish(&lab);
}

static void test_a_page_that_is_cut_is_asked_for_again(void **state)
{
	struct lab lab;

	(void)state;
	begin_pages(&lab);
	assert_asks(&lab, "list v= next=token limit=500");
	head(&lab, 200);
	item(&lab, "new", 1);
	end(&lab, REFLECTOR_CUT);
	assert_says(&lab, "services: the list cannot be read: broken pipe");
	assert_asks(&lab, "wait");
	pass(&lab, 2);
	assert_asks(&lab, "list v= next=token limit=500");
	head(&lab, 503);
	end(&lab, REFLECTOR_COMPLETE);
	pass(&lab, 4);
	assert_asks(&lab, "list v= next=token limit=500");
	end(&lab, REFLECTOR_UNREACHED);
	pass(&lab, 10);
	assert_asks(&lab, "list v= next=token limit=500");
	head(&lab, 200);
	end_list(&lab, "30", "");
	assert_false(has(&lab, "db", 5432));
	lab_finish(&lab);
}

static void test_a_page_that_is_forgotten(void **state)
{
	struct lab lab;

	(void)state;
	begin_pages(&lab);
	assert_asks(&lab, "list v= next=token limit=500");
	refuse(&lab, 410);
	assert_asks(&lab, "wait");
	pass(&lab, 2);
	assert_asks(&lab, "list v= next= limit=0");
	head(&lab, 200);
	end_list(&lab, "31", "");
	assert_false(has(&lab, "web", 81));
	lab_finish(&lab);
}

static void test_a_list_that_cannot_be_read_sweeps_nothing(void **state)
{
	struct lab lab;

	(void)state;
	begin_pages(&lab);
	assert_asks(&lab, "list v= next=token limit=500");
	head(&lab, 200);
	snprintf(lab.decoder.kind, sizeof(lab.decoder.kind), "PodList"); /* not what was asked for */
	snprintf(lab.decoder.api_version, sizeof(lab.decoder.api_version), "v1");
	snprintf(lab.decoder.list.version, sizeof(lab.decoder.list.version), "30");
	end(&lab, REFLECTOR_COMPLETE);
	assert_true(has(&lab, "db", 5432));
	pass(&lab, 2);
	assert_asks(&lab, "list v= next= limit=500"); /* from its beginning */
	head(&lab, 200);
	snprintf(lab.decoder.kind, sizeof(lab.decoder.kind), "ServiceList");
	snprintf(lab.decoder.api_version, sizeof(lab.decoder.api_version), "v2");
	snprintf(lab.decoder.list.version, sizeof(lab.decoder.list.version), "30");
	end(&lab, REFLECTOR_COMPLETE);
	assert_true(has(&lab, "db", 5432));
	pass(&lab, 4);
	assert_asks(&lab, "list v= next= limit=500");
	head(&lab, 200);
	end_list(&lab, "", ""); /* nobody could watch from there on */
	assert_true(has(&lab, "db", 5432));
	lab_finish(&lab);
}

/* Deletions that happened while nobody watched are what a list does not have. */
static void test_expired_watch(void **state)
{
	struct lab lab;

	(void)state;
	for (int in_stream = 0; in_stream < 2; in_stream++) {
		follow(&lab);
		pass(&lab, 100);
		end(&lab, REFLECTOR_CUT);
		assert_asks(&lab, "watch v=10");
		if (in_stream) {
			head(&lab, 200);
			error_event(&lab, 410);
			assert_false(reflector_reads(&lab.reflector));
			end(&lab, REFLECTOR_CUT);
		} else {
			refuse(&lab, 410);
		}
		assert_true(has(&lab, "db", 5432));
		assert_asks(&lab, "watch-list v=10"); /* at once: from memory, not older than what we have */
		head(&lab, 200);
		event(&lab, EVENT_ADDED, "web", 80, "5");
		assert_true(has(&lab, "db", 5432));
		bookmark(&lab, "40", true);
		assert_false(has(&lab, "db", 5432));
		pass(&lab, 2);
		end(&lab, REFLECTOR_CUT);
		assert_asks(&lab, "watch v=40");
		refuse(&lab, 410); /* so soon after a list: not at once */
		assert_asks(&lab, "wait");
		pass(&lab, 2);
		assert_asks(&lab, "watch-list v=40");
		refuse(&lab, 410); /* that version is not to be had, either */
		pass(&lab, 4);
		assert_asks(&lab, "watch-list v=");
		lab_finish(&lab);
	}
}

/* What comes after an error in the stream does not count. */
static void test_nothing_counts_after_an_error(void **state)
{
	struct lab lab;

	(void)state;
	follow(&lab);
	error_event(&lab, 500);
	event(&lab, EVENT_DELETED, "db", 5432, "50");
	assert_true(has(&lab, "db", 5432));
	lab_finish(&lab);
}

static void test_etcd_was_restored(void **state)
{
	struct lab lab;

	(void)state;
	follow(&lab);
	pass(&lab, 100);
	end(&lab, REFLECTOR_CUT);
	assert_asks(&lab, "watch v=10");
	refuse(&lab, 504);
	pass(&lab, 2);
	assert_asks(&lab, "watch-list v="); /* without a version that may lie in the future */
	lab_finish(&lab);
}

static void test_errors_in_a_row(void **state)
{
	struct lab lab;

	(void)state;
	follow(&lab);
	pass(&lab, 100);
	end(&lab, REFLECTOR_CUT);
	for (int i = 0; i < 3; i++) {
		assert_asks(&lab, "watch v=10");
		head(&lab, 200);
		error_event(&lab, 500);
		end(&lab, REFLECTOR_CUT);
		assert_asks(&lab, "wait");
		pass(&lab, 60);
	}
	assert_says(&lab, "services: the API server answers 500: no reason given");
	assert_asks(&lab, "watch-list v=10");
	lab_finish(&lab);
}

static void test_retry_after(void **state)
{
	struct lab lab;

	(void)state;
	follow(&lab);
	pass(&lab, 100);
	end(&lab, REFLECTOR_CUT);
	assert_asks(&lab, "watch v=10");
	memset(&lab.decoder, 0, sizeof(lab.decoder));
	reflector_on_head(&lab.reflector, lab.now, 429, 7);
	end(&lab, REFLECTOR_COMPLETE);
	assert_int_equal(wait_ms(&lab), 7000);
	pass(&lab, 7);
	assert_asks(&lab, "watch v=10");
	reflector_on_head(&lab.reflector, lab.now, 503, 86400);
	end(&lab, REFLECTOR_COMPLETE);
	assert_int_equal(wait_ms(&lab), 300000); /* nobody waits for a day */
	lab_finish(&lab);
}

static void test_back_off(void **state)
{
	static const uint64_t waits_ms[] = {800, 1600, 3200, 6400, 12800, 25600, 30000, 30000};
	struct lab lab;

	(void)state;
	lab_init(&lab);
	for (size_t i = 0; i < ARRAY_LENGTH(waits_ms); i++) {
		asks(&lab);
		refuse(&lab, 500);
		assert_in_range(wait_ms(&lab), waits_ms[i], 2 * waits_ms[i]);
		pass(&lab, 60);
	}
	lab_finish(&lab);
}

static void test_unreached(void **state)
{
	struct lab lab;

	(void)state;
	follow(&lab);
	pass(&lab, 100);
	end(&lab, REFLECTOR_CUT);
	for (int i = 0; i < 8; i++) {
		assert_asks(&lab, "watch v=10"); /* what we know is good for a watch: nothing is listed */
		end(&lab, REFLECTOR_UNREACHED);
		assert_in_range(wait_ms(&lab), 800, 10000);
		pass(&lab, 10);
	}
	assert_says(&lab, "services: the API server cannot be reached: broken pipe");
	assert_asks(&lab, "watch v=10");
	head(&lab, 200);
	assert_says(&lab, "services: the API server is followed again");
	assert_true(lab.reflector.is_synced);
	lab_finish(&lab);
}

static void test_hurry(void **state)
{
	struct lab lab;

	(void)state;
	lab_init(&lab);
	for (int i = 0; i < 4; i++) {
		asks(&lab);
		end(&lab, REFLECTOR_UNREACHED);
		pass(&lab, 10);
	}
	asks(&lab);
	end(&lab, REFLECTOR_UNREACHED);
	assert_in_range(wait_ms(&lab), 5000, 10000);
	reflector_hurry(&lab.reflector, lab.now); /* another resource has reached the server */
	assert_in_range(wait_ms(&lab), 0, 500);
	pass(&lab, 1);
	asks(&lab);
	refuse(&lab, 500);
	reflector_hurry(&lab.reflector, lab.now); /* a refusal is another matter */
	assert_in_range(wait_ms(&lab), 5000, 60000);
	lab_finish(&lab);
}

static void test_refused_token(void **state)
{
	struct lab lab;

	(void)state;
	follow(&lab);
	pass(&lab, 100);
	end(&lab, REFLECTOR_CUT);
	assert_asks(&lab, "watch v=10");
	refuse(&lab, 401);
	assert_true(lab.reflector.wants_fresh_token);
	assert_says(&lab, "");
	lab.reflector.wants_fresh_token = false;
	assert_asks(&lab, "watch v=10"); /* at once */
	refuse(&lab, 401);
	assert_true(lab.reflector.wants_fresh_token);
	assert_says(&lab, "services: the API server answers 401: no reason given");
	assert_asks(&lab, "wait");
	pass(&lab, 2);
	assert_asks(&lab, "watch v=10");
	head(&lab, 200);
	assert_says(&lab, "services: the API server is followed again");
	pass(&lab, 100);
	end(&lab, REFLECTOR_CUT);
	assert_asks(&lab, "watch v=10");
	refuse(&lab, 401);
	assert_says(&lab, "");
	assert_asks(&lab, "watch v=10"); /* at once again: it has been good since */
	lab_finish(&lab);
}

static void test_forbidden(void **state)
{
	struct lab lab;

	(void)state;
	lab_init(&lab);
	asks(&lab);
	head(&lab, 403);
	snprintf(lab.decoder.status.message, sizeof(lab.decoder.status.message), "no way");
	end(&lab, REFLECTOR_COMPLETE);
	assert_says(&lab, "services: the API server answers 403: no way: the service account needs the verbs "
			  "list and watch "
			  "for resource \"services\" of API group \"\"");
	assert_asks(&lab, "wait");
	pass(&lab, 2);
	asks(&lab);
	refuse(&lab, 403);
	assert_says(&lab, ""); /* said already */
	assert_string_equal(lab.reflector.failure, "the API server answers 403: no reason given: the service "
						   "account needs the verbs list and watch for "
						   "resource \"services\" of API group \"\"");
	pass(&lab, 61);
	asks(&lab);
	refuse(&lab, 403);
	assert_string_not_equal(lab.reflector.notice.text, ""); /* once a minute */
	pass(&lab, 61);
	asks(&lab);
	assert_string_not_equal(lab.reflector.failure, "");
	head(&lab, 200); /* all of them may take a while to come: what was refused is over */
	assert_string_equal(lab.reflector.failure, "");
	lab_finish(&lab);
}

static void test_very_short_watches(void **state)
{
	struct lab lab;

	(void)state;
	follow(&lab);
	pass(&lab, 100);
	end(&lab, REFLECTOR_COMPLETE);
	assert_asks(&lab, "watch v=10");
	head(&lab, 200);
	end(&lab, REFLECTOR_COMPLETE);
	assert_says(&lab, "services: a watch ended at once, without any event");
	assert_in_range(wait_ms(&lab), 800, 1600);
	pass(&lab, 2);
	assert_asks(&lab, "watch v=10");
	head(&lab, 200);
	end(&lab, REFLECTOR_COMPLETE);
	assert_in_range(wait_ms(&lab), 1600, 3200);
	pass(&lab, 4);
	assert_asks(&lab, "watch v=10");
	head(&lab, 200);
	event(&lab, EVENT_MODIFIED, "web", 81, "11");
	end(&lab, REFLECTOR_CUT); /* as short, but it brought something */
	assert_int_equal(wait_ms(&lab), 200);
	lab_finish(&lab);
}

static void test_silence(void **state)
{
	struct lab lab;

	(void)state;
	follow(&lab);
	pass(&lab, 179);
	assert_asks(&lab, "wait");
	reflector_on_octets(&lab.reflector, lab.now);
	pass(&lab, 179);
	assert_asks(&lab, "wait");
	pass(&lab, 1);
	assert_asks(&lab, "cancel");
	assert_says(&lab, "services: no octet came for 180 s: trying again");
	pass(&lab, 2);
	assert_asks(&lab, "watch v=10");
	pass(&lab, 59);
	assert_asks(&lab, "wait");
	pass(&lab, 1);
	assert_asks(&lab, "cancel"); /* nothing was answered at all */
	lab_finish(&lab);
}

static void test_a_watch_list_that_is_cut(void **state)
{
	struct lab lab;

	(void)state;
	follow(&lab);
	reflector_distrust(&lab.reflector, "2 differ");
	assert_asks(&lab, "cancel");
	assert_asks(&lab, "watch-list v=");
	head(&lab, 200);
	event(&lab, EVENT_ADDED, "web", 81, "5");
	end(&lab, REFLECTOR_CUT);
	assert_says(&lab, "services: the watch ended before all objects had come: broken pipe");
	assert_true(has(&lab, "web", 81));
	assert_true(has(&lab, "db", 5432)); /* not swept */
	assert_asks(&lab, "wait");
	pass(&lab, 2);
	assert_asks(&lab, "list v= next= limit=500"); /* the other way */
	lab_finish(&lab);
}

static void test_a_watch_list_that_never_ends(void **state)
{
	struct lab lab;

	(void)state;
	lab_init(&lab);
	assert_asks(&lab, "watch-list v=");
	head(&lab, 200);
	event(&lab, EVENT_ADDED, "web", 80, "5");
	pass(&lab, 60);
	assert_asks(&lab, "cancel");
	pass(&lab, 2);
	assert_asks(&lab, "list v=0 next= limit=500");
	lab_finish(&lab);
}

static void broken(struct lab *lab, enum event_type type, const char *name)
{
	lab->decoder.event.type = type;
	snprintf(lab->decoder.version, sizeof(lab->decoder.version), "77");
	error_set(&lab->decoder.failure, "spec.clusterIP: not an IP address");
	reflector_on_object(&lab->reflector, lab->now, &lab->decoder, DECODED_BROKEN, service(lab, name, 1));
}

static void test_broken_objects(void **state)
{
	struct lab lab;

	(void)state;
	follow(&lab);
	broken(&lab, EVENT_MODIFIED, "web");
	assert_says(
		&lab, "services: shop/web cannot be read, and is skipped: spec.clusterIP: not an IP address");
	assert_true(has(&lab, "web", 80)); /* what we had of it stays */
	broken(&lab, EVENT_MODIFIED, "web");
	assert_says(&lab, "");
	broken(&lab, EVENT_ADDED, "bad");
	assert_string_not_equal(lab.reflector.notice.text, "");
	assert_int_equal(lab.reflector.counts.broken, 3);
	pass(&lab, 2);
	end(&lab, REFLECTOR_CUT);
	assert_asks(&lab, "watch v=77");
	refuse(&lab, 410);
	pass(&lab, 20);
	assert_asks(&lab, "watch-list v=77");
	head(&lab, 200);
	broken(&lab, EVENT_ADDED, "web");
	bookmark(&lab, "80", true);
	assert_true(has(&lab, "web", 80)); /* a list keeps it, too */
	assert_false(has(&lab, "db", 5432));
	broken(&lab, EVENT_DELETED, "web"); /* its name can be read, and that is enough */
	assert_false(has(&lab, "web", 80));
	lab_finish(&lab);
}

static void test_unwanted_objects_leave(void **state)
{
	struct lab lab;

	(void)state;
	follow(&lab);
	lab.decoder.event.type = EVENT_MODIFIED;
	reflector_on_object(
		&lab.reflector, lab.now, &lab.decoder, DECODED_UNWANTED, service(&lab, "web", 80));
	assert_false(has(&lab, "web", 80));
	lab_finish(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_watch_list),
		cmocka_unit_test(test_bookmarks_move_the_version),
		cmocka_unit_test(test_server_without_watch_lists),
		cmocka_unit_test(test_pages),
		cmocka_unit_test(test_a_page_that_is_cut_is_asked_for_again),
		cmocka_unit_test(test_a_page_that_is_forgotten),
		cmocka_unit_test(test_a_list_that_cannot_be_read_sweeps_nothing),
		cmocka_unit_test(test_expired_watch),
		cmocka_unit_test(test_nothing_counts_after_an_error),
		cmocka_unit_test(test_etcd_was_restored),
		cmocka_unit_test(test_errors_in_a_row),
		cmocka_unit_test(test_retry_after),
		cmocka_unit_test(test_back_off),
		cmocka_unit_test(test_unreached),
		cmocka_unit_test(test_hurry),
		cmocka_unit_test(test_refused_token),
		cmocka_unit_test(test_forbidden),
		cmocka_unit_test(test_very_short_watches),
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_a_watch_list_that_is_cut),
		cmocka_unit_test(test_a_watch_list_that_never_ends),
		cmocka_unit_test(test_broken_objects),
		cmocka_unit_test(test_unwanted_objects_leave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
