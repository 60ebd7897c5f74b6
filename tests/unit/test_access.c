/* Where the API server is and who we are: in a cluster, by endpoint, by kubeconfig; and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/cluster/access_fields.h"
#include "../../src/cluster/base64.h"
#include "../support/table_text.h"
#include "svcdns/clock.h"

static void set_cluster(const char *host, const char *port)
{
	if (host)
		setenv("KUBERNETES_SERVICE_HOST", host, 1);
	else
		unsetenv("KUBERNETES_SERVICE_HOST");
	if (port)
		setenv("KUBERNETES_SERVICE_PORT", port, 1);
	else
		unsetenv("KUBERNETES_SERVICE_PORT");
}

static struct access *must_open(const struct access_options *options)
{
	struct error error = {""};
	struct access *access = access_open(options, &error);

	if (!access)
		fail_msg("%s", error.message);
	return access;
}

static void must_refuse(const struct access_options *options, const char *why)
{
	struct error error = {""};

	assert_null(access_open(options, &error));
	assert_string_equal(error.message, why);
}

static void test_in_cluster(void **state)
{
	struct scratch scratch;
	struct access_options options = {.account = scratch.path};
	char ca[SCRATCH_PATH_MAX], why[1024];
	struct access *access;

	(void)state;
	scratch_make(&scratch);
	set_cluster("10.96.0.1", "443");
	scratch_write(&scratch, "ca.crt", "certificate");
	snprintf(why, sizeof(why),
		"invalid configuration: unable to read token %s/token for the service account due to "
		"open %s/token: no such file or directory",
		scratch.path, scratch.path);
	must_refuse(&options, why);
	scratch_write(&scratch, "token", " secret \n");
	access = must_open(&options);
	assert_string_equal(access->server, "https://10.96.0.1:443");
	assert_string_equal(access->authority.file, scratch_path(&scratch, "ca.crt", ca));
	assert_string_equal(token_get(&access->token, 1), "secret");
	access_close(access);
	set_cluster("fd00:10:96::1", "6443");
	access = must_open(&options);
	assert_string_equal(access->server, "https://[fd00:10:96::1]:6443");
	access_close(access);
	set_cluster("10.96.0.1", NULL);
	must_refuse(&options, "unable to load in-cluster configuration, KUBERNETES_SERVICE_HOST and "
			      "KUBERNETES_SERVICE_PORT must be defined");
	set_cluster(NULL, NULL);
	scratch_remove(&scratch);
}

static void test_endpoints(void **state)
{
	static const struct {
		const char *text, *server; /* NULL: refused */
	} cases[] = {
		{"http://127.0.0.1:8001", "http://127.0.0.1:8001"},
		{"https://api.example.org/", "https://api.example.org"},
		{"https://rancher.example.org/k8s/clusters/c-1/",
			"https://rancher.example.org/k8s/clusters/c-1"},
		{"127.0.0.1:8001", "http://127.0.0.1:8001"},
		{"api.example.org", "http://api.example.org"},
		{"http://[::1]:8001", "http://[::1]:8001"},
		{"http://[::1", NULL},
		{"http://", NULL},
		{"", NULL},
		{"ftp://127.0.0.1", NULL},
		{"http://127.0.0.1:", NULL},
		{"http://127.0.0.1:65536", NULL},
		{"http://127.0.0.1:80a", NULL},
		{"http://127.0.0.1/?a=b", NULL},
		{"http://user@127.0.0.1", NULL},
		{"http://127.0.0.1/ b", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		struct access_options options = {.endpoint = cases[i].text};
		struct error error = {""};
		struct access *access = access_open(&options, &error);

		assert_int_equal(access != NULL, cases[i].server != NULL);
		if (access)
			assert_string_equal(access->server, cases[i].server);
		access_close(access);
	}
	must_refuse(&(struct access_options){.endpoint = "http://[::1"},
		"failed to create kubernetes notification controller: \"host must be a URL or a host:port "
		"pair: "
		"\\\"http://[::1\\\"\"");
}

static void test_endpoint_with_certificates(void **state)
{
	struct scratch scratch;
	char ca[SCRATCH_PATH_MAX], certificate[SCRATCH_PATH_MAX], key[SCRATCH_PATH_MAX], why[2048];
	struct access_options options = {.endpoint = "10.0.0.1:6443"};
	struct access *access;

	(void)state;
	scratch_make(&scratch);
	options.authority = scratch_path(&scratch, "ca.pem", ca);
	options.certificate = scratch_path(&scratch, "cert.pem", certificate);
	options.key = scratch_path(&scratch, "key.pem", key);
	scratch_write(&scratch, "cert.pem", "certificate");
	scratch_write(&scratch, "key.pem", "key");
	snprintf(why, sizeof(why),
		"invalid configuration: unable to read certificate-authority %s for  due to open %s: "
		"no such file or directory",
		ca, ca);
	must_refuse(&options, why);
	scratch_write(&scratch, "ca.pem", "authority");
	access = must_open(&options);
	assert_string_equal(access->server, "https://10.0.0.1:6443");
	assert_string_equal(access->certificate.file, certificate);
	assert_string_equal(access->key.file, key);
	access_close(access);
	scratch_remove(&scratch);
}

#define KUBECONFIG                                                                                           \
	"apiVersion: v1\nkind: Config\ncurrent-context: two\n"                                               \
	"clusters:\n"                                                                                        \
	"- {name: plain, cluster: {server: \"http://127.0.0.1:8001\"}}\n"                                    \
	"- {name: files, cluster: {server: \"https://a.example:6443/x/\", certificate-authority: "           \
	"pki/ca.pem,"                                                                                        \
	" tls-server-name: kubernetes, proxy-url: \"http://proxy:3128\"}}\n"                                 \
	"- {name: data, cluster: {server: 10.0.0.1, certificate-authority-data: YXV0aG9yaXR5}}\n"            \
	"- {name: blind, cluster: {server: \"https://b.example\", insecure-skip-tls-verify: true}}\n"        \
	"- {name: both, cluster: {server: \"https://b.example\", insecure-skip-tls-verify: true,"            \
	" certificate-authority-data: YQ==}}\n"                                                              \
	"- {name: broken, cluster: {server: \"https://b.example\", certificate-authority-data: Y*==}}\n"     \
	"- {name: nowhere, cluster: {}}\n"                                                                   \
	"users:\n"                                                                                           \
	"- {name: token, user: {token: abc}}\n"                                                              \
	"- {name: file, user: {token: abc, tokenFile: token}}\n"                                             \
	"- {name: cert, user: {client-certificate: pki/cert.pem, client-key-data: a2V5}}\n"                  \
	"- {name: basic, user: {username: me, password: pw}}\n"                                              \
	"- {name: exec, user: {exec: {command: aws}}}\n"                                                     \
	"- {name: provider, user: {auth-provider: {name: oidc}}}\n"                                          \
	"- {name: other, user: {token: abc, as: admin}}\n"                                                   \
	"contexts:\n"                                                                                        \
	"- {name: one, context: {cluster: plain, user: token}}\n"                                            \
	"- {name: two, context: {cluster: files, user: file}}\n"                                             \
	"- {name: three, context: {cluster: data, user: cert}}\n"                                            \
	"- {name: four, context: {cluster: blind, user: basic}}\n"                                           \
	"- {name: five, context: {cluster: plain}}\n"                                                        \
	"- {name: exec, context: {cluster: plain, user: exec}}\n"                                            \
	"- {name: provider, context: {cluster: plain, user: provider}}\n"                                    \
	"- {name: other, context: {cluster: plain, user: other}}\n"                                          \
	"- {name: both, context: {cluster: both, user: token}}\n"                                            \
	"- {name: broken, context: {cluster: broken, user: token}}\n"                                        \
	"- {name: nowhere, context: {cluster: nowhere, user: token}}\n"                                      \
	"- {name: nobody, context: {cluster: plain, user: nobody}}\n"                                        \
	"- {name: lost, context: {cluster: lost, user: token}}\n"

struct fixture {
	struct scratch scratch;
	char path[SCRATCH_PATH_MAX];
	struct access_options options;
};

static void make_kubeconfig(struct fixture *f)
{
	char folder[SCRATCH_PATH_MAX];

	scratch_make(&f->scratch);
	assert_int_equal(mkdir(scratch_path(&f->scratch, "pki", folder), 0700), 0);
	scratch_write(&f->scratch, "config", KUBECONFIG);
	scratch_write(&f->scratch, "pki/ca.pem", "authority");
	scratch_write(&f->scratch, "pki/cert.pem", "certificate");
	scratch_write(&f->scratch, "token", "from the file");
	f->options = (struct access_options){.kubeconfig = scratch_path(&f->scratch, "config", f->path)};
}

static void test_kubeconfig_files(void **state)
{
	struct fixture f;
	char path[SCRATCH_PATH_MAX];
	struct access *access;

	(void)state;
	make_kubeconfig(&f);
	access = must_open(&f.options); /* current-context: two */
	assert_string_equal(access->server, "https://a.example:6443/x");
	assert_string_equal(access->authority.file, scratch_path(&f.scratch, "pki/ca.pem", path));
	assert_string_equal(access->tls_name, "kubernetes");
	assert_string_equal(access->proxy, "http://proxy:3128");
	assert_string_equal(token_get(&access->token, 1), "from");
	access_close(access);
	scratch_remove(&f.scratch);
}

static void test_kubeconfig_data(void **state)
{
	struct fixture f;
	char path[SCRATCH_PATH_MAX];
	struct access *access;

	(void)state;
	make_kubeconfig(&f);
	f.options.context = "three";
	access = must_open(&f.options);
	assert_string_equal(access->server, "https://10.0.0.1");
	assert_int_equal(access->authority.length, 9);
	assert_memory_equal(access->authority.bytes, "authority", 9);
	assert_string_equal(access->certificate.file, scratch_path(&f.scratch, "pki/cert.pem", path));
	assert_memory_equal(access->key.bytes, "key", 3);
	assert_string_equal(token_get(&access->token, 1), "");
	access_close(access);
	scratch_remove(&f.scratch);
}

static void test_kubeconfig_users(void **state)
{
	struct fixture f;
	struct access *access;

	(void)state;
	make_kubeconfig(&f);
	f.options.context = "one";
	access = must_open(&f.options);
	assert_string_equal(token_get(&access->token, 1), "abc");
	assert_false(access->is_insecure);
	access_close(access);
	f.options.context = "four";
	access = must_open(&f.options);
	assert_true(access->is_insecure);
	assert_string_equal(access->user, "me");
	assert_string_equal(access->password, "pw");
	access_close(access);
	f.options.context = "five";
	access = must_open(&f.options);
	assert_string_equal(access->server, "http://127.0.0.1:8001");
	assert_null(access->user);
	access_close(access);
	scratch_remove(&f.scratch);
}

static void test_kubeconfig_refusals(void **state)
{
	static const struct {
		const char *context, *why;
	} cases[] = {
		{"exec", "user \"exec\": exec: no programs are started: use a token, a tokenFile or a client "
			 "certificate"},
		{"provider",
			"user \"provider\": auth-provider: auth providers are not supported: use a token, a "
			"tokenFile or a client certificate"},
		{"other", "user \"other\": as: acting for another user is not supported"},
		{"both", "cluster \"both\": a certificate-authority and insecure-skip-tls-verify cannot both "
			 "be "
			 "set"},
		{"broken", "certificate-authority-data: not base64"},
		{"nowhere", "no server found for cluster \"nowhere\""},
		{"nobody", "user \"nobody\" does not exist"},
		{"lost", "cluster \"lost\" does not exist"},
		{"none", "context \"none\" does not exist"},
	};
	struct fixture f;
	char why[2048];

	(void)state;
	make_kubeconfig(&f);
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		f.options.context = cases[i].context;
		snprintf(why, sizeof(why), "%s: %s", f.path, cases[i].why);
		must_refuse(&f.options, why);
	}
	f.options.context = NULL;
	scratch_write(&f.scratch, "config", "a: [\n");
	snprintf(why, sizeof(why), "%s: line 2: not YAML: did not find expected node content", f.path);
	must_refuse(&f.options, why);
	scratch_write(&f.scratch, "config", "");
	snprintf(why, sizeof(why), "%s: no context is named, and current-context is not set", f.path);
	must_refuse(&f.options, why);
	scratch_remove(&f.scratch);
}

static void test_kubeconfig_comes_first(void **state)
{
	struct fixture f;
	struct access *access;

	(void)state;
	make_kubeconfig(&f);
	f.options.context = "one";
	f.options.endpoint = "http://10.0.0.9";
	access = must_open(&f.options);
	assert_string_equal(access->server, "http://127.0.0.1:8001");
	access_close(access);
	scratch_remove(&f.scratch);
}

/* The kubelet swaps the file: it is read once a minute, and at once when the server says no. */
static void test_token_is_read_again(void **state)
{
	struct scratch scratch;
	char path[SCRATCH_PATH_MAX];
	struct token token = {0};
	uint64_t now = 1000 * CLOCK_S;

	(void)state;
	scratch_make(&scratch);
	token.file = scratch_path(&scratch, "token", path);
	assert_string_equal(token_get(&token, now), "");
	scratch_write(&scratch, "token", "first\n");
	assert_string_equal(token_get(&token, now + CLOCK_S), "");
	token_forget(&token);
	assert_string_equal(token_get(&token, now + CLOCK_S), "first");
	scratch_write(&scratch, "token", "\tsecond");
	assert_string_equal(token_get(&token, now + 60 * CLOCK_S), "first");
	assert_string_equal(token_get(&token, now + 61 * CLOCK_S), "second");
	scratch_write(&scratch, "token", "third\r\nX-Header: no");
	token_forget(&token);
	assert_string_equal(token_get(&token, now + 62 * CLOCK_S), "third");
	scratch_write(&scratch, "token", " \n");
	token_forget(&token);
	assert_string_equal(token_get(&token, now + 63 * CLOCK_S), "third");
	token_finish(&token);
	scratch_remove(&scratch);
}

static void test_base64(void **state)
{
	static const struct {
		const char *text, *octets; /* NULL: it is none */
	} cases[] = {
		{"", ""},
		{"Zg==", "f"},
		{"Zm8=", "fo"},
		{"Zm9v", "foo"},
		{"Zm9v\nYmFy ", "foobar"},
		{"Zm9", NULL},
		{"Zm9v=", NULL},
		{"Z===", NULL},
		{"====", NULL},
		{"Zg==Zg==", NULL},
		{"Zm-v", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		struct buffer out;

		buffer_init(&out);
		assert_int_equal(
			base64_decode(cases[i].text, strlen(cases[i].text), &out), cases[i].octets != NULL);
		if (cases[i].octets && *cases[i].octets)
			assert_string_equal(out.bytes, cases[i].octets);
		buffer_finish(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_cluster),
		cmocka_unit_test(test_endpoints),
		cmocka_unit_test(test_endpoint_with_certificates),
		cmocka_unit_test(test_kubeconfig_files),
		cmocka_unit_test(test_kubeconfig_data),
		cmocka_unit_test(test_kubeconfig_users),
		cmocka_unit_test(test_kubeconfig_refusals),
		cmocka_unit_test(test_kubeconfig_comes_first),
		cmocka_unit_test(test_token_is_read_again),
		cmocka_unit_test(test_base64),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
