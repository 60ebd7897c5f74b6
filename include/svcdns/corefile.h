/* The Corefile's grammar (CoreDNS 1.14.7: caddy's caddyfile lexer and parser): text to server blocks of tokens. */
#ifndef SVCDNS_COREFILE_H
#define SVCDNS_COREFILE_H

#include "svcdns/arena.h"
#include "svcdns/error.h"

struct token {
	const char *text;                   /* environment variables replaced; NUL-terminated */
	const char *file;                   /* as it is named in messages */
	unsigned    line;                   /* from 1; of a token over several lines the first */
};

struct directive {                          /* all occurrences of one directive in a block, one after the other */
	const char   *name;
	struct token *tokens;               /* the name itself first, at every occurrence */
	size_t        count;
	struct directive *next;             /* in the order of first occurrence */
};

struct server_block {
	struct token     *keys;             /* "example.org:1053" and the like, not interpreted yet */
	size_t            key_count;
	struct directive *directives;
	const char       *file;
	unsigned          line;
	struct server_block *next;
};

struct corefile {
	struct arena         arena;         /* holds all of it; corefile_finish() frees it */
	struct server_block *blocks;        /* in file order */
};

/* Reads a Corefile from a file, or from stdin for the path "stdin". is_directive() tells which words are directives.
 * An empty file, or no path and no ./Corefile, give no blocks: the caller puts the built-in default there. */
bool corefile_read(struct corefile *corefile, const char *path, bool (*is_directive)(const char *), struct error *error);
/* The same for a text in memory; name stands for the file in messages, and imports are relative to its folder. */
bool corefile_parse(struct corefile *corefile, const char *name, const char *text, size_t length,
	bool (*is_directive)(const char *), struct error *error);
void corefile_finish(struct corefile *corefile);

#endif
