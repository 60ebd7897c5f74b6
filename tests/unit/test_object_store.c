/* Objects in and out of the store, one by one as the Kubernetes API tells them and by whole lists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/cluster/object_store.h"
#include "svcdns/memory.h"

static uint64_t seconds; /* since 1970, as these tests have it */

static uint64_t fake_time(void)
{
	return seconds;
}

static struct text text(struct draft *draft, const char *value)
{
	return draft_text(draft, value, strlen(value));
}

static const struct object *make(
	struct draft *draft, enum object_kind kind, const char *namespace, const char *name)
{
	draft_clear(draft);
	draft->head.kind = (uint8_t)kind;
	draft->head.namespace = text(draft, namespace);
	draft->head.name = text(draft, name);
	return draft_pack(draft);
}

/* A ClusterIP Service with one port. */
static const struct object *make_service(
	struct draft *draft, const char *name, const char *cluster_ip, int32_t port)
{
	struct ip ip;

	assert_true(ip_parse(cluster_ip, &ip));
	make(draft, OBJECT_SERVICE, "shop", name);
	draft_address(draft, &ip);
	draft_port(&draft->service_ports)->number = port;
	return draft_pack(draft);
}

static const struct object *make_slice(
	struct draft *draft, const char *name, const char *service, const char *address)
{
	struct ip ip;

	assert_true(ip_parse(address, &ip));
	make(draft, OBJECT_ENDPOINT_SLICE, "shop", name);
	draft->head.service_name = text(draft, service);
	draft_endpoint(draft, &ip);
	return draft_pack(draft);
}

static const struct object *make_pod(
	struct draft *draft, const char *name, const char *address, bool is_terminating)
{
	struct ip ip;

	assert_true(ip_parse(address, &ip));
	make(draft, OBJECT_POD, "shop", name);
	draft->head.is_terminating = is_terminating;
	draft_address(draft, &ip);
	return draft_pack(draft);
}

static bool text_is(const struct object *object, struct text value, const char *wanted)
{
	return value.length == strlen(wanted) && memcmp(text_of(object, value), wanted, value.length) == 0;
}

/* Takes all dirty entities, as a publisher does. Returns how many there were, and the last of them that still
 * exists. */
static unsigned take_dirty(struct object_store *store, struct entity **ret_last)
{
	struct entity *entity;
	unsigned count = 0;

	*ret_last = NULL;
	for (; (entity = object_store_take_dirty(store)); count++)
		if (!entity->object && !entity->slices)
			object_store_forget(store, entity);
		else
			*ret_last = entity;
	return count;
}

static void test_put_and_delete(void **state)
{
	struct object_store *store = object_store_create(fake_time);
	struct draft draft = {0};
	struct entity *entity;

	(void)state;
	object_store_put(store, make_service(&draft, "web", "10.96.0.1", 80));
	assert_int_equal(take_dirty(store, &entity), 1);
	assert_int_equal(entity->kind, ENTITY_SERVICE);
	assert_int_equal(object_ports(&entity->object->object)->number, 80);
	assert_null(object_store_take_dirty(store));

	object_store_put(store, make_service(&draft, "web", "10.96.0.1", 80)); /* the same once more */
	assert_int_equal(take_dirty(store, &entity), 0);

	object_store_put(store, make_service(&draft, "web", "10.96.0.1", 81));
	assert_int_equal(take_dirty(store, &entity), 1);
	assert_int_equal(object_ports(&entity->object->object)->number, 81);

	object_store_delete(store, make(&draft, OBJECT_SERVICE, "shop", "other"));
	object_store_delete(store, make(&draft, OBJECT_SERVICE, "prod", "web"));
	object_store_delete(store, make(&draft, OBJECT_POD, "shop", "web"));
	assert_int_equal(take_dirty(store, &entity), 0);
	object_store_delete(store, make(&draft, OBJECT_SERVICE, "shop", "web"));
	assert_int_equal(take_dirty(store, &entity), 1);
	assert_null(entity);
	draft_finish(&draft);
	object_store_destroy(store);
}

static void test_slices_join_their_service(void **state)
{
	struct object_store *store = object_store_create(fake_time);
	struct draft draft = {0};
	struct entity *entity, *web;

	(void)state;
	/* In any order, and without the Service at first. */
	object_store_put(store, make_slice(&draft, "web-b", "web", "10.1.0.2"));
	object_store_put(store, make_slice(&draft, "web-c", "web", "10.1.0.3"));
	object_store_put(store, make_slice(&draft, "web-a", "web", "10.1.0.1"));
	assert_int_equal(take_dirty(store, &web), 1);
	assert_null(web->object);
	object_store_put(store, make_service(&draft, "web", "10.96.0.1", 80));
	assert_int_equal(take_dirty(store, &entity), 1);
	assert_ptr_equal(entity, web);
	assert_non_null(web->object);
	assert_true(text_is(&web->slices->object, web->slices->object.name, "web-a"));
	assert_true(text_is(&web->slices->next_slice->object, web->slices->next_slice->object.name, "web-b"));
	assert_non_null(web->slices->next_slice->next_slice);
	assert_null(web->slices->next_slice->next_slice->next_slice);

	/* A slice that goes over to another Service changes both. */
	object_store_put(store, make_slice(&draft, "web-b", "db", "10.1.0.2"));
	assert_int_equal(take_dirty(store, &entity), 2);
	assert_true(text_is(&web->slices->next_slice->object, web->slices->next_slice->object.name, "web-c"));

	/* The Service goes, its slices stay. */
	object_store_delete(store, make(&draft, OBJECT_SERVICE, "shop", "web"));
	assert_int_equal(take_dirty(store, &entity), 1);
	assert_ptr_equal(entity, web);
	assert_null(web->object);
	object_store_delete(store, make(&draft, OBJECT_ENDPOINT_SLICE, "shop", "web-a"));
	object_store_delete(store, make(&draft, OBJECT_ENDPOINT_SLICE, "shop", "web-c"));
	assert_int_equal(take_dirty(store, &entity), 1);
	assert_null(entity);
	draft_finish(&draft);
	object_store_destroy(store);
}

static void test_a_list_sweeps_what_it_does_not_hold(void **state)
{
	struct object_store *store = object_store_create(fake_time);
	struct draft draft = {0};
	struct entity *entity;

	(void)state;
	object_store_put(store, make_service(&draft, "a", "10.96.0.1", 80));
	object_store_put(store, make_service(&draft, "b", "10.96.0.2", 80));
	object_store_put(store, make_service(&draft, "c", "10.96.0.3", 80));
	object_store_put(store, make_pod(&draft, "p", "10.1.0.1", false));
	take_dirty(store, &entity);

	object_store_begin_list(store, OBJECT_SERVICE);
	object_store_put(store, make_service(&draft, "b", "10.96.0.2", 80)); /* as it was */
	object_store_put(store, make_service(&draft, "c", "10.96.0.3", 81)); /* changed */
	object_store_put(store, make_service(&draft, "d", "10.96.0.4", 80)); /* new */
	object_store_sweep(store, OBJECT_SERVICE);
	assert_int_equal(take_dirty(store, &entity), 3); /* a, c, d; the Pod is of another kind */

	/* A list that breaks off takes nothing away, and leaves no marks for the next. */
	object_store_begin_list(store, OBJECT_SERVICE);
	object_store_put(store, make_service(&draft, "b", "10.96.0.2", 80));
	object_store_begin_list(store, OBJECT_SERVICE);
	assert_false(object_store_has(store, make_service(&draft, "c", "10.96.0.3", 80)));
	assert_true(object_store_has(store, make_service(&draft, "c", "10.96.0.3", 81)));
	object_store_put(store, make_service(&draft, "d", "10.96.0.4", 80));
	object_store_sweep(store, OBJECT_SERVICE);
	assert_int_equal(take_dirty(store, &entity), 1); /* b */
	assert_null(entity);
	draft_finish(&draft);
	object_store_destroy(store);
}

static void test_a_terminating_pod_does_not_come_in(void **state)
{
	struct object_store *store = object_store_create(fake_time);
	struct draft draft = {0};
	struct entity *entity;

	(void)state;
	object_store_put(store, make_pod(&draft, "p", "10.1.0.1", true));
	assert_int_equal(take_dirty(store, &entity), 0);
	object_store_put(store, make_pod(&draft, "p", "10.1.0.1", false));
	assert_int_equal(take_dirty(store, &entity), 1);
	/* But one that is there stays as it was, also through a list, until it is deleted. */
	object_store_begin_list(store, OBJECT_POD);
	object_store_put(store, make_pod(&draft, "p", "10.1.0.2", true));
	object_store_sweep(store, OBJECT_POD);
	assert_int_equal(take_dirty(store, &entity), 0);
	object_store_delete(store, make(&draft, OBJECT_POD, "shop", "p"));
	assert_int_equal(take_dirty(store, &entity), 1);
	assert_null(entity);
	draft_finish(&draft);
	object_store_destroy(store);
}

/* Expects that what was just done to the store shows in the serial, or does not. */
static void assert_serial_moves(struct object_store *store, bool moves)
{
	if (moves)
		assert_int_equal(object_store_serial(store), seconds);
	else
		assert_int_not_equal(object_store_serial(store), seconds);
	seconds++;
}

static void test_serial(void **state)
{
	struct object_store *store = object_store_create(fake_time);
	struct draft draft = {0};

	(void)state;
	seconds = 1700000000;
	assert_int_equal(object_store_serial(store), 0);
	object_store_put(store, make(&draft, OBJECT_NAMESPACE, "", "shop"));
	assert_serial_moves(store, false);
	object_store_put(store, make_service(&draft, "web", "10.96.0.1", 80));
	assert_serial_moves(store, true);
	object_store_put(store, make_service(&draft, "web", "10.96.0.1", 80));
	assert_serial_moves(store, false);
	object_store_put(store,
		make_service(&draft, "web", "10.96.0.2", 80)); /* as CoreDNS: another ClusterIP does not */
	assert_serial_moves(store, false);
	object_store_put(store, make_service(&draft, "web", "10.96.0.2", 81));
	assert_serial_moves(store, true);
	object_store_put(store, make_slice(&draft, "web-a", "web", "10.1.0.1"));
	assert_serial_moves(store, true);
	object_store_put(store, make_slice(&draft, "web-a", "web", "10.1.0.2"));
	assert_serial_moves(store, true);
	object_store_put(store, make_pod(&draft, "p", "10.1.0.2", false));
	assert_serial_moves(store, true);
	object_store_delete(store, make(&draft, OBJECT_POD, "shop", "p"));
	assert_serial_moves(store, true);
	object_store_delete(store, make(&draft, OBJECT_POD, "shop", "p"));
	assert_serial_moves(store, false);
	object_store_delete(store, make(&draft, OBJECT_NAMESPACE, "", "shop"));
	assert_serial_moves(store, false);
	draft_finish(&draft);
	object_store_destroy(store);
}

static void test_many_objects(void **state)
{
	struct object_store *store = object_store_create(fake_time);
	struct draft draft = {0};
	struct entity *entity;
	char name[32];

	(void)state;
	for (int round = 0; round < 3; round++) {
		object_store_begin_list(store, OBJECT_SERVICE);
		for (int i = round * 1000; i < round * 1000 + 3000; i++) {
			snprintf(name, sizeof(name), "svc-%d", i);
			object_store_put(store, make_service(&draft, name, "10.96.0.1", 80));
		}
		object_store_sweep(store, OBJECT_SERVICE);
		assert_int_equal(take_dirty(store, &entity), round == 0 ? 3000 : 2000);
	}
	draft_finish(&draft);
	object_store_destroy(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_put_and_delete),
		cmocka_unit_test(test_slices_join_their_service),
		cmocka_unit_test(test_a_list_sweeps_what_it_does_not_hold),
		cmocka_unit_test(test_a_terminating_pod_does_not_come_in),
		cmocka_unit_test(test_serial),
		cmocka_unit_test(test_many_objects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
