/* The one logger of the process. Invariant: lines come out in the order in which they were handed in, whole.
 * It is the one mutable object of file scope in svcdns: a log is for the whole process, and must be within
 * reach of code that has nothing else at hand. */
#include "svcdns/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "svcdns/buffer.h"

#define WAITING_MAX (1u << 20) /* octets that may wait for the writer thread */
#define LINE_SIZE   2048

static struct {
	pthread_mutex_t mutex;
	pthread_cond_t wake;
	pthread_t thread;
	struct buffer waiting; /* guarded by mutex, as all below it */
	size_t dropped;	       /* lines since there was last room */
	bool is_running, is_stopping;
	atomic_bool debug, quiet;
} logger = {.mutex = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

static void write_all(const char *bytes, size_t length)
{
	while (length) {
		ssize_t n = write(STDOUT_FILENO, bytes, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return; /* nowhere to tell it */
		bytes += n;
		length -= (size_t)n;
	}
}

static void swap(struct buffer *a, struct buffer *b)
{
	struct buffer keep = *a;

	*a = *b;
	*b = keep;
}

static void *writer(void *unused)
{
	struct buffer writing;

	(void)unused;
	buffer_init(&writing);
	pthread_mutex_lock(&logger.mutex);
	while (logger.waiting.length || !logger.is_stopping) {
		if (!logger.waiting.length) {
			pthread_cond_wait(&logger.wake, &logger.mutex);
			continue;
		}
		swap(&writing, &logger.waiting);
		pthread_mutex_unlock(&logger.mutex);
		write_all(writing.bytes, writing.length);
		buffer_clear(&writing);
		pthread_mutex_lock(&logger.mutex);
	}
	pthread_mutex_unlock(&logger.mutex);
	buffer_finish(&writing);
	return NULL;
}

void log_start(void)
{
	pthread_mutex_lock(&logger.mutex);
	logger.is_stopping = false;
	logger.is_running = !logger.is_running && pthread_create(&logger.thread, NULL, writer, NULL) == 0;
	pthread_mutex_unlock(&logger.mutex);
}

void log_stop(void)
{
	bool was_running;

	pthread_mutex_lock(&logger.mutex);
	was_running = logger.is_running;
	logger.is_stopping = true;
	logger.is_running = false;
	pthread_cond_signal(&logger.wake);
	pthread_mutex_unlock(&logger.mutex);
	if (was_running)
		pthread_join(logger.thread, NULL);
	pthread_mutex_lock(&logger.mutex);
	buffer_finish(&logger.waiting);
	pthread_mutex_unlock(&logger.mutex);
}

void log_set_debug(bool on)
{
	atomic_store_explicit(&logger.debug, on, memory_order_relaxed);
}

bool log_is_debug(void)
{
	return atomic_load_explicit(&logger.debug, memory_order_relaxed);
}

void log_set_quiet(bool on)
{
	atomic_store_explicit(&logger.quiet, on, memory_order_relaxed);
}

static void tell_dropped(void)
{
	buffer_format(
		&logger.waiting, "[WARNING] log: %zu lines dropped: stdout is too slow\n", logger.dropped);
	logger.dropped = 0;
}

void log_raw(const char *line, size_t length)
{
	pthread_mutex_lock(&logger.mutex);
	if (!logger.is_running) {
		write_all(line, length);
	} else if (logger.waiting.length + length > WAITING_MAX) {
		logger.dropped++;
	} else {
		if (logger.dropped)
			tell_dropped();
		buffer_add(&logger.waiting, line, length);
		pthread_cond_signal(&logger.wake);
	}
	pthread_mutex_unlock(&logger.mutex);
}

/* Puts a newline behind `length` octets of a line that was made with vsnprintf(), which may have been cut. */
static void finish_line(char *line, size_t size, int length)
{
	size_t end = length < 0 ? 0 : (size_t)length;

	if (end > size - 2)
		end = size - 2;
	line[end] = '\n';
	log_raw(line, end + 1);
}

static ATTRIBUTE_PRINTF(3, 0) void write_line(
	enum log_level level, const char *topic, const char *format, va_list arguments)
{
	static const char *const names[] = {"DEBUG", "INFO", "WARNING", "ERROR", "FATAL"};
	char line[LINE_SIZE];
	int begin, length;

	begin = snprintf(
		line, sizeof(line), "[%s] %s%s", names[level], topic ? topic : "", topic ? ": " : "");
	length = vsnprintf(line + begin, sizeof(line) - (size_t)begin, format, arguments);
	finish_line(line, sizeof(line), begin + length);
}

void log_line(enum log_level level, const char *topic, const char *format, ...)
{
	va_list arguments;

	if (level == LOG_DEBUG && !log_is_debug())
		return;
	va_start(arguments, format);
	write_line(level, topic, format, arguments);
	va_end(arguments);
}

void log_fatal(const char *topic, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	write_line(LOG_FATAL, topic, format, arguments);
	va_end(arguments);
	log_stop();
	_exit(EXIT_FAILURE);
}

void log_plain(const char *format, ...)
{
	char line[LINE_SIZE];
	va_list arguments;
	int length;

	if (atomic_load_explicit(&logger.quiet, memory_order_relaxed))
		return;
	va_start(arguments, format);
	length = vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	finish_line(line, sizeof(line), length);
}
