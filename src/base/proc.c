#include "svcdns/proc.h"

#include <stdlib.h>
#include <string.h>

/* Field 2, the name, may have blanks and brackets of its own: what follows is counted from its last bracket.
 */
uint64_t proc_stat_number(const char *line, unsigned field)
{
	const char *at = strrchr(line, ')');

	for (unsigned i = 2; at && i < field; i++) {
		at = strchr(at, ' ');
		at += at != NULL;
	}
	return at ? strtoull(at, NULL, 10) : 0;
}
