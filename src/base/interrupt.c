#include "svcdns/interrupt.h"

#include <stdatomic.h>

static atomic_bool is_requested;

void interrupt_request(void)
{
	atomic_store(&is_requested, true);
}

bool interrupt_is_requested(void)
{
	return atomic_load(&is_requested);
}
