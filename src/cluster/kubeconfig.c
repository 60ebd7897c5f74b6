/* A kubeconfig is a small file of the operator's, so it is read as a whole: libyaml's tree of nodes, in which
 * names are looked up. What would start programs (exec, auth-provider) or act for somebody else is refused.
 */
#include "kubeconfig.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "base64.h"

struct kubeconfig {
	const char *path;
	struct access *access;
	struct error *error;
	yaml_document_t document;
	yaml_node_t *cluster, *user; /* of the context; the user may be NULL */
	const char *cluster_name, *user_name;
};

static bool refuse(const struct kubeconfig *k, const char *format, ...) ATTRIBUTE_PRINTF(2, 3);

static bool refuse(const struct kubeconfig *k, const char *format, ...)
{
	va_list arguments;
	char why[512];

	va_start(arguments, format);
	vsnprintf(why, sizeof(why), format, arguments);
	va_end(arguments);
	return error_set(k->error, "%s: %s", k->path, why);
}

static const char *text_of_node(const yaml_node_t *node)
{
	return node && node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : NULL;
}

/* The value of a key in a map; NULL: no such key, or no map. */
static yaml_node_t *get(struct kubeconfig *k, const yaml_node_t *map, const char *key)
{
	if (!map || map->type != YAML_MAPPING_NODE)
		return NULL;
	for (const yaml_node_pair_t *pair = map->data.mapping.pairs.start; pair < map->data.mapping.pairs.top;
		pair++) {
		const char *name = text_of_node(yaml_document_get_node(&k->document, pair->key));

		if (name && strcmp(name, key) == 0)
			return yaml_document_get_node(&k->document, pair->value);
	}
	return NULL;
}

/* NULL: not there, or empty. */
static const char *get_text(struct kubeconfig *k, const yaml_node_t *map, const char *key)
{
	const char *text = text_of_node(get(k, map, key));

	return text && *text && strcmp(text, "null") != 0 ? text : NULL;
}

/* The item of this name in a list such as "users: [{name: NAME, user: {...}}]": what stands under `what`. */
static yaml_node_t *find(struct kubeconfig *k, const char *list_name, const char *name, const char *what)
{
	const yaml_node_t *list = get(k, yaml_document_get_root_node(&k->document), list_name);

	if (!list || list->type != YAML_SEQUENCE_NODE)
		return NULL;
	for (const yaml_node_item_t *at = list->data.sequence.items.start; at < list->data.sequence.items.top;
		at++) {
		const yaml_node_t *item = yaml_document_get_node(&k->document, *at);
		const char *own = get_text(k, item, "name");

		if (own && strcmp(own, name) == 0)
			return get(k, item, what);
	}
	return NULL;
}

static bool find_context(struct kubeconfig *k, const char *name)
{
	const yaml_node_t *context;

	if (!name)
		name = get_text(k, yaml_document_get_root_node(&k->document), "current-context");
	if (!name)
		return refuse(k, "no context is named, and current-context is not set");
	context = find(k, "contexts", name, "context");
	if (!context)
		return refuse(k, "context \"%s\" does not exist", name);
	k->cluster_name = get_text(k, context, "cluster");
	k->user_name = get_text(k, context, "user");
	k->cluster = k->cluster_name ? find(k, "clusters", k->cluster_name, "cluster") : NULL;
	k->user = k->user_name ? find(k, "users", k->user_name, "user") : NULL;
	if (!k->cluster)
		return refuse(k, "cluster \"%s\" does not exist", k->cluster_name ? k->cluster_name : "");
	if (k->user_name && !k->user)
		return refuse(k, "user \"%s\" does not exist", k->user_name);
	return true;
}

/* Relative names start from the folder of the kubeconfig. */
static const char *file_name(struct kubeconfig *k, const char *name)
{
	const char *slash = strrchr(k->path, '/');

	if (*name == '/' || !slash)
		return arena_text(&k->access->arena, name);
	return arena_format(&k->access->arena, "%.*s/%s", (int)(slash - k->path), k->path, name);
}

static bool read_data(struct kubeconfig *k, const char *key, const char *text, struct pem *ret)
{
	struct buffer octets;
	bool is_good;

	buffer_init(&octets);
	is_good = base64_decode(text, strlen(text), &octets) && octets.length;
	if (is_good)
		*ret = (struct pem){.bytes = arena_copy(&k->access->arena, octets.bytes, octets.length),
			.length = octets.length};
	buffer_finish(&octets);
	return is_good || refuse(k, "%s: not base64", key);
}

/* KEY-data wins over KEY, a file. */
static bool read_pem(struct kubeconfig *k, const yaml_node_t *map, const char *key, struct pem *ret)
{
	char data_key[64];
	const char *text;

	snprintf(data_key, sizeof(data_key), "%s-data", key);
	text = get_text(k, map, data_key);
	if (text)
		return read_data(k, data_key, text, ret);
	text = get_text(k, map, key);
	if (text)
		ret->file = file_name(k, text);
	return true;
}

static const char *keep(struct kubeconfig *k, const char *text)
{
	return text ? arena_text(&k->access->arena, text) : NULL;
}

static bool read_cluster(struct kubeconfig *k)
{
	struct access *access = k->access;
	const char *server = get_text(k, k->cluster, "server");
	const char *insecure = get_text(k, k->cluster, "insecure-skip-tls-verify");

	if (!read_pem(k, k->cluster, "certificate-authority", &access->authority))
		return false;
	access->tls_name = keep(k, get_text(k, k->cluster, "tls-server-name"));
	access->proxy = keep(k, get_text(k, k->cluster, "proxy-url"));
	access->is_insecure = insecure && strcmp(insecure, "true") == 0;
	if (access->is_insecure && (access->authority.file || access->authority.bytes))
		return refuse(k,
			"cluster \"%s\": a certificate-authority and insecure-skip-tls-verify cannot both be "
			"set",
			k->cluster_name);
	if (!server)
		return refuse(k, "no server found for cluster \"%s\"", k->cluster_name);
	return access_set_server(access, server, k->error) || error_prefix(k->error, "%s: ", k->path);
}

static bool refuse_foreign(struct kubeconfig *k)
{
	static const struct {
		const char *key, *why;
	} refused[] = {
		{"exec", "no programs are started: use a token, a tokenFile or a client certificate"},
		{"auth-provider",
			"auth providers are not supported: use a token, a tokenFile or a client certificate"},
		{"as", "acting for another user is not supported"},
		{"as-uid", "acting for another user is not supported"},
		{"as-groups", "acting for another user is not supported"},
		{"as-user-extra", "acting for another user is not supported"},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(refused); i++)
		if (get(k, k->user, refused[i].key))
			return refuse(k, "user \"%s\": %s: %s", k->user_name, refused[i].key, refused[i].why);
	return true;
}

static bool read_user(struct kubeconfig *k)
{
	struct access *access = k->access;
	const char *token = get_text(k, k->user, "token"), *token_file = get_text(k, k->user, "tokenFile");

	if (!refuse_foreign(k) || !read_pem(k, k->user, "client-certificate", &access->certificate) ||
		!read_pem(k, k->user, "client-key", &access->key))
		return false;
	if (token_file)
		access->token.file = file_name(k, token_file);
	else if (token)
		buffer_text(&access->token.text, token);
	access->user = keep(k, get_text(k, k->user, "username"));
	access->password = keep(k, get_text(k, k->user, "password"));
	return true;
}

static bool read_document(struct kubeconfig *k, const char *context)
{
	if (!find_context(k, context) || !read_user(k) || !read_cluster(k))
		return false;
	return access_check_files(k->access, k->user_name ? k->user_name : "", k->cluster_name, k->error);
}

static bool parse(struct kubeconfig *k, const char *context, FILE *file)
{
	yaml_parser_t parser;
	bool is_good = false;

	if (!yaml_parser_initialize(&parser))
		abort(); /* out of memory */
	yaml_parser_set_input_file(&parser, file);
	if (!yaml_parser_load(&parser, &k->document)) {
		refuse(k, "line %zu: not YAML: %s", parser.problem_mark.line + 1,
			parser.problem ? parser.problem : "broken");
	} else {
		is_good = read_document(k, context);
		yaml_document_delete(&k->document);
	}
	yaml_parser_delete(&parser);
	return is_good;
}

bool kubeconfig_read(const char *path, const char *context, struct access *access, struct error *error)
{
	struct kubeconfig k = {.path = path, .access = access, .error = error};
	FILE *file = fopen(path, "re");
	bool is_good;

	if (!file)
		return error_set(error, "open %s: %s", path, strerror(errno));
	is_good = parse(&k, context, file);
	fclose(file);
	return is_good;
}
