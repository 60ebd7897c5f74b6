/* Answers of an API server, in protobuf and in JSON: both languages say the same, however they are cut into
 * pieces, and what is broken costs no more than the object that it is in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "../../src/cluster/body.h"
#include "../support/protobuf_text.h"
#include "../support/table_text.h"

#define PROTOBUF "application/vnd.kubernetes.protobuf;stream=watch"
#define JSON	 "application/json"

struct reading {
	struct decoder decoder;
	struct feed_config config;
	struct error error;
	struct buffer told;
};

static void add_text(struct buffer *out, const struct object *object, const char *what, struct text text)
{
	if (text.length)
		buffer_format(out, " %s%.*s", what, text.length, (const char *)text_of(object, text));
}

static void add_list(struct buffer *out, const struct object *object)
{
	for (uint32_t i = 0; i < object->addresses; i++)
		add_address(out, object_addresses(object)[i].address, object_addresses(object)[i].family);
	for (uint32_t i = 0; i < object->ports; i++) {
		buffer_format(out, " port %d", object_ports(object)[i].number);
		add_text(out, object, "", object_ports(object)[i].name);
		add_text(out, object, "", object_ports(object)[i].protocol);
	}
	for (uint32_t i = 0; i < object->endpoints; i++) {
		add_address(out, object_endpoints(object)[i].address, object_endpoints(object)[i].family);
		add_text(out, object, "host ", object_endpoints(object)[i].host);
		add_text(out, object, "in ", object_endpoints(object)[i].zone);
	}
}

static bool on_object(void *context, struct decoder *d, enum decoded what, const struct object *object)
{
	static const char *const whats[] = {"object", "unwanted", "broken", "other kind"};
	static const char *const types[] = {"", "ADDED ", "MODIFIED ", "DELETED ", "BOOKMARK ", "ERROR "};
	struct buffer *out = &((struct reading *)context)->told;

	buffer_format(out, "%s%s", types[d->event.type], whats[what]);
	if (object && object->name.length)
		buffer_format(out, " %.*s/%.*s", object->namespace.length,
			(const char *)text_of(object, object->namespace), object->name.length,
			(const char *)text_of(object, object->name));
	if (what == DECODED_OBJECT) {
		add_text(out, object, "of ", object->service_name);
		add_text(out, object, "= ", object->external_name);
		add_list(out, object);
	}
	if (*d->version)
		buffer_format(out, " v%s", d->version);
	if (what == DECODED_BROKEN)
		buffer_format(out, ": %s", d->failure.message);
	if (d->event.ends_initial)
		buffer_text(out, " END");
	if (d->status.code)
		buffer_format(out, " %d %s: %s", d->status.code, d->status.reason, d->status.message);
	buffer_text(out, "\n");
	return true;
}

static void reading_init(struct reading *reading)
{
	*reading = (struct reading){.config = {.endpoints = true, .pods = true}};
	decoder_init(&reading->decoder);
	reading->decoder.config = &reading->config;
	reading->decoder.error = &reading->error;
	reading->decoder.on_object = on_object;
	reading->decoder.context = reading;
}

static void reading_finish(struct reading *reading)
{
	decoder_finish(&reading->decoder);
	buffer_finish(&reading->told);
}

/* Pushes it whole, or cut at `cut`, or octet by octet (cut 0); writes down what is told, and how it ends. */
static void read_body(
	struct reading *reading, bool is_watch, const char *type, const struct buffer *octets, size_t cut)
{
	const uint8_t *at = (const uint8_t *)octets->bytes, *end = at + octets->length;
	struct body body;
	bool goes_on = true;

	buffer_clear(&reading->told);
	body_init(&body, &reading->decoder, is_watch, type);
	if (cut)
		goes_on = body_push(&body, at, cut) && body_push(&body, at + cut, octets->length - cut);
	else
		while (goes_on && at < end)
			goes_on = body_push(&body, at++, 1);
	if (goes_on && !is_watch)
		goes_on = body_end(&body);
	if (!goes_on)
		buffer_format(&reading->told, "%s\n", reading->error.message);
	else if (!is_watch)
		buffer_format(&reading->told, "list v%s next %s\n", reading->decoder.list.version,
			reading->decoder.list.next);
	body_finish(&body);
}

static void expect_body(struct reading *reading, bool is_watch, const char *type, const struct buffer *octets,
	const char *told)
{
	for (size_t cut = 0; cut <= octets->length; cut++) {
		read_body(reading, is_watch, type, octets, cut);
		assert_string_equal(reading->told.bytes ? reading->told.bytes : "", told);
	}
}

static void expect(bool is_watch, const char *type, struct buffer *octets, const char *told)
{
	struct reading reading;

	reading_init(&reading);
	expect_body(&reading, is_watch, type, octets, told);
	reading_finish(&reading);
	buffer_finish(octets);
}

static void expect_json(bool is_watch, const char *text, const char *told)
{
	struct buffer octets = {0};

	buffer_text(&octets, text);
	expect(is_watch, JSON, &octets, told);
}

static void put_meta(struct buffer *object, const char *namespace, const char *name, const char *version)
{
	struct buffer meta = {0};

	put_text(&meta, 1, name);
	put_text(&meta, 2, "");
	put_text(&meta, 3, namespace);
	put_text(&meta, 5, "f5d8c1a4-0000-0000-0000-000000000000");
	put_text(&meta, 6, version);
	put_number(&meta, 7, 3);
	put_label(&meta, 11, "app", "web");
	put_label(&meta, 11, "kubernetes.io/service-name", "web");
	put_octets(&meta, 17, "managed fields are not looked at", 32);
	put_message(object, 1, &meta);
}

static void put_port(struct buffer *list, uint32_t field, const char *name, uint64_t number)
{
	struct buffer port = {0};

	put_text(&port, 1, name);
	put_text(&port, 2, "TCP");
	put_number(&port, 3, number);
	put_message(list, field, &port);
}

static struct buffer make_service(const char *name, const char *version, const char *address, uint64_t port)
{
	struct buffer service = {0}, spec = {0};

	put_meta(&service, "shop", name, version);
	put_port(&spec, 1, "http", port);
	put_port(&spec, 1, "metrics", 9090);
	put_label(&spec, 2, "app", "web");
	put_text(&spec, 3, address);
	put_text(&spec, 4, "ClusterIP");
	put_text(&spec, 10, "");
	put_text(&spec, 18, address);
	put_text(&spec, 18, "fd00::1");
	put_message(&service, 2, &spec);
	return service;
}

#define WEB_PORTS " port 80 http tcp port 9090 metrics tcp"
#define WEB	  "shop/web of web 10.96.0.1 fd00::1" WEB_PORTS

static void put_list_meta(struct buffer *list, const char *version, const char *next)
{
	struct buffer meta = {0};

	put_text(&meta, 1, "");
	put_text(&meta, 2, version);
	put_text(&meta, 3, next);
	put_number(&meta, 4, 17);
	put_message(list, 1, &meta);
}

static void test_protobuf_list(void **state)
{
	struct buffer list = {0}, octets = {0}, web = make_service("web", "41", "10.96.0.1", 80),
		      db = make_service("db", "42", "10.96.0.2", 5432);

	(void)state;
	put_list_meta(&list, "99", "token");
	put_message(&list, 2, &web);
	put_message(&list, 2, &db);
	put_envelope(&octets, "v1", "ServiceList", &list);
	expect(false, PROTOBUF, &octets,
		"object " WEB " v41\n"
		"object shop/db of web 10.96.0.2 fd00::1 port 5432 http tcp port 9090 metrics tcp v42\n"
		"list v99 next token\n");
}

static void put_endpoint(struct buffer *slice, const char *address, int ready, const char *hostname)
{
	struct buffer endpoint = {0}, conditions = {0}, target = {0};

	put_text(&endpoint, 1, address);
	if (ready >= 0)
		put_number(&conditions, 1, (uint64_t)ready);
	put_number(&conditions, 2, 1);
	put_message(&endpoint, 2, &conditions);
	put_text(&endpoint, 3, hostname);
	put_text(&target, 1, "Pod");
	put_text(&target, 3, "web-0");
	put_message(&endpoint, 4, &target);
	put_text(&endpoint, 6, "node-1");
	put_text(&endpoint, 7, "Zone-A");
	put_message(slice, 2, &endpoint);
}

static struct buffer make_slice(void)
{
	struct buffer slice = {0}, port = {0};

	put_meta(&slice, "shop", "web-x1", "7");
	put_endpoint(&slice, "10.1.0.1", 1, "web-0");
	put_endpoint(&slice, "10.1.0.2", 0, "");
	put_endpoint(&slice, "10.1.0.3", -1, "");
	put_port(&slice, 3, "http", 8080);
	put_text(&port, 1, "");
	put_text(&port, 2, "UDP");
	put_message(&slice, 3, &port);
	put_text(&slice, 4, "IPv4");
	return slice;
}

#define SLICE                                                                                                \
	"shop/web-x1 of web port 8080 http tcp port -1 udp 10.1.0.1 host web-0 in zone-a 10.1.0.3 in "       \
	"zone-a v7\n"

static struct buffer make_pod(bool is_going)
{
	struct buffer pod = {0}, status = {0}, meta = {0}, time = {0};

	put_text(&meta, 1, "web-0");
	put_text(&meta, 3, "shop");
	if (is_going) {
		put_number(&time, 1, 1700000000);
		put_message(&meta, 9, &time);
	}
	put_message(&pod, 1, &meta);
	put_text(&status, 1, "Running");
	put_text(&status, 6, "10.1.0.9");
	put_message(&pod, 3, &status);
	return pod;
}

static void test_protobuf_watch(void **state)
{
	struct buffer octets = {0}, slice = make_slice(), pod = make_pod(false), going = make_pod(true),
		      namespace = {0}, meta = {0};

	(void)state;
	put_text(&meta, 1, "shop");
	put_text(&meta, 3, "");
	put_text(&meta, 6, "8");
	put_message(&namespace, 1, &meta);
	put_frame(&octets, "ADDED", "discovery.k8s.io/v1", "EndpointSlice", &slice);
	put_frame(&octets, "MODIFIED", "v1", "Pod", &pod);
	put_frame(&octets, "MODIFIED", "v1", "Pod", &going);
	put_frame(&octets, "DELETED", "v1", "Namespace", &namespace);
	expect(true, PROTOBUF, &octets,
		"ADDED object " SLICE "MODIFIED object shop/web-0 10.1.0.9\n"
		"MODIFIED object shop/web-0 10.1.0.9\nDELETED object /shop v8\n");
}

static void test_json_watch(void **state)
{
	(void)state;
	expect_json(true,
		"{\"type\":\"ADDED\",\"object\":{\"kind\":\"EndpointSlice\",\"apiVersion\":\"discovery.k8s."
		"io/v1\","
		"\"metadata\":{\"name\":\"web-x1\",\"namespace\":\"shop\",\"resourceVersion\":\"7\","
		"\"labels\":"
		"{\"kubernetes.io/"
		"service-name\":\"web\"},\"managedFields\":[{\"a\":1}]},\"addressType\":\"IPv4\","
		"\"endpoints\":[{\"addresses\":[\"10.1.0.1\"],\"conditions\":{\"ready\":true},"
		"\"hostname\":\"web-0\",\"zone\":\"Zone-A\"},{\"addresses\":[\"10.1.0.2\"],\"conditions\":"
		"{\"ready\":false}},{\"addresses\":[\"10.1.0.3\"],\"zone\":\"Zone-A\"}],\"ports\":[{\"name\":"
		"\"http\",\"protocol\":\"TCP\",\"port\":8080},{\"name\":\"\",\"protocol\":\"UDP\",\"port\":"
		"null}]}}\n"
		"\n"
		"{\"object\":{\"metadata\":{\"name\":\"shop\",\"resourceVersion\":\"8\"},\"apiVersion\":"
		"\"v1\","
		"\"kind\":\"Namespace\"},\"type\":\"DELETED\"}\n",
		"ADDED object " SLICE "DELETED object /shop v8\n");
}

static void test_json_list(void **state)
{
	(void)state;
	expect_json(false,
		"{\"kind\":\"ServiceList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"99\","
		"\"continue\":\"token\"},\"items\":[{\"metadata\":{\"name\":\"web\",\"namespace\":\"shop\","
		"\"labels\":{\"kubernetes.io/service-name\":\"web\"},\"resourceVersion\":\"41\"},\"spec\":{"
		"\"clusterIPs\":[\"10.96.0.1\",\"fd00::1\"],\"ports\":[{\"name\":\"http\",\"protocol\":"
		"\"TCP\","
		"\"port\":80},{\"name\":\"metrics\",\"port\":9090}]}}]}",
		"object " WEB " v41\nlist v99 next token\n");
	expect_json(false,
		"{\"kind\":\"ServiceList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"99\"},"
		"\"items\":null}",
		"list v99 next \n");
}

static struct buffer make_bookmark(bool ends_initial)
{
	struct buffer object = {0}, meta = {0};

	put_text(&meta, 6, "918");
	if (ends_initial)
		put_label(&meta, 12, "k8s.io/initial-events-end", "true");
	put_message(&object, 1, &meta);
	return object;
}

static void test_bookmarks(void **state)
{
	struct buffer octets = {0}, plain = make_bookmark(false), last = make_bookmark(true);

	(void)state;
	put_frame(&octets, "BOOKMARK", "v1", "Service", &plain);
	put_frame(&octets, "BOOKMARK", "v1", "Service", &last);
	expect(true, PROTOBUF, &octets,
		"BOOKMARK broken v918: metadata.name: missing\nBOOKMARK broken v918: metadata.name: missing "
		"END\n");
	expect_json(true,
		"{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"Service\",\"apiVersion\":\"v1\",\"metadata\":{"
		"\"resourceVersion\":\"91\",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}}}}\n",
		"BOOKMARK broken v91: metadata.name: missing END\n");
}

static void test_statuses(void **state)
{
	struct buffer octets = {0}, status = {0};

	(void)state;
	put_text(&status, 2, "Failure");
	put_text(&status, 3, "too old resource version");
	put_text(&status, 4, "Expired");
	put_number(&status, 6, 410);
	put_frame(&octets, "ERROR", "v1", "Status", &status);
	expect(true, PROTOBUF, &octets, "ERROR other kind 410 Expired: too old resource version\n");
	expect_json(true,
		"{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},"
		"\"status\":\"Failure\",\"message\":\"gone\",\"reason\":\"Expired\",\"code\":410}}\n",
		"ERROR other kind 410 Expired: gone\n");
	expect_json(false,
		"{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\","
		"\"message\":\"no\",\"reason\":\"Forbidden\",\"details\":{\"causes\":[]},\"code\":403}",
		"other kind 403 Forbidden: no\nlist v next \n");
}

/* Only names and versions count, whatever the objects are called. */
static void test_names_only(void **state)
{
	struct buffer octets = {0}, list = {0}, item = {0};
	struct reading reading;

	(void)state;
	put_list_meta(&list, "99", "");
	put_meta(&item, "shop", "web", "41");
	put_message(&list, 2, &item);
	put_envelope(&octets, "meta.k8s.io/v1", "PartialObjectMetadataList", &list);
	reading_init(&reading);
	reading.decoder.only_names = true;
	reading.decoder.expected = OBJECT_SERVICE;
	expect_body(&reading, false, PROTOBUF, &octets, "object shop/web of web v41\nlist v99 next \n");
	reading_finish(&reading);
	buffer_finish(&octets);
}

static void test_unwanted_objects(void **state)
{
	struct buffer octets = {0}, slice = {0}, meta = {0};
	struct reading reading;

	(void)state;
	put_text(&meta, 1, "web-x1");
	put_text(&meta, 3, "shop");
	put_message(&slice, 1, &meta);
	put_frame(&octets, "MODIFIED", "discovery.k8s.io/v1", "EndpointSlice", &slice);
	reading_init(&reading);
	expect_body(&reading, true, PROTOBUF, &octets, "MODIFIED unwanted shop/web-x1\n");
	reading.decoder.expected = OBJECT_SERVICE;
	expect_body(&reading, true, PROTOBUF, &octets, "MODIFIED other kind shop/web-x1\n");
	reading_finish(&reading);
	buffer_finish(&octets);
}

/* A Service with something broken inside, between two good ones. */
static void expect_broken(struct buffer *broken, const char *told)
{
	struct buffer list = {0}, octets = {0}, before = make_service("web", "1", "10.96.0.1", 80),
		      after = make_service("web", "3", "10.96.0.1", 80);
	char all[512];

	put_list_meta(&list, "99", "");
	put_message(&list, 2, &before);
	put_message(&list, 2, broken);
	put_message(&list, 2, &after);
	put_envelope(&octets, "v1", "ServiceList", &list);
	snprintf(all, sizeof(all), "object " WEB " v1\n%sobject " WEB " v3\nlist v99 next \n", told);
	expect(false, PROTOBUF, &octets, all);
}

static void test_broken_protobuf_costs_one_object(void **state)
{
	struct buffer service, spec = {0}, port = {0};

	(void)state;
	service = make_service("bad", "2", "10.96.0.300", 80);
	expect_broken(&service, "broken shop/bad v2: spec.clusterIP: not an IP address: \"10.96.0.300\"\n");
	service = (struct buffer){0};
	put_meta(&service, "shop", "bad", "2");
	buffer_add(&service, "\x12\x7f\x0a", 3); /* a spec that is longer than the Service */
	expect_broken(&service,
		"broken shop/bad v2: metadata: not protobuf: a field is longer than what it is in\n");
	service = (struct buffer){0};
	put_meta(&service, "shop", "bad", "2");
	buffer_add(&port, "\x0b\x0c", 2); /* a group, which Kubernetes does not use */
	put_message(&spec, 1, &port);
	put_message(&service, 2, &spec);
	expect_broken(
		&service, "broken shop/bad v2: spec.ports[0]: not protobuf: a field of an unknown type\n");
	service = (struct buffer){0};
	put_meta(&service, "shop", "bad", "2");
	buffer_add(&service, "\x12", 1); /* ends within a field */
	expect_broken(&service, "broken shop/bad v2: metadata: not protobuf: a field without a value\n");
	service = (struct buffer){0};
	buffer_add(&service, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12);
	expect_broken(&service, "broken: object: not protobuf: a number without an end\n");
	service = (struct buffer){0};
	buffer_add(&service, "\x09\x01\x02", 3); /* 64 bits that are not there */
	expect_broken(&service, "broken: object: not protobuf: a value is cut\n");
}

static void test_broken_frames(void **state)
{
	struct buffer octets = {0}, web = make_service("web", "1", "10.96.0.1", 80);

	(void)state;
	buffer_add(&octets, "\0\0\0\0", 4);			      /* empty */
	buffer_add(&octets, "\0\0\0\x0b\x0a\5ADDED\x12\2\x0a\0", 15); /* without an envelope */
	buffer_add(&octets, "\0\0\0\x04\x12\x7f\x0a\x0b", 8);	      /* shorter than what it holds */
	put_frame(&octets, "ADDED", "v1", "Service", &web);
	expect(true, PROTOBUF, &octets,
		"other kind\nADDED broken: kind: missing\nother kind\nADDED object " WEB " v1\n");
	buffer_add(&octets, "\x7f\xff\xff\xff", 4);
	expect(true, PROTOBUF, &octets, "not protobuf: an event of 2147483647 octets\n");
}

static void test_broken_lists(void **state)
{
	struct buffer octets = {0}, list = {0}, web = make_service("web", "1", "10.96.0.1", 80);

	(void)state;
	buffer_text(&octets, "<html>");
	expect(false, PROTOBUF, &octets, "not protobuf of Kubernetes\n");
	put_message(&list, 2, &web);
	put_envelope(&octets, "v1", "ServiceList", &list);
	octets.length -= 1;
	expect(false, PROTOBUF, &octets, "object " WEB " v1\nnot protobuf: it ends too early\n");
	buffer_add(&octets, "k8s\0\x0b", 5);
	expect(false, PROTOBUF, &octets, "not protobuf: a field of an unknown type\n");
	expect_json(false, "{\"kind\":\"ServiceList\",\"items\":[", "not JSON: the text ends too early\n");
	expect_json(false, "<html>", "not JSON: lexical error: invalid char in json text.\n");
}

static void test_broken_lines(void **state)
{
	(void)state;
	expect_json(true,
		"{\"type\":\"ADDED\",\"object\":{\"kind\":\"Namespace\",\"apiVersion\":\"v1\",\"metadata\":{"
		"\"name\":"
		"}}}\n"
		"{\"type\":\"MODIFIED\"\n"
		"[1]\n"
		"{\"type\":\"ADDED\",\"object\":{\"kind\":\"Namespace\",\"apiVersion\":\"v1\",\"metadata\":"
		"{\"name\":\"shop\"}}}\n",
		"ADDED broken: not JSON: parse error: unallowed token at this point in JSON text\n"
		"MODIFIED broken: not JSON: the text ends too early\n"
		"MODIFIED broken: not an object\n"
		"ADDED object /shop\n");
}

/* Texts are cut at a length that no good one has, wherever the pieces begin. */
static void test_long_texts(void **state)
{
	struct buffer octets = {0}, namespace = {0}, meta = {0};
	char name[PROTOBUF_TEXT_MAX + 100];
	struct reading reading;
	char *whole;

	(void)state;
	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	put_text(&meta, 1, name);
	put_message(&namespace, 1, &meta);
	put_frame(&octets, "ADDED", "v1", "Namespace", &namespace);
	reading_init(&reading);
	read_body(&reading, true, PROTOBUF, &octets, octets.length);
	whole = strdup(reading.told.bytes);
	assert_non_null(strstr(whole, "metadata.name: not a lower-case DNS name"));
	for (size_t cut = 0; cut < octets.length; cut += 97) {
		read_body(&reading, true, PROTOBUF, &octets, cut);
		assert_string_equal(reading.told.bytes, whole);
	}
	free(whole);
	reading_finish(&reading);
	buffer_finish(&octets);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_protobuf_list),
		cmocka_unit_test(test_protobuf_watch),
		cmocka_unit_test(test_json_watch),
		cmocka_unit_test(test_json_list),
		cmocka_unit_test(test_bookmarks),
		cmocka_unit_test(test_statuses),
		cmocka_unit_test(test_names_only),
		cmocka_unit_test(test_unwanted_objects),
		cmocka_unit_test(test_broken_protobuf_costs_one_object),
		cmocka_unit_test(test_broken_frames),
		cmocka_unit_test(test_broken_lists),
		cmocka_unit_test(test_broken_lines),
		cmocka_unit_test(test_long_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
