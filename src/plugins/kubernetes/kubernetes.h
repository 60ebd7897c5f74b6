/* Inside kubernetes: what is configured, and what a query's name turned out to mean. */
#ifndef KUBERNETES_H
#define KUBERNETES_H

#include "svcdns/feed.h"
#include "svcdns/resolv_conf.h"
#include "svcdns/setup.h"

enum pods_mode { PODS_DISABLED, PODS_INSECURE, PODS_VERIFIED };

#define LOCAL_ADDRESSES_MAX 32

struct kept_feed;

struct kubernetes { /* lifetime: configuration */
	const struct setup *setup;
	const struct directive *directive;
	struct zones zones;
	const struct name *primary; /* first zone that is not for reverse names: PTR records point into it */
	struct zones fallthrough;
	bool has_fallthrough;
	uint32_t ttl;
	enum pods_mode pods;
	bool ignore_empty, zonal, has_namespaces;
	struct ip local[LOCAL_ADDRESSES_MAX]; /* this server's own, loopback left out: what NS answers are
						 made of */
	size_t local_count;
	struct resolv_conf machine; /* its search list is the end of every Pod's */
	struct selector *labels,
		*namespace_labels; /* until open(), as feed_config.api.access; then they are the feed's */
	struct words files;	   /* that feed_config.api.access was made of */
	struct feed_config feed_config;
	struct kept_feed *kept;	   /* from open() to close() */
	struct feed *_Atomic feed; /* its */
};

struct label { /* lower case; not terminated */
	const uint8_t *octets;
	uint8_t length; /* 0: there is none */
};

/* A name of the cluster zone, taken apart from the right (Kubernetes DNS specification 1.1 section 2). */
struct parsed {
	enum {
		NAME_INVALID,
		NAME_EXISTS,
		NAME_POD,
		NAME_SERVICE
	} kind; /* EXISTS: the zone itself, svc, pod */
	struct label namespace,
		service; /* service: of NAME_POD the Pod's label. Length 0: a namespace's own name */
	struct label endpoint;
	struct label port, protocol; /* without underscores; may be empty, which fits all */
	bool has_port;
	bool prefers_zone;
	uint8_t zone_labels; /* of a zonal name: how many of `first` on are the topology zone; 0: it is none
			      */
	const uint8_t *first;
};

/* A name of `zone`, both in lower case. The result points into the name. */
void parse_name(const struct name *name, const struct name *zone, bool zonal, struct parsed *ret);

/* The value of a label of metadata, as "kubernetes/namespace"; false: none of ours. client: its Pod, NULL:
 * not known. */
bool kubernetes_find_label(const struct kubernetes *config, const struct request *r, const char *label,
	const struct pod *client, char ret[METADATA_MAX]);

/* Records that fit a name, before their type is looked at. */
struct found {
	enum {
		FOUND_NOTHING,
		FOUND_NAME,
		FOUND_CLUSTER_IPS,
		FOUND_ENDPOINTS,
		FOUND_EXTERNAL,
		FOUND_POD
	} kind;
	/* NOTHING: NXDOMAIN. NAME: exists, has no records of its own. */
	const struct service *service;
	const struct parsed *name;
	bool has_zone; /* only endpoints of the name's topology zone */
	struct ip pod;
};

/* Looks a name up; hash: that of its Service, NULL: not known. */
struct found find_name(const struct kubernetes *config, const struct snapshot *snapshot,
	const struct name *name, const struct parsed *parsed, const uint64_t *hash);

/* One address with one port that fits; several may be alike. */
struct candidate {
	const uint8_t *address;
	uint8_t family;
	const struct port *port;
	const struct endpoint *endpoint; /* NULL: a ClusterIP */
};

struct candidates { /* where the walk over them is; begin with zeros */
	uint32_t major, minor;
};

/* The next candidate of FOUND_CLUSTER_IPS or FOUND_ENDPOINTS. */
bool next_candidate(const struct found *found, struct candidates *at, struct candidate *ret);

/* Writing into r->reply, which has been begun. `zone` is the matching zone of the question. */
void write_soa(const struct kubernetes *config, const struct snapshot *snapshot, struct request *r,
	const struct name *zone, enum section section);
/* Addresses of one family; `owner` NULL: the question's name. True: there were some. */
bool write_addresses(const struct kubernetes *config, struct request *r, const struct found *found,
	uint16_t type, const struct name *owner);
struct srv_scratch; /* one for each worker */
struct srv_scratch *srv_scratch_create(void);
void srv_scratch_destroy(struct srv_scratch *scratch);
void write_srv(const struct kubernetes *config, struct srv_scratch *scratch, struct request *r,
	const struct found *found, const struct name *zone);
/* What stands before the zone in a Service's name, or in that of one of its endpoints. */
void write_service_labels(struct writer *w, const struct service *service, const struct endpoint *endpoint);
/* The zone's part of the question, not compressed. */
void copy_zone(struct request *r, const struct name *zone);
void write_version(struct request *r);
void write_ns(const struct kubernetes *config, const struct snapshot *snapshot, struct request *r,
	const struct name *zone);
void write_ns_addresses(const struct kubernetes *config, const struct snapshot *snapshot, struct request *r);
/* False: no Service has the address. */
bool write_ptr(const struct kubernetes *config, const struct snapshot *snapshot, struct request *r,
	const struct ip *ip);
/* owner NULL: the question's name. */
void write_cname(const struct kubernetes *config, struct request *r, const struct name *owner,
	const struct name *target);

/* Reads the directive; NULL: refused, error set. */
struct kubernetes *kubernetes_settings(struct setup *setup, struct error *error);

/* The feed of the configuration before, or one of its own. */
bool kept_feed_take(struct kubernetes *kubernetes, struct error *error);
/* What kept_feed_take() took; where it was not called, what the settings hold. */
void kept_feed_release(struct kubernetes *kubernetes);
void kept_feed_forget(struct kubernetes *kubernetes); /* the latter only */

/* Samples of an open feed (struct plugin). */
struct metrics_page;
void kubernetes_collect(void *config, struct metrics_page *page);

#endif
