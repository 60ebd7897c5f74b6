#ifndef SVCDNS_CLOCK_H
#define SVCDNS_CLOCK_H

#include "svcdns/compiler.h"

#define CLOCK_US UINT64_C(1000)             /* nanoseconds in a microsecond */
#define CLOCK_MS UINT64_C(1000000)
#define CLOCK_S  UINT64_C(1000000000)

uint64_t clock_monotonic(void);             /* nanoseconds, never goes back */
uint64_t clock_unix(void);                  /* seconds since 1970 */

#endif
