/* kubernetes: answers the names of Services, endpoints and Pods from the service table.
 *
 * A worker holds one snapshot and takes a newer one between two batches. A query is one look-up in it, but
 * for ExternalNames, which are followed: inside the zone by further look-ups, outside by asking the whole
 * server. */
#include "kubernetes.h"

#include <string.h>

#include "svcdns/buffer.h"
#include "svcdns/memory.h"
#include "svcdns/reverse.h"

#define CHAIN_MAX 11 /* CNAME records of one answer that lead from Service to Service */

struct kubernetes_worker {
	struct kubernetes *config;
	struct feed_subscriber *subscriber;
	struct snapshot *snapshot; /* holds a reference */
	struct srv_scratch *scratch;
};

struct insight {		 /* request_state(): what the question means */
	const struct name *zone; /* that holds the name; NULL: none */
	struct parsed name;
	bool has_hash; /* it is a Service's name, or one below it */
	uint64_t hash;
};

static bool falls_through(const struct kubernetes *config, const struct name *name)
{
	return config->has_fallthrough && zones_match(&config->fallthrough, name);
}

/* NXDOMAIN and NODATA carry the SOA record (RFC 2308 section 3). */
static enum verdict deny(
	const struct kubernetes_worker *w, struct request *r, const struct name *zone, uint16_t rcode)
{
	request_reply(r, rcode, FLAG_AA);
	write_soa(w->config, w->snapshot, r, zone, SECTION_AUTHORITY);
	return VERDICT_ANSWERED;
}

static bool has_service(const struct kubernetes_worker *w, const struct parsed *parsed)
{
	return parsed->service.length &&
	       snapshot_service(w->snapshot, parsed->namespace.octets, parsed->namespace.length,
		       parsed->service.octets, parsed->service.length);
}

/* What must be known before a name can be said not to exist. */
static unsigned needed_parts(const struct kubernetes_worker *w, struct request *r)
{
	const struct parsed *parsed = &((const struct insight *)request_state(r))->name;
	struct ip ip;

	if (reverse_address(&r->question.name, &ip))
		return SNAPSHOT_SERVICES | SNAPSHOT_ENDPOINTS;
	if (parsed->kind == NAME_POD)
		return w->config->pods == PODS_VERIFIED ? SNAPSHOT_NAMESPACES | SNAPSHOT_PODS
							: SNAPSHOT_NAMESPACES;
	if (parsed->kind == NAME_SERVICE && has_service(w, parsed))
		return SNAPSHOT_NAMESPACES | SNAPSHOT_SERVICES | SNAPSHOT_ENDPOINTS;
	return SNAPSHOT_NAMESPACES | SNAPSHOT_SERVICES;
}

/* As long as the table is not complete, what is not in it may yet come. */
static enum verdict deny_name(const struct kubernetes_worker *w, struct request *r, const struct name *zone)
{
	bool is_certain =
		LIKELY(snapshot_is_synced(w->snapshot)) || snapshot_knows(w->snapshot, needed_parts(w, r));

	if (falls_through(w->config, &r->question.name))
		return VERDICT_NEXT;
	return deny(w, r, zone, is_certain ? RCODE_NXDOMAIN : RCODE_SERVFAIL);
}

static enum verdict finish(const struct kubernetes_worker *w, struct request *r, const struct name *zone)
{
	return r->reply.count[SECTION_ANSWER] ? VERDICT_ANSWERED : deny(w, r, zone, RCODE_NOERROR);
}

static bool is_label(const struct name *name, unsigned i, const char *text)
{
	uint8_t length;
	const uint8_t *label = name_label(name, i, &length);

	return length == strlen(text) && memcmp(label, text, length) == 0;
}

/* ns.dns.ZONE */
static bool is_name_server(const struct name *name, const struct name *zone)
{
	return name->labels == zone->labels + 2 && is_label(name, 0, "ns") && is_label(name, 1, "dns");
}

/* The same with the zone in lower case as it came: CoreDNS compares so. */
static bool is_name_server_as_came(const struct request *r, const struct name *zone)
{
	const struct name *name = &r->question.name;

	return is_name_server(name, zone) &&
	       memcmp(r->wire + MESSAGE_HEADER + name->offset[2], zone->wire, zone->length) == 0;
}

static void external_target(const struct service *service, struct name *ret)
{
	bool ok =
		name_from_wire(text_of(service, service->external_name), service->external_name.length, ret);

	assert(ok);
	(void)ok;
}

static void copy_answers(const struct request *child, struct request *r)
{
	struct reader reader;
	struct record record;

	reader_init(&reader, child->wire, child->reply.length, child->question.end);
	for (unsigned i = child->reply.count[SECTION_ANSWER]; i && reader_record(&reader, &record); i--)
		writer_record(&r->reply, SECTION_ANSWER, child->wire, child->reply.length, &record);
}

/* What the outside says of the name at the end of the chain; nothing is an answer as well. */
static enum verdict on_child(struct request *r, struct request *child)
{
	r->reply_flags |= child->reply_flags & FLAG_TC;
	copy_answers(child, r);
	request_release(child);
	return VERDICT_ANSWERED;
}

static enum verdict ask_outside(struct request *r, const struct name *target)
{
	struct request *child = request_child(r, target, r->question.type);

	if (!child)
		return VERDICT_ANSWERED;
	if (request_ask_server(child) == VERDICT_PENDING)
		return VERDICT_PENDING;
	return on_child(r, child);
}

static bool is_in_chain(const struct name *chain, unsigned count, const struct name *name)
{
	for (unsigned i = 0; i < count; i++)
		if (name_equal_nocase(&chain[i], name))
			return true;
	return false;
}

/* A and AAAA of an ExternalName. A chain that leads to nothing inside the zone, or back to where it was, is
 * no answer; one that leads outside is one in any case. */
static enum verdict chase(const struct kubernetes_worker *w, struct request *r, const struct name *zone,
	const struct service *service)
{
	struct name chain[CHAIN_MAX], target;
	unsigned count = 0;

	for (; count < CHAIN_MAX; count++) {
		struct parsed parsed;
		struct found found;

		external_target(service, &chain[count]);
		target = chain[count];
		name_lower(&target);
		if (name_is_under(&target, &r->question.name) || is_in_chain(chain, count, &target))
			return deny(w, r, zone, RCODE_NOERROR);
		write_cname(w->config, r, count ? &chain[count - 1] : NULL, &chain[count]);
		if (!name_is_under(&target, zone))
			return ask_outside(r, &chain[count]);
		parse_name(&target, zone, w->config->zonal, &parsed);
		found = find_name(w->config, w->snapshot, &target, &parsed, NULL);
		if (found.kind != FOUND_EXTERNAL)
			return write_addresses(w->config, r, &found, r->question.type, &chain[count])
				       ? VERDICT_ANSWERED
				       : deny(w, r, zone, RCODE_NOERROR);
		service = found.service;
	}
	return deny(w, r, zone, RCODE_NOERROR);
}

static enum verdict serve_addresses(const struct kubernetes_worker *w, struct request *r,
	const struct name *zone, const struct found *found)
{
	request_reply(r, RCODE_NOERROR, FLAG_AA);
	if (found->kind == FOUND_EXTERNAL)
		return chase(w, r, zone, found->service);
	write_addresses(w->config, r, found, r->question.type, NULL);
	return finish(w, r, zone);
}

static enum verdict serve_cname(const struct kubernetes_worker *w, struct request *r, const struct name *zone,
	const struct found *found)
{
	struct name target;

	request_reply(r, RCODE_NOERROR, FLAG_AA);
	if (found->kind == FOUND_EXTERNAL) {
		external_target(found->service, &target);
		write_cname(w->config, r, NULL, &target);
	}
	return finish(w, r, zone);
}

static enum verdict serve_srv(const struct kubernetes_worker *w, struct request *r, const struct name *zone,
	const struct found *found)
{
	request_reply(r, RCODE_NOERROR, FLAG_AA);
	write_srv(w->config, w->scratch, r, found, zone);
	return finish(w, r, zone);
}

static struct found find_asked(const struct kubernetes_worker *w, struct request *r)
{
	const struct insight *insight = request_state(r);

	return find_name(w->config, w->snapshot, &r->question.name, &insight->name,
		insight->has_hash ? &insight->hash : NULL);
}

/* Any other type: the name exists or it does not. */
static enum verdict serve_name(const struct kubernetes_worker *w, struct request *r, const struct name *zone)
{
	struct found found = find_asked(w, r);

	if (found.kind == FOUND_NOTHING)
		return deny_name(w, r, zone);
	switch (r->question.type) {
	case TYPE_A:
	case TYPE_AAAA:
		return serve_addresses(w, r, zone, &found);
	case TYPE_SRV:
		return serve_srv(w, r, zone, &found);
	case TYPE_CNAME:
		return serve_cname(w, r, zone, &found);
	default:
		return deny(w, r, zone, RCODE_NOERROR);
	}
}

static bool has_records(const struct found *found)
{
	struct candidates at = {0};
	struct candidate candidate;

	return found->kind == FOUND_POD || found->kind == FOUND_EXTERNAL ||
	       next_candidate(found, &at, &candidate);
}

/* The version of the specification (section 2.2). Otherwise there is no TXT record; names without any record
 * of their own are said not to exist, as CoreDNS has it. */
static enum verdict serve_txt(const struct kubernetes_worker *w, struct request *r, const struct name *zone)
{
	const struct name *name = &r->question.name;
	struct found found;

	if (name->labels == zone->labels + 1 && is_label(name, 0, "dns-version")) {
		request_reply(r, RCODE_NOERROR, FLAG_AA);
		write_version(r);
		return VERDICT_ANSWERED;
	}
	found = find_asked(w, r);
	if (has_records(&found) || (found.kind == FOUND_NAME && found.service))
		return deny(w, r, zone, RCODE_NOERROR);
	return deny_name(w, r, zone);
}

static enum verdict serve_ptr(const struct kubernetes_worker *w, struct request *r, const struct name *zone)
{
	struct ip ip;

	if (!reverse_address(&r->question.name, &ip))
		return serve_name(w, r, zone);
	request_reply(r, RCODE_NOERROR, FLAG_AA);
	return write_ptr(w->config, w->snapshot, r, &ip) ? VERDICT_ANSWERED : deny_name(w, r, zone);
}

static enum verdict serve_soa(const struct kubernetes_worker *w, struct request *r, const struct name *zone)
{
	request_reply(r, RCODE_NOERROR, FLAG_AA);
	if (r->question.name.labels == zone->labels)
		write_soa(w->config, w->snapshot, r, zone, SECTION_ANSWER);
	return finish(w, r, zone);
}

/* The zone itself, asked for in lower case: CoreDNS compares so. */
static bool is_apex_as_came(const struct request *r, const struct name *zone)
{
	return r->question.name.labels == zone->labels &&
	       memcmp(r->wire + MESSAGE_HEADER, zone->wire, zone->length) == 0;
}

static enum verdict serve_ns(const struct kubernetes_worker *w, struct request *r, const struct name *zone)
{
	request_reply(r, RCODE_NOERROR, FLAG_AA);
	write_ns(w->config, w->snapshot, r, zone);
	return finish(w, r, zone);
}

static enum verdict serve_name_server(
	const struct kubernetes_worker *w, struct request *r, const struct name *zone)
{
	request_reply(r, RCODE_NOERROR, FLAG_AA);
	if (r->question.type == TYPE_A || r->question.type == TYPE_AAAA)
		write_ns_addresses(w->config, w->snapshot, r);
	return finish(w, r, zone);
}

/* The labels are hashed where they stand: the Service's, and behind it the namespace's. */
static void understand(const struct kubernetes_worker *w, const struct request *r, struct insight *ret)
{
	const struct parsed *name = &ret->name;

	ret->zone = zones_match(&w->config->zones, &r->question.name);
	ret->has_hash = false;
	if (!ret->zone)
		return;
	parse_name(&r->question.name, ret->zone, w->config->zonal, &ret->name);
	if (name->kind != NAME_SERVICE || !name->service.length)
		return;
	ret->has_hash = true;
	ret->hash = snapshot_hash(
		w->snapshot, name->service.octets - 1, 2u + name->service.length + name->namespace.length);
}

static enum verdict serve(void *self, struct request *r)
{
	const struct kubernetes_worker *w = self;
	struct insight *insight = request_state(r);
	const struct name *zone;

	if (UNLIKELY(!r->is_foreseen))
		understand(w, r, insight);
	zone = insight->zone;
	if (!zone)
		return VERDICT_NEXT;
	switch (r->question.type) {
	case TYPE_TXT:
		return serve_txt(w, r, zone);
	case TYPE_PTR:
		return serve_ptr(w, r, zone);
	case TYPE_SOA:
		return serve_soa(w, r, zone);
	case TYPE_NS:
		if (is_apex_as_came(r, zone))
			return serve_ns(w, r, zone);
		break;
	case TYPE_AXFR:
	case TYPE_IXFR:
		return request_fail(r, RCODE_REFUSED, "%s", "");
	default:
		break;
	}
	if (UNLIKELY(is_name_server_as_came(r, zone)))
		return serve_name_server(w, r, zone);
	return serve_name(w, r, zone);
}

/* ns.dns.ZONE alone exists without being of this form. */
static bool is_absent(
	const struct kubernetes_worker *w, const struct name *name, const struct insight *insight)
{
	if (insight->has_hash)
		return !snapshot_prefetch_service(w->snapshot, insight->hash);
	return insight->name.kind == NAME_INVALID && !is_name_server(name, insight->zone);
}

/* Of addresses, which are what is searched for. */
static bool rules_out(void *self, struct request *r)
{
	const struct kubernetes_worker *w = self;
	const struct insight *insight = request_state(r);
	const struct question *question = &r->question;

	return insight->zone && (question->type == TYPE_A || question->type == TYPE_AAAA) &&
	       snapshot_is_synced(w->snapshot) && is_absent(w, &question->name, insight) &&
	       !falls_through(w->config, &question->name);
}

static void look_ahead(void *self, struct request *r, unsigned step)
{
	const struct kubernetes_worker *w = self;
	struct insight *insight = request_state(r);

	if (step == 0)
		understand(w, r, insight);
	if (!insight->has_hash)
		return;
	if (step == 0)
		snapshot_prefetch_directory(w->snapshot, insight->hash);
	else if (step == 1)
		snapshot_prefetch_index(w->snapshot, insight->hash);
	else
		snapshot_prefetch_service(w->snapshot, insight->hash);
}

static enum verdict resume(void *self, struct request *r, struct request *child)
{
	(void)self;
	return on_child(r, child);
}

static const struct pod *find_pod(const struct kubernetes_worker *w, const struct ip *client)
{
	uint64_t cursor = 0;

	return snapshot_pod(w->snapshot, client, &cursor);
}

static bool find_namespace(void *self, const struct ip *client, uint8_t ret_label[63], uint8_t *ret_length)
{
	const struct pod *pod = find_pod(self, client);

	if (!pod)
		return false;
	*ret_length = pod->namespace.length;
	memcpy(ret_label, text_of(pod, pod->namespace), pod->namespace.length);
	return true;
}

static bool find_label(void *self, const struct request *r, const char *label, char ret[METADATA_MAX])
{
	const struct kubernetes_worker *w = self;
	struct ip client;

	address_ip(&r->client, &client);
	return kubernetes_find_label(w->config, r, label, find_pod(w, &client), ret);
}

static bool machine_search_name(const struct kubernetes *config, unsigned index, struct name *ret)
{
	if (index >= config->machine.search_count)
		return false;
	*ret = config->machine.search[index];
	return true;
}

/* What a kubelet writes into a Pod's resolv.conf: namespace.svc.ZONE, svc.ZONE, ZONE, and the machine's list.
 */
static bool find_search_name(void *self, const struct request *r, unsigned index, struct name *ret)
{
	const struct kubernetes_worker *w = self;
	const struct name *zone = zones_match(&w->config->zones, &r->question.name);
	uint8_t wire[NAME_WIRE_MAX];
	const struct pod *pod;
	struct writer writer;
	struct ip client;

	address_ip(&r->client, &client);
	if (w->config->pods != PODS_VERIFIED || !zone || !(pod = find_pod(w, &client)))
		return false;
	if (index > 2)
		return machine_search_name(w->config, index - 3, ret);
	writer_init(&writer, wire, 0, sizeof(wire));
	if (index < 1)
		writer_label(&writer, text_of(pod, pod->namespace), (uint8_t)pod->namespace.length);
	if (index < 2)
		writer_label(&writer, "svc", 3);
	writer_bytes(&writer, zone->wire, zone->length);
	return !writer.overflow && name_from_wire(wire, writer.length, ret);
}

static void *setup(struct setup *setup, struct error *error)
{
	return kubernetes_settings(setup, error);
}

static bool open_feed(void *config, struct error *error)
{
	struct kubernetes *kubernetes = config;

	/* A table is read as a whole; of the API only what somebody asks for. */
	kubernetes->feed_config.pods = kubernetes->feed_config.table || kubernetes->pods == PODS_VERIFIED ||
				       kubernetes->setup->needs->client_pods;
	return kept_feed_take(kubernetes, error);
}

/* Each resource that has not been listed, and what came between. */
static void add_unsynced(const struct feed_counts *counts, struct buffer *out)
{
	for (size_t i = 0; i < FEED_RESOURCES; i++) {
		const struct feed_resource *resource = &counts->resources[i];

		if (resource->name && !resource->is_synced)
			buffer_format(out, "%s%s: %s", out->length ? "\n" : "", resource->name,
				*resource->failure ? resource->failure : "not listed yet");
	}
}

static bool is_ready(void *config, struct buffer *ret_why)
{
	struct kubernetes *kubernetes = config;
	struct feed *feed = kubernetes->feed;
	struct feed_counts counts;

	if (!feed) {
		buffer_text(ret_why, "the server is starting");
		return false;
	}
	if (feed_is_synced(feed))
		return true;
	counts = feed_counts(feed);
	add_unsynced(&counts, ret_why);
	return false;
}

static void close_feed(void *config)
{
	kept_feed_release(config);
}

static void refresh(void *self)
{
	struct kubernetes_worker *w = self;
	struct snapshot *fresh = feed_take(w->subscriber);

	if (LIKELY(!fresh))
		return;
	snapshot_unref(w->snapshot);
	w->snapshot = fresh;
}

static void *start(void *config, struct worker *worker)
{
	struct kubernetes_worker *w = memory_zero(1, sizeof(*w));

	(void)worker;
	w->config = config;
	w->subscriber = feed_subscribe(w->config->feed);
	w->scratch = srv_scratch_create();
	refresh(w);
	assert(w->snapshot);
	return w;
}

static void stop(void *self)
{
	struct kubernetes_worker *w = self;

	feed_unsubscribe(w->subscriber);
	snapshot_unref(w->snapshot);
	srv_scratch_destroy(w->scratch);
	memory_free(w);
}

extern const struct plugin plugin_kubernetes;

const struct plugin plugin_kubernetes = {
	.name = "kubernetes",
	.state_size = sizeof(struct insight),
	.is_fresh = true,
	.setup = setup,
	.open = open_feed,
	.start = start,
	.refresh = refresh,
	.look_ahead = look_ahead,
	.rules_out = rules_out,
	.serve = serve,
	.resume = resume,
	.find_namespace = find_namespace,
	.find_label = find_label,
	.find_search_name = find_search_name,
	.is_ready = is_ready,
	.collect = kubernetes_collect,
	.stop = stop,
	.close = close_feed,
};
