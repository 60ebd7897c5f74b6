#include "flight.h"

#define UDP_SMALLEST 512 /* RFC 1035 section 2.3.4 */

static struct flight **bucket_of(struct flights *flights, uint64_t hash)
{
	return &flights->buckets[hash % FLIGHT_BUCKETS];
}

static bool asks_the_same(const struct request *a, const struct request *b)
{
	return a->question.type == b->question.type && a->question.class == b->question.class &&
	       a->edns.dnssec_ok == b->edns.dnssec_ok && !((a->flags ^ b->flags) & (FLAG_RD | FLAG_CD)) &&
	       name_equal(&a->question.name, &b->question.name);
}

/* How large a datagram may be that answers a request. */
static uint16_t room(const struct request *request)
{
	if (!request->edns.present || request->edns.payload < UDP_SMALLEST)
		return UDP_SMALLEST;
	return request->edns.payload;
}

/* Whether what the leader gets is not cut where it would be whole for a request over `transport`. */
static bool is_wide_enough(
	const struct request *leader, const struct request *request, enum transport transport)
{
	return leader->transport == transport &&
	       (transport != TRANSPORT_UDP || room(leader) >= room(request));
}

struct flight *flight_find(
	const struct flights *flights, uint64_t hash, const struct request *request, enum transport transport)
{
	struct flight *flight = flights->buckets[hash % FLIGHT_BUCKETS];

	while (flight && (flight->hash != hash || !asks_the_same(flight->leader, request) ||
				 !is_wide_enough(flight->leader, request, transport)))
		flight = flight->next;
	return flight;
}

void flight_begin(struct flights *flights, struct flight *flight, uint64_t hash, struct request *leader)
{
	struct flight **bucket = bucket_of(flights, hash);

	*flight = (struct flight){.next = *bucket, .hash = hash, .leader = leader};
	flight->last = &flight->waiting;
	*bucket = flight;
}

void flight_join(struct flight *flight, struct request *follower)
{
	follower->next = NULL;
	*flight->last = follower;
	flight->last = &follower->next;
}

void flight_leave(struct flight *flight, struct request *follower)
{
	struct request **link = &flight->waiting;

	while (*link != follower)
		link = &(*link)->next;
	*link = follower->next;
	if (!*link)
		flight->last = link;
}

struct request *flight_end(struct flights *flights, const struct flight *flight)
{
	struct flight **link = bucket_of(flights, flight->hash);

	while (*link != flight)
		link = &(*link)->next;
	*link = flight->next;
	return flight->waiting;
}
