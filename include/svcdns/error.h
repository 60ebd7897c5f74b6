/* Why a configuration, a file or a cluster object was refused. A function that can fail so returns bool and takes a
 * struct error last; the message is a sentence for the operator, without a final newline. */
#ifndef SVCDNS_ERROR_H
#define SVCDNS_ERROR_H

#include <stdarg.h>

#include "svcdns/compiler.h"

struct error {
	char message[1024];                 /* always terminated; "" while nothing has failed */
};

/* Both return false, so that `return error_set(...)` reads well. */
bool error_set(struct error *error, const char *format, ...) ATTRIBUTE_PRINTF(2, 3);
bool error_prefix(struct error *error, const char *format, ...) ATTRIBUTE_PRINTF(2, 3); /* puts text before what stands there */

#define ERROR_REASON_MAX 128

/* What an errno stands for, in Go's words, which are C's in lower case: "permission denied". Returns `out`. */
const char *error_reason(int code, char out[ERROR_REASON_MAX]);

#endif
