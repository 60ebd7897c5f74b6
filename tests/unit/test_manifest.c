/* Files of manifests: what is read, what is refused and how that is said, and what a new reading changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../support/table_load.h"

#define WEB "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\n"
#define X64 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static void test_refusals(void **state)
{
	/* What is said begins with the file's name and a colon, which are left out here. */
	static const struct {
		const char *table, *error;
	} cases[] = {
		{WEB "spec:\n  ports:\n  - name: http\n    port: http\n",
			"8: spec.ports[0].port: not a number: \"http\""},
		{WEB "spec:\n  ports:\n  - port: 80\n  - port: '80'\n",
			"8: spec.ports[1].port: not a number: \"80\""},
		{WEB "spec:\n  ports: [{port: 0}]\n",
			"6: spec.ports[0].port: not between 1 and 65535: \"0\""},
		{WEB "spec:\n  ports: [{port: 65536}]\n",
			"6: spec.ports[0].port: not between 1 and 65535: \"65536\""},
		{WEB "spec:\n  ports: [{port: 99999999999999999999}]\n",
			"6: spec.ports[0].port: not between 1 and 65535: \"99999999999999999999\""},
		{WEB "spec:\n  ports: [{port: -1}]\n", "6: spec.ports[0].port: not a number: \"-1\""},
		{WEB "spec:\n  ports:\n  - name: http\n", "7: spec.ports[0].port: missing"},
		{WEB "spec:\n  ports:\n  - {port: 80, name: Http}\n",
			"7: spec.ports[0].name: not a lower-case DNS label: \"Http\""},
		{WEB "spec:\n  ports:\n  - {port: 80, protocol: tcp}\n",
			"7: spec.ports[0].protocol: not a protocol: \"tcp\""},
		{WEB "spec:\n  ports: {port: 80}\n", "6: spec.ports: not a list"},
		{WEB "spec:\n  ports: 80\n", "6: spec.ports: not a list: \"80\""},
		{WEB "spec:\n- ports\n", "6: spec: not an object"},
		{WEB "spec:\n  type: [ClusterIP]\n", "6: spec.type: not a single value"},
		{WEB "spec:\n  type: Headless\n", "6: spec.type: not a type of Service: \"Headless\""},
		{WEB "spec:\n  clusterIP: 10.96.0\n", "6: spec.clusterIP: not an IP address: \"10.96.0\""},
		{WEB "spec:\n  clusterIPs:\n  - 10.96.0.1\n  - none\n",
			"8: spec.clusterIPs[1]: not an IP address: \"none\""},
		{WEB "spec:\n  type: ExternalName\n", "1: spec.externalName: missing"},
		{WEB "spec:\n  type: ExternalName\n  externalName: a..b\n",
			"7: spec.externalName: not a domain name: \"a..b\""},
		{WEB "spec:\n  clusterIP: \"10.0\\n\\e[31m\"\n",
			"6: spec.clusterIP: not an IP address: \"10.0??[31m\""},
		{WEB "spec:\n  clusterIP: &a 10.0.0.1\n  clusterIPs: [*a]\n",
			"7: spec.clusterIPs[0]: aliases (*name) are not supported"},
		{WEB "base: &a {clusterIP: 10.0.0.1}\nspec:\n  <<: *a\n",
			"7: spec: merge keys (<<) are not supported"},
		{WEB "spec: {}\nspec: {}\n", "6: spec: \"spec\" is there twice"},
		{WEB "spec:\n  ? [a]\n  : b\n", "6: a key has to be text"},
		{"---\n---\napiVersion: v1\nkind: Service\n", "3: metadata.name: missing"},
		{"apiVersion: v1\nkind: Service\nmetadata: {name: a.b}\n",
			"1: metadata.name: not a lower-case DNS label: \"a.b\""},
		{"apiVersion: v1\nkind: Service\nmetadata: {name: Web}\n",
			"3: metadata.name: not a lower-case DNS name: \"Web\""},
		{"apiVersion: v1\nkind: Service\nmetadata: {name: " X64 "}\n",
			"1: metadata.name: not a lower-case DNS label: \"" X64 "\""},
		{"apiVersion: v1\nkind: Service\nmetadata: {name: a, namespace: b.c}\n",
			"3: metadata.namespace: not a lower-case DNS label: \"b.c\""},
		{"apiVersion: v1\nkind: Service\nmetadata: {name: a, labels: [b]}\n",
			"3: metadata.labels: not an object"},
		{"apiVersion: v1\nkind: Service\nmetadata: {name: a, labels: {b: {c: d}}}\n",
			"3: metadata.labels.b: not a single value"},
		{"apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nstatus: {podIP: a}\n",
			"4: status.podIP: not an IP address: \"a\""},
		{"apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"
		 "metadata: {name: a, labels: {kubernetes.io/service-name: web}}\n"
		 "endpoints:\n- addresses: [10.0.0.1]\n- addresses: [10.0.0.2, web-0]\n",
			"6: endpoints[1].addresses[1]: not an IP address: \"web-0\""},
		{"apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"
		 "metadata: {name: a, labels: {kubernetes.io/service-name: web}}\n"
		 "endpoints: [{addresses: [10.0.0.1], conditions: {ready: maybe}}]\n",
			"4: endpoints[0].conditions.ready: not true or false: \"maybe\""},
		{"apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"
		 "metadata: {name: a, labels: {kubernetes.io/service-name: web}}\n"
		 "endpoints: [{addresses: [10.0.0.1], hostname: a.b}]\n",
			"4: endpoints[0].hostname: not a lower-case DNS label: \"a.b\""},
		{"apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\naddressType: IPX\n"
		 "metadata: {name: a, labels: {kubernetes.io/service-name: web}}\n",
			"3: addressType: not IPv4, IPv6 or FQDN: \"IPX\""},
		{"apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Service\n  metadata: {name: "
		 "a}\n"
		 "- apiVersion: v1\n  kind: Service\n  metadata: {name: b}\n  spec: {clusterIP: x}\n",
			"10: items[1].spec.clusterIP: not an IP address: \"x\""},
		{"items:\n- metadata: {name: a}\nkind: ServiceList\n", "2: items[0].kind: missing"},
		{"kind: List\nitems:\n- a\n", "3: items[0]: not an object: \"a\""},
		{"metadata:\n  name: a\n", "1: kind: missing"},
		{"kind: Service\nspec: [1]\n", "1: apiVersion: missing"},
		{"Service\n", "1: not an object: \"Service\""},
		{"- a\n", "1: not an object"},
		{WEB "spec: [\n",
			"6: not YAML: while parsing a flow node: did not find expected node content"},
		{WEB "\tspec: a\n", "5: not YAML: while scanning a plain scalar: "
				    "found a tab character that violates indentation"},
		{"{\"kind\": \"Service\",\n\"apiVersion\": \"v1\",\n\"metadata\": {\"name\": 5, "
		 "\"namespace\":\n \"A\"}}",
			"4: metadata.namespace: not a lower-case DNS label: \"A\""},
		{"{\"kind\": \"Service\",\n\"apiVersion\": }",
			"2: not JSON: parse error: unallowed token at this point "
			"in JSON text"},
		{"{\"kind\": \"Service\",\n", "2: not JSON: the text ends too early"},
		{"{\"kind\": \"List\"} [", "1: not an object"},
	};
	struct loader loader;

	(void)state;
	loader_init(&loader);
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		size_t folder = strlen(loader.scratch.path) + strlen("/table.yaml:");
		const char *name = cases[i].table[0] == '{' ? "table.json" : "table.yaml";
		struct error error = {""};

		if (loader_load_text(&loader, name, cases[i].table, &error))
			fail_msg("taken: %s", cases[i].table);
		assert_true(strlen(error.message) > folder);
		if (strcmp(error.message + folder, cases[i].error) != 0)
			fail_msg("%s: %s", cases[i].table, error.message + folder);
	}
	loader_finish(&loader);
}

static void describe(
	const struct snapshot *snapshot, const char *namespace, const char *name, const char *wanted)
{
	struct buffer description = {0};

	describe_service(find_service(snapshot, namespace, name), &description);
	assert_string_equal(description.bytes, wanted);
	buffer_finish(&description);
}

/* One table in all the ways that it can be written. */
static void test_forms(void **state)
{
	static const struct {
		const char *file, *text;
	} forms[] = {
		{"a.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\n"
			   "spec: {clusterIP: 10.96.0.1, ports: [{port: 80, name: http}]}\n---\n"
			   "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n...\n"},
		{"a.yml", "# A comment\n\n---\n---\nnull\n---\nkind: \"Namespace\"\napiVersion: 'v1'\n"
			  "metadata:\n  name: shop\n  annotations: {a: [b, {c: d}], e: &f g, h: *f}\n--- \n"
			  "spec:\n  ports:\n    - port: 80\n      name: >-\n        http\n  clusterIP: !!str "
			  "10.96.0.1\n"
			  "metadata:\n  namespace: shop\n  name: web\nkind: Service\napiVersion: v1\n"},
		{"a.json",
			"\n  {\"kind\": \"Namespace\", \"apiVersion\": \"v1\", \"metadata\": {\"name\": "
			"\"shop\"}}\n"
			"{\"spec\": {\"ports\": [{\"port\": 80, \"name\": \"http\", \"targetPort\": \"x\"}], "
			"\"clusterIP\": \"10.96.0.\\u0031\", \"selector\": null}, \"kind\": \"Service\", "
			"\"apiVersion\": \"v1\", \"metadata\": {\"name\": \"web\", \"namespace\": \"shop\", "
			"\"generation\": 1.5e3, \"x\": [[[true]]]}}"},
		{"json.yaml",
			"{\"kind\": \"List\", \"apiVersion\": \"v1\", \"items\": ["
			"{\"kind\": \"Namespace\", \"apiVersion\": \"v1\", \"metadata\": {\"name\": "
			"\"shop\"}},"
			"{\"kind\": \"Service\", \"apiVersion\": \"v1\", \"metadata\": {\"name\": \"web\", "
			"\"namespace\": \"shop\"}, \"spec\": {\"clusterIP\": \"10.96.0.1\", "
			"\"ports\": [{\"port\": 80, \"name\": \"http\"}]}}]}"},
		{"lists.yaml", "apiVersion: v1\nitems:\n- apiVersion: v1\n  kind: Namespace\n  metadata: "
			       "{name: shop}\n"
			       "kind: List\nmetadata: {resourceVersion: ''}\n---\n"
			       "kind: ServiceList\napiVersion: v1\nitems:\n- metadata: {name: web, "
			       "namespace: shop}\n"
			       "  spec: {clusterIP: 10.96.0.1, ports: [{port: 80, name: http}]}\n---\n"
			       "kind: PodList\napiVersion: v1\nitems: null\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(forms); i++) {
		struct error error = {""};
		struct snapshot *snapshot;
		struct loader loader;

		loader_init(&loader);
		snapshot = loader_load_text(&loader, forms[i].file, forms[i].text, &error);
		if (!snapshot)
			fail_msg("%s", error.message);
		describe(snapshot, "shop", "web", "ClusterIP 10.96.0.1: 80/http/tcp");
		assert_true(has_namespace(snapshot, "shop"));
		assert_int_equal(snapshot_counts(snapshot).services, 1);
		assert_int_equal(snapshot_counts(snapshot).namespaces, 1);
		snapshot_unref(snapshot);
		loader_finish(&loader);
	}
}

/* Objects that are none of ours may have any shape. */
static void test_other_kinds_are_ignored(void **state)
{
	static const char table[] =
		"apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: A.B}\nspec: [1]\n---\n"
		"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {ports: x, type: 5}\n---\n"
		"apiVersion: a/v1\nkind: Menu\nitems: [soup, {kind: cake}]\nports: 4\nendpoints: 5\n---\n"
		"apiVersion: v1\nkind: Endpoints\nmetadata: {name: a}\nsubsets: [{addresses: [{ip: "
		"x}]}]\n---\n" WEB;
	struct error error = {""};
	struct snapshot *snapshot;
	struct loader loader;

	(void)state;
	loader_init(&loader);
	snapshot = loader_load_text(&loader, "table.yaml", table, &error);
	if (!snapshot)
		fail_msg("%s", error.message);
	assert_int_equal(snapshot_counts(snapshot).services, 1);
	describe(snapshot, "default", "web", "ClusterIP: -1//");
	assert_int_equal(loader.notes.count, 4); /* each is named in the log, once */
	snapshot_unref(snapshot);
	snapshot_unref(loader_load(&loader, &error));
	assert_int_equal(loader.notes.count, 4);
	loader_finish(&loader);
}

static void test_nesting_is_bounded(void **state)
{
	struct buffer text = {0};
	struct error error = {""};
	struct snapshot *snapshot;
	struct loader loader;

	(void)state;
	loader_init(&loader);
	buffer_text(&text, WEB "other: ");
	for (int i = 0; i < 100; i++)
		buffer_text(&text, "[");
	for (int i = 0; i < 100; i++)
		buffer_text(&text, "]");
	snapshot = loader_load_text(&loader, "table.yaml", text.bytes, &error);
	assert_non_null(snapshot);
	snapshot_unref(snapshot);
	buffer_clear(&text);
	buffer_text(&text, "{\"other\": ");
	for (int i = 0; i < 100000; i++)
		buffer_text(&text, "[");
	assert_null(loader_load_text(&loader, "table.yaml", text.bytes, &error));
	assert_non_null(strstr(error.message, "table.yaml:1: nested more than 100 levels deep"));
	buffer_finish(&text);
	loader_finish(&loader);
}

static void test_an_object_may_be_there_once(void **state)
{
	struct error error = {""};
	char wanted[2 * SCRATCH_PATH_MAX];
	struct snapshot *snapshot;
	struct loader loader;

	(void)state;
	loader_init(&loader);
	scratch_write(&loader.scratch, "a.yaml", "---\n" WEB);
	scratch_write(&loader.scratch, "b.yaml", "---\n\n---\n" WEB);
	assert_null(loader_load(&loader, &error));
	snprintf(wanted, sizeof(wanted), "%s/b.yaml:4: metadata.name: the same object stands at %s/a.yaml:2",
		loader.scratch.path, loader.scratch.path);
	assert_string_equal(error.message, wanted);
	/* The same name in another namespace, or of another kind, is another object. */
	scratch_write(&loader.scratch, "b.yaml",
		"apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nstatus: {podIP: 10.0.0.1}\n---\n" WEB
		"  namespace: shop\n");
	snapshot = loader_load(&loader, &error);
	assert_int_equal(snapshot_counts(snapshot).services, 2);
	snapshot_unref(snapshot);
	loader_finish(&loader);
}

static void test_which_files_of_a_folder(void **state)
{
	static const char *const files[] = {
		"a.yaml", "b.yml", "c.json", "d.txt", ".e.yaml", "f.yaml.bak", "yaml", ".yaml"};
	char path[SCRATCH_PATH_MAX], target[SCRATCH_PATH_MAX], text[128];
	struct error error = {""};
	struct snapshot *snapshot;
	struct loader loader;

	(void)state;
	loader_init(&loader);
	for (size_t i = 0; i < ARRAY_LENGTH(files); i++) {
		snprintf(text, sizeof(text),
			"{\"kind\": \"Namespace\", \"apiVersion\": \"v1\", "
			"\"metadata\": {\"name\": \"n%zu\"}}",
			i);
		scratch_write(&loader.scratch, files[i], text);
	}
	assert_int_equal(mkdir(scratch_path(&loader.scratch, "g.yaml", path), 0700), 0);
	assert_int_equal(mkfifo(scratch_path(&loader.scratch, "h.yaml", path), 0600), 0);
	/* Links are followed, and those that lead nowhere left out. */
	scratch_path(&loader.scratch, "d.txt", target);
	assert_int_equal(symlink(target, scratch_path(&loader.scratch, "i.yaml", path)), 0);
	assert_int_equal(symlink("nowhere", scratch_path(&loader.scratch, "j.yaml", path)), 0);
	snapshot = loader_load(&loader, &error);
	if (!snapshot)
		fail_msg("%s", error.message);
	for (size_t i = 0; i < ARRAY_LENGTH(files); i++) {
		snprintf(text, sizeof(text), "n%zu", i);
		assert_int_equal(has_namespace(snapshot, text), i < 4);
	}
	snapshot_unref(snapshot);
	/* A path that is neither file nor folder, or not there. */
	loader.config.table = scratch_path(&loader.scratch, "h.yaml", path);
	assert_null(loader_load(&loader, &error));
	assert_non_null(strstr(error.message, "h.yaml: neither a file nor a folder"));
	loader.config.table = scratch_path(&loader.scratch, "none.yaml", path);
	assert_null(loader_load(&loader, &error));
	assert_non_null(strstr(error.message, "none.yaml: No such file or directory"));
	loader_finish(&loader);
}

static const char filter_table[] =
	"apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {dns: 'yes'}}\n---\n"
	"apiVersion: v1\nkind: Namespace\nmetadata: {name: prod}\n---\n"
	"apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop, labels: {tier: front}}\n---\n"
	"apiVersion: v1\nkind: Service\nmetadata: {name: db, namespace: shop}\n---\n"
	"apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: prod, labels: {tier: back}}\n---\n"
	"apiVersion: v1\nkind: Pod\nmetadata: {name: p, labels: {tier: back}}\nstatus: {podIP: "
	"10.1.0.1}\n---\n"
	"apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"
	"metadata: {name: web-x, namespace: shop, labels: {tier: front, kubernetes.io/service-name: web}}\n"
	"endpoints: [{addresses: [10.1.0.1]}]\n---\n"
	"apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"
	"metadata: {name: db-x, namespace: shop, labels: {tier: front, kubernetes.io/service-name: db}}\n"
	"endpoints: [{addresses: [10.1.0.2]}]\n";

static void test_filters(void **state)
{
	static const char *listed[] = {"prod", "absent"};
	static const struct {
		const char *labels, *namespace_labels;
		bool by_namespace, endpoints, pods;
		struct snapshot_counts counts; /* Services, endpoints, Pods, namespaces */
		bool has_shop;
	} cases[] = {
		{NULL, NULL, false, true, true, {3, 2, 1, 2}, true},
		{"tier=front", NULL, false, true, true, {1, 2, 0, 2}, true},
		{"tier", NULL, false, true, true, {2, 2, 1, 2}, true},
		{NULL, "dns=yes", false, true, true, {3, 2, 1, 1}, true},
		{NULL, "!dns", false, true, true, {3, 2, 1, 1}, false},
		{NULL, NULL, true, true, true, {3, 2, 1, 1}, false},
		{NULL, NULL, false, false, true, {3, 0, 1, 2}, true},
		{NULL, NULL, false, true, false, {3, 2, 0, 2}, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		struct selector *labels = NULL, *namespace_labels = NULL;
		struct error error = {""};
		struct snapshot_counts counts;
		struct snapshot *snapshot;
		struct loader loader;

		loader_init(&loader);
		assert_true(!cases[i].labels || selector_parse(cases[i].labels, &labels, &error));
		assert_true(!cases[i].namespace_labels ||
			    selector_parse(cases[i].namespace_labels, &namespace_labels, &error));
		loader.config.labels = labels;
		loader.config.namespace_labels = namespace_labels;
		loader.config.namespaces = cases[i].by_namespace ? listed : NULL;
		loader.config.namespace_count = cases[i].by_namespace ? ARRAY_LENGTH(listed) : 0;
		loader.config.endpoints = cases[i].endpoints;
		loader.config.pods = cases[i].pods;
		snapshot = loader_load_text(&loader, "table.yaml", filter_table, &error);
		counts = snapshot_counts(snapshot);
		assert_memory_equal(&counts, &cases[i].counts, sizeof(counts));
		assert_int_equal(has_namespace(snapshot, "shop"), cases[i].has_shop);
		snapshot_unref(snapshot);
		loader_finish(&loader);
		selector_free(labels);
		selector_free(namespace_labels);
	}
}

/* What did not change is the same block in the next snapshot; what is broken changes nothing. */
static void test_reading_again(void **state)
{
	static const char db[] = "apiVersion: v1\nkind: Service\nmetadata: {name: db}\n";
	struct error error = {""};
	struct snapshot *first, *second, *third;
	struct loader loader;

	(void)state;
	loader_init(&loader);
	scratch_write(&loader.scratch, "db.yaml", db);
	first = loader_load_text(&loader, "web.yaml", WEB "spec: {clusterIP: 10.96.0.1}\n", &error);
	/* Other order, spelling and fields that do not count: the same object. */
	scratch_write(&loader.scratch, "db.yaml",
		"metadata:\n  namespace: default\n  name: \"db\"\n  uid: x\nkind: Service\napiVersion: v1\n");
	second = loader_load_text(&loader, "web.yaml", WEB "spec: {clusterIP: 10.96.0.2}\n", &error);
	assert_ptr_equal(find_service(first, "default", "db"), find_service(second, "default", "db"));
	assert_ptr_not_equal(find_service(first, "default", "web"), find_service(second, "default", "web"));
	describe(first, "default", "web", "ClusterIP 10.96.0.1: -1//");
	describe(second, "default", "web", "ClusterIP 10.96.0.2: -1//");

	scratch_write(&loader.scratch, "new.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: new}\n");
	assert_null(loader_load_text(&loader, "web.yaml", WEB "spec: {clusterIP: 10.96}\n", &error));
	third = publish(loader.store, loader.table, SNAPSHOT_ALL, false);
	assert_null(third);
	third = loader_load_text(&loader, "web.yaml", WEB "spec: {clusterIP: 10.96.0.2}\n", &error);
	assert_ptr_equal(find_service(second, "default", "web"), find_service(third, "default", "web"));
	describe(third, "default", "new", "ClusterIP: -1//");
	snapshot_unref(third);
	assert_int_equal(unlink(scratch_path(&loader.scratch, "db.yaml", (char[SCRATCH_PATH_MAX]){0})), 0);
	third = loader_load(&loader, &error);
	assert_null(find_service(third, "default", "db"));
	assert_int_equal(snapshot_counts(third).services, 2);
	snapshot_unref(first);
	snapshot_unref(second);
	snapshot_unref(third);
	loader_finish(&loader);
}

/* No beginning of a file, and no file with an octet changed, does harm: it is taken or refused with a reason.
 */
static void test_damaged_files(void **state)
{
	static const char json[] = "{\"kind\":\"List\",\"items\":[{\"kind\":\"Service\",\"apiVersion\":"
				   "\"v1\",\"metadata\":{\"name\":\"a\","
				   "\"labels\":{\"b\":\"c\"}},\"spec\":{\"clusterIPs\":[\"10.0.0.1\"],"
				   "\"ports\":[{\"port\":80}]}}]}";
	static const char octets[] = "{}[]\":,-&*?!|>'%@`#\n\t 0a\\";
	const char *const texts[] = {filter_table, json};
	struct loader loader;
	char text[2048];

	(void)state;
	loader_init(&loader);
	for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
		for (size_t at = 0; at < strlen(texts[i]); at++)
			for (size_t with = 0; with < sizeof(octets); with += 5) {
				struct error error = {""};
				struct snapshot *snapshot;

				/* octets[] ends with a NUL: there the text is cut. */
				snprintf(text, sizeof(text), "%s", texts[i]);
				text[at] = with + 5 < sizeof(octets)
						   ? octets[(with + at) % (sizeof(octets) - 1)]
						   : '\0';
				snapshot = loader_load_text(&loader, "table.yaml", text, &error);
				assert_int_equal(snapshot == NULL, *error.message != '\0');
				snapshot_unref(snapshot);
			}
	loader_finish(&loader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_other_kinds_are_ignored),
		cmocka_unit_test(test_nesting_is_bounded),
		cmocka_unit_test(test_an_object_may_be_there_once),
		cmocka_unit_test(test_which_files_of_a_folder),
		cmocka_unit_test(test_filters),
		cmocka_unit_test(test_reading_again),
		cmocka_unit_test(test_damaged_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
