/* The three ways to an API server: a kubeconfig, an endpoint, the cluster around us. */
#include "svcdns/access.h"

#include <stdlib.h>
#include <string.h>

#include "access_fields.h"
#include "kubeconfig.h"
#include "svcdns/memory.h"

#define ACCOUNT "/var/run/secrets/kubernetes.io/serviceaccount"

static size_t port_length(const char *text)
{
	size_t digits = strspn(text, "0123456789");

	return digits >= 1 && digits <= 5 && strtol(text, NULL, 10) <= UINT16_MAX ? digits : 0;
}

/* HOST[:PORT][/PATH], IPv6 in brackets. */
static bool set_parts(struct access *access, const char *text)
{
	struct arena *arena = &access->arena;
	size_t host = strcspn(text, *text == '[' ? "]" : ":/"), port = 0, path;
	const char *at = text + host;

	if (*at == ']')
		host++, at++;
	if (!host || (*text == '[' && text[host - 1] != ']') || (*at && !strchr(":/", *at)) ||
		strcspn(text, " \t\r\n@\\?#") < strlen(text))
		return false;
	access->host = arena_text_n(arena, text, host);
	if (*at == ':' && !(port = port_length(++at)))
		return false;
	access->port = arena_text_n(arena, at, port);
	at += port;
	path = strlen(at);
	while (path && at[path - 1] == '/')
		path--;
	access->path = arena_text_n(arena, at, path);
	return !*at || *at == '/';
}

static bool has_pem(const struct pem *pem)
{
	return pem->file || pem->bytes;
}

static const char *choose_scheme(const struct access *access, const char **text)
{
	static const char *const schemes[] = {"http", "https"};
	bool uses_tls = has_pem(&access->authority) || has_pem(&access->certificate) || access->is_insecure;

	for (size_t i = 0; i < ARRAY_LENGTH(schemes); i++) {
		size_t length = strlen(schemes[i]);

		if (strncmp(*text, schemes[i], length) == 0 && strncmp(*text + length, "://", 3) == 0) {
			*text += length + 3;
			return schemes[i];
		}
	}
	return schemes[uses_tls];
}

bool access_set_server(struct access *access, const char *text, struct error *error)
{
	const char *host = text;

	access->scheme = choose_scheme(access, &host);
	if (!set_parts(access, host))
		return error_set(error, "host must be a URL or a host:port pair: \"%s\"", text);
	access->host_port =
		arena_format(&access->arena, "%s%s%s", access->host, *access->port ? ":" : "", access->port);
	access->server =
		arena_format(&access->arena, "%s://%s%s", access->scheme, access->host_port, access->path);
	return true;
}

const char *access_host(const struct access *access)
{
	return access->host_port;
}

static bool check_file(const struct pem *pem, const char *what, const char *whose, struct error *error)
{
	struct buffer content;
	char reason[512];
	bool is_good;

	if (!pem->file)
		return true;
	buffer_init(&content);
	is_good = buffer_read_file(&content, pem->file, reason, sizeof(reason));
	buffer_finish(&content);
	return is_good || error_set(error, "invalid configuration: unable to read %s %s for %s due to %s",
				  what, pem->file, whose, reason);
}

bool access_check_files(
	const struct access *access, const char *user, const char *cluster, struct error *error)
{
	return check_file(&access->certificate, "client-cert", user, error) &&
	       check_file(&access->key, "client-key", user, error) &&
	       check_file(&access->authority, "certificate-authority", cluster, error);
}

/* CoreDNS tells a wrong URL only when it makes its client, in these words. */
static bool quote_error(struct error *error)
{
	char quoted[sizeof(error->message)];
	size_t length = 0;

	for (const char *at = error->message; *at && length < sizeof(quoted) - 3; at++) {
		if (*at == '"' || *at == '\\')
			quoted[length++] = '\\';
		quoted[length++] = *at;
	}
	quoted[length] = '\0';
	return error_set(error, "failed to create kubernetes notification controller: \"%.900s\"", quoted);
}

static bool use_endpoint(struct access *access, const struct access_options *options, struct error *error)
{
	const char *const files[] = {options->authority, options->certificate, options->key};
	struct pem *const pems[] = {&access->authority, &access->certificate, &access->key};

	for (size_t i = 0; i < ARRAY_LENGTH(files); i++)
		if (files[i])
			pems[i]->file = arena_text(&access->arena, files[i]);
	if (!access_check_files(access, "", "", error))
		return false;
	return access_set_server(access, options->endpoint, error) || quote_error(error);
}

/* The address that the kubelet gives to every Pod; no name has to be looked up for it. */
static bool use_cluster(struct access *access, const struct access_options *options, struct error *error)
{
	const char *host = getenv("KUBERNETES_SERVICE_HOST"), *port = getenv("KUBERNETES_SERVICE_PORT");
	const char *folder = options->account ? options->account : ACCOUNT;
	struct pem token = {0};
	bool is_ipv6;

	if (!host || !*host || !port || !*port)
		return error_set(error,
			"unable to load in-cluster configuration, KUBERNETES_SERVICE_HOST and "
			"KUBERNETES_SERVICE_PORT must be defined");
	is_ipv6 = strchr(host, ':') && *host != '[';
	token.file = arena_format(&access->arena, "%s/token", folder);
	access->token.file = token.file;
	access->authority.file = arena_format(&access->arena, "%s/ca.crt", folder);
	if (!check_file(&token, "token", "the service account", error) ||
		!check_file(&access->authority, "certificate-authority", "the service account", error))
		return false;
	return access_set_server(access,
		arena_format(&access->arena, "https://%s%s%s:%s", is_ipv6 ? "[" : "", host,
			is_ipv6 ? "]" : "", port),
		error);
}

struct access *access_open(const struct access_options *options, struct error *error)
{
	struct access *access = memory_zero(1, sizeof(*access));
	bool is_good;

	arena_init(&access->arena);
	if (options->kubeconfig)
		is_good = kubeconfig_read(options->kubeconfig, options->context, access, error);
	else if (options->endpoint)
		is_good = use_endpoint(access, options, error);
	else
		is_good = use_cluster(access, options, error);
	if (is_good)
		return access;
	access_close(access);
	return NULL;
}

void access_close(struct access *access)
{
	if (!access)
		return;
	token_finish(&access->token);
	arena_finish(&access->arena);
	memory_free(access);
}
