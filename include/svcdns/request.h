/* One query on its way through the chain, and the reply that is written over it.
 *
 * Lifetime "exchange": a request comes from its worker's pool and goes back to it. The buffer behind `wire` is
 * REQUEST_WIRE_MAX octets of address space of which only the touched pages cost memory, so that a reply may grow to
 * 64 KiB in place; a usual query, struct and wire together, touches one page. The two octets before `wire` are free
 * for the length prefix of TCP. */
#ifndef SVCDNS_REQUEST_H
#define SVCDNS_REQUEST_H

#include "svcdns/address.h"
#include "svcdns/message.h"
#include "svcdns/writer.h"

struct chain;
struct link;
struct plugin;
struct route;
struct router;
struct worker;

#define REQUEST_WIRE_MAX  MESSAGE_MAX
#define REQUEST_STATE_MAX 512               /* octets of per-request plugin state, all plugins of a chain together */
#define REQUEST_DEPTH_MAX 10                /* child of child of child ... */
#define METADATA_MAX      256               /* octets of a label's value, its NUL included; what is longer is cut */

enum transport { TRANSPORT_UDP, TRANSPORT_TCP };

enum verdict {
	VERDICT_NEXT,                       /* not mine: ask the next plugin */
	VERDICT_ANSWERED,                   /* the reply stands in the request: go back up */
	VERDICT_PENDING,                    /* request_resume() will be called later */
	VERDICT_DROP                        /* no reply at all */
};

enum admission {
	ADMISSION_SERVE,                    /* `chain` is to serve it */
	ADMISSION_FAIL,                     /* the reply is an error that only has to be finished */
	ADMISSION_REJECT,                   /* the reply is a header, and complete */
	ADMISSION_DROP
};

struct request {
	/* Where it came from. */
	struct worker       *worker;
	const struct router *router;        /* of the socket it came to: a server-wide look-up starts there again */
	enum transport       transport;
	union address        client, local; /* local: the address that was asked, also on wildcard sockets */
	uint64_t             received;      /* worker->now when it was read, ns */
	uint64_t             deadline;      /* worker->now until which it may wait for others, ns; UINT64_MAX: no limit */

	/* The question. The wire keeps it as it came, 0x20 case included, from octet 12 on. */
	uint16_t        id, flags;          /* header as it came (message.h, FLAG_*) */
	size_t          query_length;       /* octets of the whole query */
	struct question question;           /* name in lower case */
	struct edns     edns;

	/* The reply. */
	struct writer reply;                /* over `wire`, begins behind the question */
	uint16_t      rcode;                /* 12 bits (RFC 6891 section 6.1.3) */
	uint16_t      reply_flags;          /* FLAG_AA, FLAG_TC, FLAG_RD, FLAG_RA, FLAG_AD, FLAG_CD */
	bool          bare;                 /* header and question only: nothing was written for this rcode */
	bool          is_dropped;           /* it will not be sent */
	uint16_t      opt_length;           /* octets of the OPT record that came with the reply, as an upstream's does: for the log */
	bool          extended_error;       /* extended_error_code goes into the OPT record (RFC 8914), which there is then */
	uint16_t      extended_error_code;
	char          error[192];           /* why it failed, for the errors plugin; "" if it did not */

	bool          is_foreseen;          /* look_ahead() of its plugins was called, for the question as it stands there now */

	/* Its place in the chain. */
	enum admission      admission;      /* what query_read() made of it */
	const struct route *route;          /* by which it came to the chain; of a child that asks below, its parent's */
	const struct chain *chain;
	unsigned            first;          /* index of the topmost link that sees it: not 0 for some children */
	unsigned            position;       /* index of the link that serves it now */
	const struct plugin *answered_by;   /* NULL: none */
	bool                has_metadata;   /* the metadata plugin of its block takes its name */
	union address       upstream;       /* that was asked last for it; AF_UNSPEC: none */
	bool                is_waiting;     /* a plugin returned VERDICT_PENDING */
	bool                is_detached;    /* has neither parent nor client: see request_detach() */
	_Alignas(16) unsigned char state[REQUEST_STATE_MAX];    /* see request_state() */

	/* Children: look-ups that a plugin makes on behalf of this one. */
	struct request *parent;
	unsigned        depth;              /* 0 for what came from a client */

	/* Whoever received it: called once when a request that query_answer() left pending is done. */
	void  (*deliver)(struct request *, enum verdict);       /* VERDICT_ANSWERED: wire[0 .. reply.length); VERDICT_DROP */
	void   *owner;                      /* the connection or socket; of no meaning to anyone else */

	struct request *next;               /* in the pool, or in whatever list its holder keeps */
	void           *mapping;            /* where it stands in memory: for the pool */
	uint8_t        *wire;
};

/* A request from the pool: never NULL. Everything but the identity (worker, wire) is undefined. */
struct request *request_take(struct worker *worker);
void            request_release(struct request *request);               /* accepts NULL */

/* Per-request state of the plugin that is serving (its plugin->state_size octets); undefined until the plugin writes it. */
void *request_state(struct request *request);

/* Changes flags of the query's header: for the plugins below, and for a server that it is forwarded to. */
void request_change_flags(struct request *request, uint16_t clear, uint16_t set);

/* Begins a reply: header and question stay, sections are empty. flags: of FLAG_AA, FLAG_RA, FLAG_AD; RD and CD are the
 * client's. */
void request_reply(struct request *request, uint16_t rcode, uint16_t flags);
/* Answers with header and question only, and notes why. Returns VERDICT_ANSWERED. */
enum verdict request_fail(struct request *request, uint16_t rcode, const char *reason, ...) ATTRIBUTE_PRINTF(3, 4);
/* Takes over a whole message (header included, OPT record left out) that answers the same question: a reply of an upstream
 * or of the cache. False: malformed, or it does not repeat the question; nothing was changed then. */
bool request_reply_message(struct request *request, const uint8_t *message, size_t length);

enum reply_kind {
	REPLY_OTHER,                        /* transfers, NOTIFY, errors but those below, NXDOMAIN with answers */
	REPLY_SUCCESS,                      /* NOERROR with answers, or with neither answers nor SOA nor NS */
	REPLY_DELEGATION,
	REPLY_NXDOMAIN,
	REPLY_NODATA,                       /* NOERROR without answers, with a SOA record */
	REPLY_FAILURE                       /* SERVFAIL, NOTIMP */
};

/* What kind of reply stands in a request, by CoreDNS' rules (facts of plugin/pkg/response). */
enum reply_kind request_reply_kind(const struct request *request);
/* Octets of the reply as CoreDNS counts them: without compression, and without an OPT record that is our own; 0 of one that
 * was dropped. */
size_t request_reply_size(const struct request *request);

/* A child of `parent` that asks for name (any case) and type, with the client, EDNS and flags of its parent. NULL when the
 * parent is REQUEST_DEPTH_MAX deep. What comes back is read from child->rcode, child->bare, child->reply.count and, from
 * child->question.end on, child->wire: no OPT record, never truncated, header not written. */
struct request *request_child(struct request *parent, const struct name *name, uint16_t type);
/* A child for a plugin that tries several names: the next is put into question.name, in lower case. NULL as above. */
struct request *request_candidate(struct request *parent, uint16_t type);
/* Whether request_ask_below() would surely come to NXDOMAIN for the candidate's name. It costs less, and the candidate may have
 * another name afterwards. */
bool request_is_ruled_out(struct request *candidate);
/* A question of the server's own, RD set, for upstream_ask(): it has no client, no parent and no chain. */
struct request *request_own(struct worker *worker, const struct name *name, uint16_t type);
/* Sends a child down the rest of the parent's chain, or through the whole server. VERDICT_ANSWERED: read it, then
 * request_release() it. VERDICT_PENDING: return that; when the child is done, the plugin's resume() gets it, and
 * releases it likewise. A child that was dropped comes back as a bare SERVFAIL. */
enum verdict request_ask_below(struct request *child);
enum verdict request_ask_server(struct request *child);

/* The reply of a child as that to the request itself: rcode, flags, records, and why it failed. */
void request_reply_child(struct request *request, const struct request *child);
/* The same, behind a CNAME record from the name that was asked to `target`, which the child has records of. Nobody signed
 * that one: no AD (RFC 4035 section 3.2.3). */
void request_reply_alias(struct request *request, const struct request *child, const struct name *target, uint32_t ttl);

/* Cuts a child that is VERDICT_PENDING loose from its parent, which may go on at once. When the child is done, done() is
 * called with it instead of the plugin's resume(), and releases it; `owner` is the caller's. */
void request_detach(struct request *child, void (*done)(struct request *, enum verdict), void *owner);

/* Whether records of a name are wanted: class IN, and neither a NOTIFY nor a transfer. */
bool request_is_look_up(const struct request *request);

/* The value of a label of metadata, as "forward/upstream", by whichever plugin of the chain gives it. False: none does, or the
 * request has no metadata. */
bool request_find_label(const struct request *request, const char *label, char ret[METADATA_MAX]);

/* False when so many requests of this worker wait already that no further one may: answer SERVFAIL then. */
bool request_may_wait(const struct request *request);
/* Goes on with a request for which serve() or resume() returned VERDICT_PENDING; call it on the worker's own thread and
 * not from within that serve(). The request may be gone when it returns. */
void request_resume(struct request *request, enum verdict verdict);

#endif
