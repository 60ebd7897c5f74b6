/* Health probes of one server: a question now and then until it is answered, whatever the answer. */
#include "group.h"
#include "svcdns/clock.h"

#define TIME_OUT CLOCK_S
#define DOUBLINGS                                                                                            \
	3 /* of the pause at most: a server that is gone for long is left alone, but not for long            \
	   */

static void on_timer(uv_timer_t *timer);

/* As often as configured until the server counts as down, then ever less often (milliseconds). */
static uint64_t pause_after(const struct server *server)
{
	const struct upstream_config *config = server->group->config;
	uint64_t interval = (uint64_t)config->health_interval / CLOCK_MS;
	int64_t beyond = (int64_t)server->fails - config->max_fails;

	interval = interval ? interval : 1;
	return beyond <= 0 ? interval : interval << (beyond < DOUBLINGS ? beyond : DOUBLINGS);
}

void probe_on_end(struct exchange *probe, bool is_answered)
{
	struct server *server = probe->attempts[0].server;

	server->probe = NULL;
	exchange_release(probe);
	if (is_answered) {
		probe_stop(server);
	} else {
		server->fails++;
		if (!server->group->is_stopping)
			count_failed_probe(server);
	}
}

static void send_probe(struct server *server)
{
	struct upstream_group *group = server->group;
	struct exchange *probe = exchange_take(group);
	char reason[256];

	probe->is_tcp = group->config->force_tcp;
	server->probe = probe;
	if (attempt_send(&probe->attempts[0], server, reason, sizeof(reason)))
		deadlines_add(&group->time_outs, probe, group->worker->now + TIME_OUT);
	else
		probe_on_end(probe, false);
}

static void on_timer(uv_timer_t *timer)
{
	struct server *server = CONTAINER_OF(timer, struct server, probe_timer);

	server->group->worker->now = clock_monotonic();
	if (!server->probe)
		send_probe(server);
	if (server->is_probing)
		uv_timer_start(timer, on_timer, pause_after(server), 0);
}

void probe_start(struct server *server)
{
	if (server->is_probing || server->group->is_stopping)
		return;
	server->is_probing = true;
	uv_timer_start(&server->probe_timer, on_timer, 0, 0);
}

void probe_stop(struct server *server)
{
	server->fails = 0;
	server->is_probing = false;
	uv_timer_stop(&server->probe_timer);
}

static void on_closed(uv_handle_t *handle)
{
	group_release(CONTAINER_OF((uv_timer_t *)handle, struct server, probe_timer)->group);
}

void probe_init(struct upstream_group *group, struct server *server)
{
	uv_timer_init(group->worker->loop, &server->probe_timer);
	group_hold(group);
}

void probe_close(struct server *server)
{
	uv_close((uv_handle_t *)&server->probe_timer, on_closed);
}
