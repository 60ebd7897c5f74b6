/* A plugin's properties as a table: name, how many words, what they mean, in which range, where they go. */
#ifndef SVCDNS_OPTIONS_H
#define SVCDNS_OPTIONS_H

#include "svcdns/dispenser.h"

struct setup;

enum option_type {
	OPTION_FLAG,                        /* bool: no word; sets true */
	OPTION_INTEGER,                     /* int64_t */
	OPTION_NUMBER,                      /* double */
	OPTION_DURATION,                    /* int64_t, nanoseconds; Go syntax: "1m30s", "300ms" */
	OPTION_WORD,                        /* const char * in the arena */
	OPTION_WORDS,                       /* struct words */
	OPTION_CHOICE,                      /* int: index into choices */
	OPTION_ZONES,                       /* struct zones: names and CIDRs; no word: the root, which is every zone */
	OPTION_CALL                         /* parse() does it all */
};

struct words {
	const char **words;
	size_t       count;
};

struct option {
	const char         *name;           /* NULL ends a table */
	enum option_type    type;
	size_t              offset;         /* of the target in the plugin's configuration */
	unsigned            min, max;       /* words; 0, 0: as the type has it; max UINT_MAX: any number */
	int64_t             low, high;      /* range of numbers and durations, both included; 0, 0: none */
	const char *const  *choices;        /* OPTION_CHOICE: NULL-terminated */
	/* OPTION_CALL: the dispenser stands on the property's name. False: error set. */
	bool (*parse)(void *config, struct setup *setup, struct dispenser *d);
	bool                is_repeatable;  /* OPTION_WORDS and OPTION_ZONES: a second one adds */
};

/* Reads the block of the directive's current occurrence, if it has one. */
bool options_parse(const struct option *options, void *config, struct setup *setup, struct dispenser *d);

/* Reads one property, on whose name the dispenser stands. */
bool option_read(const struct option *option, void *config, struct setup *setup, struct dispenser *d);
/* The option of that name; NULL: there is none. */
const struct option *options_find(const struct option *options, const char *name);

/* Go's time.ParseDuration: nanoseconds. The error is what Go says: `time: missing unit in duration "5"`. */
bool duration_parse(const char *text, int64_t *ret_ns, struct error *error);
/* As Go writes one: "5s", "1m30s", "1h0m0s", "1.5ms". */
#define DURATION_TEXT_MAX 40
void duration_text(int64_t ns, char out[DURATION_TEXT_MAX]);
/* Go's strconv.Atoi: `strconv.Atoi: parsing "1k": invalid syntax`. */
bool integer_parse(const char *text, int64_t *ret, struct error *error);

#endif
