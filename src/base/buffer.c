#include "svcdns/buffer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "svcdns/memory.h"

#define FIRST_CAPACITY 256
#define READ_CHUNK     65536

void buffer_init(struct buffer *buffer)
{
	*buffer = (struct buffer){0};
}

void buffer_finish(struct buffer *buffer)
{
	memory_free(buffer->bytes);
	buffer_init(buffer);
}

void buffer_clear(struct buffer *buffer)
{
	buffer->length = 0;
	if (buffer->bytes)
		buffer->bytes[0] = '\0';
}

static void make_room(struct buffer *buffer, size_t more)
{
	size_t wanted = buffer->length + more + 1;
	size_t capacity = buffer->capacity ? buffer->capacity : FIRST_CAPACITY;

	if (wanted <= buffer->capacity)
		return;
	while (capacity < wanted)
		capacity *= 2;
	buffer->bytes = memory_resize(buffer->bytes, capacity);
	buffer->capacity = capacity;
}

void buffer_add(struct buffer *buffer, const void *bytes, size_t length)
{
	make_room(buffer, length);
	if (length)
		memcpy(buffer->bytes + buffer->length, bytes, length);
	buffer->length += length;
	buffer->bytes[buffer->length] = '\0';
}

void buffer_text(struct buffer *buffer, const char *text)
{
	buffer_add(buffer, text, strlen(text));
}

void buffer_format(struct buffer *buffer, const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	assert(length >= 0);
	make_room(buffer, (size_t)length);
	va_start(arguments, format);
	vsnprintf(buffer->bytes + buffer->length, (size_t)length + 1, format, arguments);
	va_end(arguments);
	buffer->length += (size_t)length;
}

static bool read_all(struct buffer *buffer, int fd)
{
	for (;;) {
		ssize_t n;

		make_room(buffer, READ_CHUNK);
		n = read(fd, buffer->bytes + buffer->length, READ_CHUNK);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		buffer->length += (size_t)n;
		buffer->bytes[buffer->length] = '\0';
		if (n == 0)
			return true;
	}
}

static bool refuse(char *ret_reason, size_t reason_size, const char *what, const char *path, int code)
{
	char text[128];

	/* In lower case at its start, as Go words the same errors. */
	snprintf(text, sizeof(text), "%s", strerror(code));
	if (text[0] >= 'A' && text[0] <= 'Z')
		text[0] = (char)(text[0] + 'a' - 'A');
	snprintf(ret_reason, reason_size, "%s %s: %s", what, path, text);
	return false;
}

bool buffer_read_file(struct buffer *buffer, const char *path, char *ret_reason, size_t reason_size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool done;
	int code;

	if (fd < 0)
		return refuse(ret_reason, reason_size, "open", path, errno);
	done = read_all(buffer, fd);
	code = errno;
	close(fd);
	return done || refuse(ret_reason, reason_size, "read", path, code);
}
