/* The process has been told to end: whoever waits for something that may take its time, at the start for example, looks here
 * every INTERRUPT_STEP_NS, and waits no longer. For good; any thread. */
#ifndef SVCDNS_INTERRUPT_H
#define SVCDNS_INTERRUPT_H

#include <stdbool.h>

#include "svcdns/clock.h"

#define INTERRUPT_STEP_NS (100 * CLOCK_MS)  /* nobody notices so short a delay */

void interrupt_request(void);
bool interrupt_is_requested(void);

#endif
