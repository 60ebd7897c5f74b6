/* Any octets as a Corefile: it is parsed or refused with a message, nothing else. Imports find nothing: there
 * are none. */
#include <stdlib.h>
#include <string.h>

#include "svcdns/corefile.h"
#include "svcdns/registry.h"
#include "svcdns/zones.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct corefile corefile;
	struct error error = {""};

	if (memmem(data, size, "import", 6))
		return 0; /* it would read files */
	if (!corefile_parse(&corefile, "Corefile", (const char *)data, size, registry_knows, &error)) {
		if (!error.message[0])
			abort();
		return 0;
	}
	for (const struct server_block *block = corefile.blocks; block; block = block->next) {
		for (size_t i = 0; i < block->key_count; i++) {
			struct server_key key;

			if (!zones_parse_key(block->keys[i].text, &corefile.arena, &key, &error) &&
				!error.message[0])
				abort();
		}
	}
	corefile_finish(&corefile);
	return 0;
}
