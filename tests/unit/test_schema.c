/* What DNS is told of Kubernetes objects. Each case is one table and one Service of it, described as in
 * table_text.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../support/table_load.h"

#define SERVICE "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\n  namespace: shop\n"
#define SLICE	"apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata:\n  namespace: shop\n  name: "
#define LABEL	"\n  labels:\n    kubernetes.io/service-name: web\n"

struct a_case {
	const char *title, *table, *description;
};

static const struct a_case services[] = {
	{"ClusterIP, protocol by default", SERVICE "spec:\n  clusterIP: 10.96.0.1\n  ports:\n  - port: 80\n",
		"ClusterIP 10.96.0.1: 80//tcp"},
	{"two families, clusterIPs before clusterIP",
		SERVICE "spec:\n  clusterIP: 10.96.0.9\n  clusterIPs: [10.96.0.1, 'fd00::1']\n"
			"  ports:\n  - {name: http, port: 80, protocol: TCP}\n  - {name: dns, port: 53, "
			"protocol: UDP}\n"
			"  - {name: sig, port: 3868, protocol: SCTP}\n",
		"ClusterIP 10.96.0.1 fd00::1: 80/http/tcp 53/dns/udp 3868/sig/sctp"},
	{"no ports", SERVICE "spec:\n  type: NodePort\n  clusterIP: 10.96.0.1\n",
		"ClusterIP 10.96.0.1: -1//"},
	{"an empty list of ports", SERVICE "spec:\n  clusterIP: 10.96.0.1\n  ports: []\n",
		"ClusterIP 10.96.0.1: -1//"},
	{"no address yet", SERVICE "spec:\n  type: LoadBalancer\n  ports:\n  - port: 80\n",
		"ClusterIP: 80//tcp"},
	{"no spec at all", SERVICE, "ClusterIP: -1//"},
	{"headless by clusterIP", SERVICE "spec:\n  clusterIP: None\n  ports:\n  - port: 80\n",
		"Headless: 80//tcp"},
	{"headless by clusterIPs", SERVICE "spec:\n  clusterIPs: [None]\n", "Headless: -1//"},
	{"ExternalName, case kept", SERVICE "spec:\n  type: ExternalName\n  externalName: WWW.Example.COM\n",
		"ExternalName WWW.Example.COM.: -1//"},
	{"ExternalName with a dot", SERVICE "spec:\n  externalName: www.example.com.\n  type: ExternalName\n",
		"ExternalName www.example.com.: -1//"},
	{"ExternalName that is an address",
		SERVICE "spec:\n  type: ExternalName\n  externalName: 192.0.2.55\n",
		"ExternalName 192.0.2.55. (an address): -1//"},
	{"externalName of another type does not count",
		SERVICE "spec:\n  type: ClusterIP\n  clusterIP: 10.96.0.1\n  externalName: a.example\n",
		"ClusterIP 10.96.0.1: -1//"},
};

static const struct a_case endpoints[] = {
	{"hostname, address, zone",
		SERVICE "spec:\n  clusterIP: None\n---\n" SLICE "x" LABEL
			"endpoints:\n- {addresses: [10.1.0.1], hostname: web-0, zone: Zone-A}\n"
			"- {addresses: ['fd00:1::'], zone: zone-b}\nports:\n- {name: http, port: 8080}\n",
		"Headless: -1//; web-0 10.1.0.1 8080/http/tcp in zone-a; fd00-1--0 fd00:1:: 8080/http/tcp in "
		"zone-b"},
	{"only ready ones, and those whose state is not known",
		SERVICE
		"spec:\n  clusterIP: None\n---\n" SLICE "x" LABEL
		"endpoints:\n- {addresses: [10.1.0.1], conditions: {ready: true, serving: false}}\n"
		"- {addresses: [10.1.0.2], conditions: {ready: false, serving: true, terminating: true}}\n"
		"- {addresses: [10.1.0.3], conditions: {}}\n- {addresses: [10.1.0.4], conditions: {ready: "
		"null}}\n"
		"- {addresses: [10.1.0.5]}\nports: [{port: 80}]\n",
		"Headless: -1//; 10-1-0-1 10.1.0.1 80//tcp; 10-1-0-3 10.1.0.3 80//tcp; 10-1-0-4 10.1.0.4 "
		"80//tcp; "
		"10-1-0-5 10.1.0.5 80//tcp"},
	{"none ready",
		SERVICE
		"spec:\n  clusterIP: None\n---\n" SLICE "x" LABEL
		"endpoints:\n- {addresses: [10.1.0.1], conditions: {ready: false}}\nports: [{port: 80}]\n",
		"Headless: -1//"},
	{"no ports, null ports, a port without a number",
		SERVICE
		"spec:\n  clusterIP: None\n---\n" SLICE "x" LABEL
		"endpoints:\n- {addresses: [10.1.0.1]}\n---\n" SLICE "y" LABEL
		"endpoints:\n- {addresses: [10.1.0.2]}\nports: null\n---\n" SLICE "z" LABEL
		"endpoints:\n- {addresses: [10.1.0.3]}\nports: [{name: any, port: null, protocol: UDP}]\n",
		"Headless: -1//; 10-1-0-1 10.1.0.1 -1//; 10-1-0-2 10.1.0.2 -1//; 10-1-0-3 10.1.0.3 "
		"-1/any/udp"},
	{"several slices in the order of their names, twofold addresses kept",
		SERVICE "spec:\n  clusterIP: None\n---\n" SLICE "b" LABEL
			"endpoints:\n- {addresses: [10.1.0.2]}\n- {addresses: [10.1.0.1]}\nports: [{port: "
			"80}]\n---\n" SLICE "a" LABEL
			"endpoints:\n- {addresses: [10.1.0.1]}\nports: [{port: 81}]\n",
		"Headless: -1//; 10-1-0-1 10.1.0.1 81//tcp; 10-1-0-2 10.1.0.2 80//tcp; 10-1-0-1 10.1.0.1 "
		"80//tcp"},
	{"several addresses of one endpoint",
		SERVICE "---\n" SLICE "x" LABEL
			"endpoints:\n- {hostname: a, addresses: [10.1.0.1, 10.1.0.2]}\nports: [{port: 80}]\n",
		"ClusterIP: -1//; a 10.1.0.1 80//tcp; a 10.1.0.2 80//tcp"},
	{"slices of another Service, another namespace, or none",
		SERVICE "---\n" SLICE "x\n  labels:\n    kubernetes.io/service-name: webs\n"
			"endpoints:\n- {addresses: [10.1.0.1]}\n---\n" SLICE
			"y\nendpoints:\n- {addresses: [10.1.0.2]}\n---\n"
			"apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata:\n  name: x" LABEL
			"endpoints:\n- {addresses: [10.1.0.3]}\n",
		"ClusterIP: -1//"},
	{"slices of host names",
		SERVICE "---\n" SLICE "x" LABEL "endpoints:\n- {addresses: [a.example]}\naddressType: FQDN\n",
		"ClusterIP: -1//"},
	{"a Pod's name does not count",
		SERVICE "---\n" SLICE "x" LABEL
			"endpoints:\n- {addresses: [10.1.0.1], targetRef: {name: p-0}}\n",
		"ClusterIP: -1//; 10-1-0-1 10.1.0.1 -1//"},
};

static const struct a_case pod_names[] = {
	{"after the hostname, if it is a label",
		SERVICE "---\n" SLICE "x" LABEL
			"endpoints:\n- {addresses: [10.1.0.1], targetRef: {name: p-0}}\n"
			"- {addresses: [10.1.0.2], targetRef: {name: p-1}, hostname: h}\n"
			"- {addresses: [10.1.0.3], targetRef: {name: "
			"ppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppp}}\n" /* 63 octets */
			"- {addresses: [10.1.0.4], targetRef: {name: "
			"pppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppp}}\n" /* 64 octets */
			"- {addresses: [10.1.0.5], targetRef: {name: p.5}}\n",
		"ClusterIP: -1//; p-0 10.1.0.1 -1//; h 10.1.0.2 -1//; "
		"ppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppp 10.1.0.3 -1//; 10-1-0-4 "
		"10.1.0.4 -1//; "
		"10-1-0-5 10.1.0.5 -1//"},
};

static void check(const struct a_case *a, bool endpoint_pod_names)
{
	struct buffer description = {0};
	struct error error = {""};
	struct snapshot *snapshot;
	struct loader loader;

	loader_init(&loader);
	loader.config.endpoint_pod_names = endpoint_pod_names;
	snapshot = loader_load_text(&loader, "table.yaml", a->table, &error);
	if (!snapshot)
		fail_msg("%s: %s", a->title, error.message);
	describe_service(find_service(snapshot, "shop", "web"), &description);
	if (strcmp(description.bytes, a->description) != 0)
		fail_msg("%s: %s", a->title, description.bytes);
	buffer_finish(&description);
	snapshot_unref(snapshot);
	loader_finish(&loader);
}

static void test_services(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(services); i++)
		check(&services[i], false);
}

static void test_endpoints(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(endpoints); i++)
		check(&endpoints[i], false);
}

static void test_endpoint_pod_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(pod_names); i++)
		check(&pod_names[i], true);
}

/* Slices with the same ports share one list of them, whatever their number. */
static void test_lists_of_ports_are_shared(void **state)
{
	struct buffer table = {0};
	struct error error = {""};
	const struct service *service;
	struct snapshot *snapshot;
	struct loader loader;

	(void)state;
	loader_init(&loader);
	buffer_text(&table, SERVICE);
	for (int i = 0; i < 600; i++)
		buffer_format(&table,
			"---\n" SLICE "x-%d" LABEL
			"endpoints:\n- {addresses: [10.1.%d.%d]}\nports: [{name: http, port: %d}]\n",
			i, i / 250, i % 250, 80 + i % 3);
	snapshot = loader_load_text(&loader, "table.yaml", table.bytes, &error);
	service = find_service(snapshot, "shop", "web");
	assert_int_equal(service->slices, 3);
	assert_int_equal(service->ports, 1 + 3);
	assert_int_equal(service->endpoints, 600);
	for (uint32_t i = 0; i < service->endpoints; i++) {
		const struct endpoint *endpoint = &service_endpoints(service)[i];
		const struct slice *slice = &service_slices(service)[endpoint->slice];
		int number = endpoint->address[2] * 250 + endpoint->address[3];

		assert_int_equal(slice->ports, 1);
		assert_int_equal(service_ports(service)[slice->first_port].number, 80 + number % 3);
	}
	buffer_finish(&table);
	snapshot_unref(snapshot);
	loader_finish(&loader);
}

/* EndpointSlices whose Service is not there answer for their addresses, not for a name. */
static void test_slices_without_a_service(void **state)
{
	struct buffer description = {0};
	struct error error = {""};
	struct snapshot *snapshot;
	struct loader loader;
	uint64_t cursor = 0;
	struct ip ip;

	(void)state;
	loader_init(&loader);
	snapshot = loader_load_text(&loader, "table.yaml",
		SLICE "x" LABEL
		      "endpoints:\n- {addresses: [10.1.0.1], hostname: lonely}\nports: [{port: 80}]\n",
		&error);
	assert_null(find_service(snapshot, "shop", "web"));
	assert_true(ip_parse("10.1.0.1", &ip));
	describe_service(snapshot_by_address(snapshot, &ip, &cursor), &description);
	assert_string_equal(description.bytes, "Absent:; lonely 10.1.0.1 80//tcp");
	assert_null(snapshot_by_address(snapshot, &ip, &cursor));
	assert_int_equal(snapshot_counts(snapshot).services, 0);
	buffer_finish(&description);
	snapshot_unref(snapshot);
	loader_finish(&loader);
}

/* The name of a Pod, of one letter. */
static const char *pod_at(const struct snapshot *snapshot, const char *address)
{
	static const char *const names[] = {"j", "k", "l"};
	uint64_t cursor = 0;
	const struct pod *pod;
	struct ip ip;

	assert_true(ip_parse(address, &ip));
	pod = snapshot_pod(snapshot, &ip, &cursor);
	for (size_t i = 0; pod && i < ARRAY_LENGTH(names); i++)
		if (*text_of(pod, pod->name) == (uint8_t)*names[i])
			return names[i];
	return "none";
}

/* Pods that have come to an end, are about to, or have no address are not there. */
static void test_pods(void **state)
{
	static const char table[] =
		"apiVersion: v1\nkind: PodList\nitems:\n"
		"- {metadata: {name: a, namespace: shop}, status: {phase: Running, podIP: 10.1.0.1}}\n"
		"- {metadata: {name: b.c, namespace: prod}, status: {phase: Pending, podIP: 10.1.0.1}}\n"
		"- {metadata: {name: d, namespace: prod}, status: {phase: Succeeded, podIP: 10.1.0.1}}\n"
		"- {metadata: {name: e, namespace: prod}, status: {phase: Failed, podIP: 10.1.0.1}}\n"
		"- {metadata: {name: f, namespace: prod}, status: {phase: Unknown, podIP: 10.1.0.1}}\n"
		"- {metadata: {name: g, namespace: prod}, status: {phase: Pending, podIP: ''}}\n"
		"- {metadata: {name: h, namespace: prod}, status: {phase: Pending}}\n"
		"- {metadata: {name: i, deletionTimestamp: '2024-01-01T00:00:00Z'}, status: {podIP: "
		"10.1.0.1}}\n"
		"- {metadata: {name: j, namespace: prod}, status: {podIP: 'fd00::1'}}\n"
		"- {metadata: {name: k, namespace: prod}, status: {podIP: 10.1.0.2, podIPs: [{ip: 10.1.0.2}, "
		"{ip: "
		"'fd00::2'}]}}\n"
		"- {metadata: {name: l, namespace: prod}, status: {podIPs: [{ip: 10.1.0.3}, {ip: "
		"10.1.0.4}]}}\n";
	struct error error = {""};
	struct snapshot *snapshot;
	struct loader loader;
	const struct pod *pod;
	uint64_t cursor = 0;
	size_t count = 0;
	struct ip ip;

	(void)state;
	loader_init(&loader);
	snapshot = loader_load_text(&loader, "table.yaml", table, &error);
	assert_true(ip_parse("10.1.0.1", &ip));
	for (; (pod = snapshot_pod(snapshot, &ip, &cursor)); count++) {
		bool is_a = pod->name.length == 1;

		assert_memory_equal(text_of(pod, pod->name), is_a ? "a" : "b.c", is_a ? 1 : 3);
		assert_memory_equal(text_of(pod, pod->namespace), is_a ? "shop" : "prod", 4);
	}
	assert_int_equal(count, 2);
	assert_int_equal(snapshot_counts(snapshot).pods, 5);
	assert_string_equal(pod_at(snapshot, "fd00::1"), "j");
	assert_string_equal(pod_at(snapshot, "10.1.0.2"), "k"); /* both addresses of a dual-stack Pod */
	assert_string_equal(pod_at(snapshot, "fd00::2"), "k");
	assert_string_equal(pod_at(snapshot, "10.1.0.3"), "l");
	assert_string_equal(pod_at(snapshot, "10.1.0.4"), "none");
	snapshot_unref(snapshot);
	loader_finish(&loader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_services),
		cmocka_unit_test(test_endpoints),
		cmocka_unit_test(test_endpoint_pod_names),
		cmocka_unit_test(test_lists_of_ports_are_shared),
		cmocka_unit_test(test_slices_without_a_service),
		cmocka_unit_test(test_pods),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
