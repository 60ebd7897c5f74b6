/* JSON -> events of a decoder, in whatever pieces it comes. */
#ifndef SVCDNS_CLUSTER_JSON_H
#define SVCDNS_CLUSTER_JSON_H

#include "decode.h"

struct json;

struct json *json_create(struct decoder *decoder);
/* Both return false with decoder->error set; then there is nothing more to be pushed. */
bool json_push(struct json *json, const uint8_t *octets, size_t length);
bool json_end(struct json *json);     /* what was pushed has to be whole */
void json_destroy(struct json *json); /* accepts NULL */

#endif
