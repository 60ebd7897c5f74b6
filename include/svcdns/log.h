/* Log lines as CoreDNS writes them: "[LEVEL] text", to stdout, without a time stamp. A line is handed to a writer
 * thread, so that a slow reader of stdout never holds up a worker; when its buffer (1 MiB) is full, lines are counted
 * and dropped, and the count is logged when there is room again. */
#ifndef SVCDNS_LOG_H
#define SVCDNS_LOG_H

#include "svcdns/compiler.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR, LOG_FATAL };

void log_start(void);                       /* starts the writer thread; before it, lines are written at once */
void log_stop(void);                        /* writes what is left, ends the thread; later lines are written at once */
void log_set_debug(bool on);                /* LOG_DEBUG lines are dropped unless on (the debug plugin) */
bool log_is_debug(void);
void log_set_quiet(bool on);                /* -quiet: log_plain() prints nothing */

/* topic: "plugin/NAME" or NULL; the line reads "[LEVEL] topic: text". */
void log_line(enum log_level level, const char *topic, const char *format, ...) ATTRIBUTE_PRINTF(3, 4);
/* A LOG_FATAL line, and the end of the process, with exit code 1: at once, on any thread, with nothing stopped or freed. For
 * a configuration that turns out only while it is served to be one that must not be. */
ATTRIBUTE_NORETURN void log_fatal(const char *topic, const char *format, ...) ATTRIBUTE_PRINTF(2, 3);
void log_plain(const char *format, ...) ATTRIBUTE_PRINTF(1, 2);       /* start-up banner: no level */
void log_raw(const char *line, size_t length);                        /* one finished line, newline included */

#endif
