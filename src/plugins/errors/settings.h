/* Inside errors: its properties. */
#ifndef ERRORS_SETTINGS_H
#define ERRORS_SETTINGS_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdatomic.h>

#include "svcdns/log.h"
#include "svcdns/setup.h"

struct pattern {
	const char *text;
	int64_t period; /* ns */
	const char *period_text;
	enum log_level level;
	bool show_first;
	pcre2_code *code;	/* owned */
	_Atomic uint64_t due;	/* monotonic ns; 0: nothing has been counted */
	_Atomic uint32_t count; /* since then */
	struct pattern *next;
};

struct errors { /* lifetime: configuration */
	struct pattern *patterns, **last;
};

/* False: refused, error set; the patterns before are to be freed. All but them lives in the setup's arena. */
bool errors_read(struct errors *errors, struct setup *setup, struct error *error);

#endif
