/* Zones as a Corefile writes them: server keys taken apart, CIDRs turned into reverse zones, the longest
 * match. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "svcdns/buffer.h"
#include "svcdns/zones.h"

static void show(const struct zones *zones, struct buffer *out)
{
	char text[NAME_TEXT_MAX];

	for (size_t i = 0; i < zones->count; i++) {
		name_to_text(&zones->names[i], text);
		buffer_format(out, " %s", text);
	}
}

/* "SCHEME PORT ZONES", or why the key is refused. */
static void expect_key(const char *key, const char *expected)
{
	struct server_key parsed;
	struct error error;
	struct arena arena;
	struct buffer out;

	arena_init(&arena);
	buffer_init(&out);
	if (zones_parse_key(key, &arena, &parsed, &error)) {
		buffer_format(&out, "%s %s", parsed.scheme, parsed.port ? parsed.port : "-");
		show(&parsed.zones, &out);
	} else {
		buffer_text(&out, error.message);
	}
	assert_string_equal(out.bytes, expected);
	buffer_finish(&out);
	arena_finish(&arena);
}

static void test_keys(void **state)
{
	static const struct {
		const char *key, *expected;
	} cases[] = {
		{".", "dns - ."},
		{"Example.ORG", "dns - example.org."},
		{"example.org.:1053", "dns 1053 example.org."},
		{"dns://example.org:53", "dns 53 example.org."},
		{"tls://.", "tls - ."},
		{"HTTPS3://.:8443", "https3 8443 ."},
		{".:0", "dns 0 ."},
		{".:+53", "dns 53 ."},
		{".:00053", "dns 53 ."},
		{".:65536", "dns 65536 ."}, /* the server refuses it, as CoreDNS' does */
		{"127.0.0.1", "dns - 127.0.0.1."},
		{"_tcp.*.example", "dns - _tcp.*.example."},
		{"b\xc3\xbc"
		 "cher.example",
			"dns - b\\195\\188cher.example."},
		{"0/25.2.0.192.in-addr.arpa", "dns - 0/25.2.0.192.in-addr.arpa."}, /* RFC 2317 */
		{"10.0.0.0/24", "dns - 0.0.10.in-addr.arpa."},
		{"10.1.2.3/16:1053", "dns 1053 1.10.in-addr.arpa."},
		{"0.0.0.0/0", "dns - in-addr.arpa."},
		{"10.1.4.0/22", "dns - 4.1.10.in-addr.arpa. 5.1.10.in-addr.arpa. 6.1.10.in-addr.arpa. "
				"7.1.10.in-addr.arpa."},
		{"10.0.0.5/31", "dns - 4.0.0.10.in-addr.arpa. 5.0.0.10.in-addr.arpa."},
		{"2001:db8::/32", "dns - 8.b.d.0.1.0.0.2.ip6.arpa."},
		{"2001:db8::/32:1053", "dns 1053 8.b.d.0.1.0.0.2.ip6.arpa."},
		{"2001:db8::/30", "dns - 8.b.d.0.1.0.0.2.ip6.arpa. 9.b.d.0.1.0.0.2.ip6.arpa. "
				  "a.b.d.0.1.0.0.2.ip6.arpa. b.b.d.0.1.0.0.2.ip6.arpa."},
		{"2001:db8::/35", "dns - 0.8.b.d.0.1.0.0.2.ip6.arpa. 1.8.b.d.0.1.0.0.2.ip6.arpa."},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
		expect_key(cases[i].key, cases[i].expected);
}

static void test_refused_keys(void **state)
{
	static const struct {
		const char *key, *message;
	} cases[] = {
		{"", "zone is not a valid domain name: "},
		{":53", "zone is not a valid domain name: "},
		{".:", "expecting data after last colon: \".:\""},
		{"a..example", "zone is not a valid domain name: a..example"},
		{"example.org:domain", "zone is not a valid domain name: example.org:domain"},
		{"a.example:1,b.example", "zone is not a valid domain name: a.example:1,b.example"},
		{"a.example b.example:1", "zone is not a valid domain name: a.example b.example"},
		{"example.org{", "zone is not a valid domain name: example.org{"},
		{"(snippet)", "zone is not a valid domain name: (snippet)"},
		{"10.0.0.0/33", "zone is not a valid domain name: 10.0.0.0/33"},
		{"10.1/16", "zone is not a valid domain name: 10.1/16"},
		{"2001:db8::/129", "zone is not a valid domain name: 2001:db8::/129"},
		{"2001:db8::1", "zone is not a valid domain name: 2001:db8:"},
		{"::/0", "invalid CIDR ::/0"},
		{"0064:ff9b::/96", "invalid CIDR 0064:ff9b::/96"},
		{"udp://.:53", "unknown scheme: udp://.:53"},
		{"dns://tls://.", "zone is not a valid domain name: tls://."},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
		expect_key(cases[i].key, cases[i].message);
}

static void test_longest_keys(void **state)
{
	char key[300];

	(void)state;
	memset(key, 'a', sizeof(key));
	key[256] = '\0';
	expect_key(key, "specified zone is too long: 256 > 255");
}

static void test_widest_cidr(void **state)
{
	struct zones zones = {0};
	struct arena arena;
	char text[NAME_TEXT_MAX];

	(void)state;
	arena_init(&arena);
	assert_true(zones_add(&zones, &arena, "10.0.0.0/9"));
	assert_int_equal(zones.count, 128);
	name_to_text(&zones.names[127], text);
	assert_string_equal(text, "127.10.in-addr.arpa.");
	arena_finish(&arena);
}

static void test_zones_of_a_plugin(void **state)
{
	struct zones zones = {0};
	struct buffer out;
	struct arena arena;

	(void)state;
	arena_init(&arena);
	buffer_init(&out);
	assert_true(zones_add(&zones, &arena, "A.example"));
	assert_false(zones_add(&zones, &arena, "a..b"));
	assert_true(zones_add(&zones, &arena, "10.0.0.0/15"));
	assert_true(
		zones_add(&zones, &arena, "dns://b.example:53")); /* as in CoreDNS: no more than its zone */
	show(&zones, &out);
	assert_string_equal(out.bytes, " a.example. 0.10.in-addr.arpa. 1.10.in-addr.arpa. b.example.");
	buffer_finish(&out);
	arena_finish(&arena);
}

static void test_longest_match(void **state)
{
	static const struct {
		const char *name, *zone;
	} cases[] = {
		{"example.org.", "example.org."},
		{"a.example.org.", "example.org."},
		{"x.sub.example.org.", "sub.example.org."},
		{"notexample.org.", NULL},
		{"org.", NULL},
	};
	struct zones zones = {0};
	struct arena arena;

	(void)state;
	arena_init(&arena);
	assert_true(zones_add(&zones, &arena, "sub.example.org"));
	assert_true(zones_add(&zones, &arena, "example.org"));
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		const struct name *zone;
		struct name name;
		char text[NAME_TEXT_MAX];

		assert_true(name_from_text(cases[i].name, &name));
		zone = zones_match(&zones, &name);
		if (zone)
			name_to_text(zone, text);
		assert_string_equal(zone ? text : "none", cases[i].zone ? cases[i].zone : "none");
	}
	arena_finish(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_refused_keys),
		cmocka_unit_test(test_longest_keys),
		cmocka_unit_test(test_widest_cidr),
		cmocka_unit_test(test_zones_of_a_plugin),
		cmocka_unit_test(test_longest_match),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
