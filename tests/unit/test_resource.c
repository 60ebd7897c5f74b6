/* The URLs that are asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "../../src/cluster/resource.h"

static void assert_target(
	enum object_kind kind, const struct resource_request *request, const char *labels, const char *wanted)
{
	struct selector *selector = NULL;
	struct buffer target;
	struct error error;

	if (labels)
		assert_true(selector_parse(labels, &selector, &error));
	buffer_init(&target);
	resource_target(&resources[kind], request, selector, &target);
	assert_string_equal(target.bytes, wanted);
	buffer_finish(&target);
	selector_free(selector);
}

static void test_targets(void **state)
{
	struct resource_request watch_list = {
		.ask = ASK_WATCH_LIST, .version = "", .next = "", .timeout_s = 345};
	struct resource_request watch = {.ask = ASK_WATCH, .version = "12", .next = "", .timeout_s = 345};
	struct resource_request list = {.ask = ASK_LIST, .version = "0", .next = "", .limit = 500};
	struct resource_request page = {.ask = ASK_LIST, .version = "", .next = "a+b/c=", .limit = 500};

	(void)state;
	assert_target(OBJECT_SERVICE, &watch_list, NULL,
		"/api/v1/services?watch=true&allowWatchBookmarks=true&sendInitialEvents=true"
		"&resourceVersionMatch=NotOlderThan&timeoutSeconds=345");
	assert_target(OBJECT_ENDPOINT_SLICE, &watch, NULL,
		"/apis/discovery.k8s.io/v1/"
		"endpointslices?watch=true&allowWatchBookmarks=true&timeoutSeconds=345"
		"&resourceVersion=12");
	assert_target(OBJECT_NAMESPACE, &list, NULL, "/api/v1/namespaces?limit=500&resourceVersion=0");
	assert_target(OBJECT_NAMESPACE, &page, NULL, "/api/v1/namespaces?limit=500&continue=a%2Bb%2Fc%3D");
	assert_target(OBJECT_POD, &list, NULL,
		"/api/v1/pods?limit=500&resourceVersion=0&fieldSelector=status.phase%21%3DSucceeded%2C"
		"status.phase%21%3DFailed%2Cstatus.phase%21%3DUnknown");
}

static void test_labels(void **state)
{
	static const struct {
		const char *labels, *query;
	} cases[] = {
		{"app=web", "app%3Dweb"}, {"app == web", "app%3Dweb"}, {"app=", "app%3D"}, {"app", "app"},
		{"!app", "%21app"}, {"app in (web)", "app%20in%20%28web%29"},
		{"app notin (web)", "app%20notin%20%28web%29"},
		{"app=a,app=b", "app%3Db"}, /* the last one counts */
	};
	struct resource_request list = {.ask = ASK_LIST, .version = "", .next = "", .limit = 0};
	char wanted[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		snprintf(wanted, sizeof(wanted), "/api/v1/services?limit=0&labelSelector=%s", cases[i].query);
		assert_target(OBJECT_SERVICE, &list, cases[i].labels, wanted);
	}
	assert_target(OBJECT_SERVICE, &list, "", "/api/v1/services?limit=0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_labels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
