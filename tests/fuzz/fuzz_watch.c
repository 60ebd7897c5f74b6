/* Any octets as what an API server answers: a list or a watch, protobuf or JSON, in pieces or whole. The
 * first octet chooses. However they are cut, the same is told. */
#include <stdlib.h>
#include <string.h>

#include "../../src/cluster/body.h"
#include "svcdns/hash.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct reading {
	struct error error;
	uint64_t told; /* a hash of it all */
};

static bool on_object(void *context, struct decoder *d, enum decoded what, const struct object *object)
{
	static const struct hash_key key = {1, 2};
	struct reading *reading = context;

	reading->told = reading->told * 31 + what + (uint64_t)d->event.type + (uint64_t)d->status.code;
	reading->told += hash_bytes(&key, d->version, strlen(d->version));
	if (object && what == DECODED_OBJECT)
		reading->told += hash_bytes(&key, object, object->size);
	if (what == DECODED_BROKEN && !d->failure.message[0])
		abort();
	return true;
}

static uint64_t read_all(const uint8_t *data, size_t size, uint8_t choice, size_t piece)
{
	static const char *const types[] = {"application/vnd.kubernetes.protobuf", "application/json"};
	struct feed_config config = {.endpoints = true, .pods = true, .endpoint_pod_names = true};
	struct reading reading = {{""}, 0};
	struct decoder decoder;
	struct body body;
	bool goes_on = true;

	decoder_init(&decoder);
	decoder.config = &config;
	decoder.error = &reading.error;
	decoder.on_object = on_object;
	decoder.context = &reading;
	decoder.only_names = choice & 4;
	decoder.expected = choice & 4 ? OBJECT_POD : OBJECT_KINDS;
	body_init(&body, &decoder, choice & 1, types[choice >> 1 & 1]);
	while (goes_on && size) {
		size_t part = piece < size ? piece : size;

		goes_on = body_push(&body, data, part);
		data += part;
		size -= part;
	}
	if (goes_on && !(choice & 1))
		goes_on = body_end(&body);
	if (!goes_on && !reading.error.message[0])
		abort();
	body_finish(&body);
	decoder_finish(&decoder);
	return reading.told + goes_on;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t whole;

	if (!size)
		return 0;
	whole = read_all(data + 1, size - 1, data[0], size);
	if (read_all(data + 1, size - 1, data[0], 1) != whole ||
		read_all(data + 1, size - 1, data[0], 7) != whole)
		abort();
	return 0;
}
