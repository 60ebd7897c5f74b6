/* The two parsers of manifests: a file -> events of a decoder. Both return false with decoder->error set. */
#ifndef SVCDNS_CLUSTER_PARSE_H
#define SVCDNS_CLUSTER_PARSE_H

#include <stdio.h>

#include "decode.h"

bool yaml_parse(FILE *file, struct decoder *decoder); /* libyaml; any number of documents */
bool json_parse(FILE *file, struct decoder *decoder); /* yajl; any number of values */

#endif
