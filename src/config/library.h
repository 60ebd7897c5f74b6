/* Inside config: what a Corefile may import. Texts are read here, too, as all of them share one limit. */
#ifndef CONFIG_LIBRARY_H
#define CONFIG_LIBRARY_H

#include "token.h"

#define CONFIG_OCTETS_MAX                                                                                    \
	((size_t)16 << 20) /* of all texts together, values of environment variables included */

struct library {
	struct arena *arena; /* holds all of it */
	struct snippet *snippets;
	struct source *sources; /* files that were read: each is read once */
	unsigned snippet_count, snippet_imports, file_imports;
	size_t octets; /* that may still be read */
};

void library_init(struct library *library, struct arena *arena);

/* The tokens of a text; `name` stands for it in messages. */
bool library_lex(struct library *library, const char *name, const char *text, size_t length,
	struct passage *ret, struct error *error);

/* The snippet's tokens stay where they are. False: there is one of that name; `place` is named in the
 * message. */
bool library_add_snippet(struct library *library, const char *name, const struct token *place,
	struct passage passage, struct error *error);

/* What `import NAME` stands for: the snippet of that name; else a file, or files by a pattern with one
 * wildcard, from the folder of the file in which `place` stands. */
bool library_find(struct library *library, const struct token *place, const char *name, struct passage *ret,
	struct error *error);

#endif
