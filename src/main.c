/* Flags, signals, exit codes: those of CoreDNS. Signals are taken by a thread of their own, so that a second
 * one is heard while the first is being obeyed. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "svcdns/clock.h"
#include "svcdns/interrupt.h"
#include "svcdns/log.h"
#include "svcdns/registry.h"
#include "svcdns/server.h"

#define GRACE_NS    ((int64_t)(5 * CLOCK_S)) /* for what is under way at SIGTERM */
#define WORKERS_MAX 1024

enum { EXIT_FORCED = 2, EXIT_USAGE = 2 };

struct settings {
	struct server_options server;
	const char *pidfile; /* NULL or "": none */
	bool plugins, quiet, validate, version;
};

struct flag {
	const char *name;
	bool is_switch; /* bool; otherwise const char * */
	size_t offset;
	const char *help;
};

static const struct flag flags[] = {
	{"conf", false, offsetof(struct settings, server.corefile),
		"Corefile to load (default \"Corefile\")"},
	{"dns.port", false, offsetof(struct settings, server.port), "Default port (default \"53\")"},
	{"p", false, offsetof(struct settings, server.port), "Default port (default \"53\")"},
	{"pidfile", false, offsetof(struct settings, pidfile), "Path to write pid file"},
	{"plugins", true, offsetof(struct settings, plugins), "List installed plugins"},
	{"quiet", true, offsetof(struct settings, quiet), "Quiet mode (no initialization output)"},
	{"validate", true, offsetof(struct settings, validate), "Check the Corefile and exit"},
	{"version", true, offsetof(struct settings, version), "Show version"},
};

static void usage(const char *program)
{
	fprintf(stderr, "Usage of %s:\n", program);
	for (size_t i = 0; i < ARRAY_LENGTH(flags); i++)
		fprintf(stderr, "  -%s%s\n    \t%s\n", flags[i].name, flags[i].is_switch ? "" : " string",
			flags[i].help);
}

static ATTRIBUTE_NORETURN ATTRIBUTE_PRINTF(2, 3) void refuse_flag(
	const char *program, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	usage(program);
	exit(EXIT_USAGE);
}

static bool parse_bool(const char *text, bool *ret)
{
	static const char *const words[2][6] = {
		{"0", "f", "F", "false", "FALSE", "False"}, {"1", "t", "T", "true", "TRUE", "True"}};

	for (int value = 0; value < 2; value++)
		for (size_t i = 0; i < ARRAY_LENGTH(words[value]); i++)
			if (strcmp(text, words[value][i]) == 0) {
				*ret = value;
				return true;
			}
	return false;
}

static const struct flag *find_flag(const char *program, const char *argument, size_t length)
{
	for (size_t i = 0; i < ARRAY_LENGTH(flags); i++)
		if (strlen(flags[i].name) == length && memcmp(flags[i].name, argument, length) == 0)
			return &flags[i];
	if (length == strlen("help") && memcmp(argument, "help", length) == 0)
		length = 1, argument = "h";
	if (length == 1 && *argument == 'h') {
		usage(program);
		exit(EXIT_SUCCESS);
	}
	refuse_flag(program, "flag provided but not defined: -%.*s", (int)length, argument);
}

/* The flag in argv[at], in Go's syntax: -x or --x, -x=value, -x value. Returns the index of the argument
 * behind it. */
static int read_flag(struct settings *settings, char **argv, int at)
{
	const char *argument = argv[at] + (argv[at][1] == '-' ? 2 : 1);
	const char *value = strchr(argument, '=');
	size_t length = value ? (size_t)(value - argument) : strlen(argument);
	const struct flag *flag;
	void *target;

	if (!length || *argument == '-')
		refuse_flag(argv[0], "bad flag syntax: %s", argv[at]);
	flag = find_flag(argv[0], argument, length);
	target = (char *)settings + flag->offset;
	if (value)
		value++;
	if (flag->is_switch) {
		if (!parse_bool(value ? value : "true", target))
			refuse_flag(argv[0], "invalid boolean value \"%s\" for -%s: parse error", value,
				flag->name);
		return at + 1;
	}
	if (!value)
		value = argv[++at];
	if (!value)
		refuse_flag(argv[0], "flag needs an argument: -%s", flag->name);
	*(const char **)target = value;
	return at + 1;
}

static ATTRIBUTE_NORETURN void refuse_arguments(char **arguments)
{
	char date[32];
	time_t now = time(NULL);
	struct tm local;

	strftime(date, sizeof(date), "%Y/%m/%d %H:%M:%S", localtime_r(&now, &local));
	fprintf(stderr, "%s extra command line arguments: [%s", date, *arguments);
	while (*++arguments)
		fprintf(stderr, " %s", *arguments);
	fprintf(stderr, "]\n");
	exit(EXIT_FAILURE);
}

static void read_flags(struct settings *settings, int argc, char **argv)
{
	int at = 1;

	while (at < argc && argv[at][0] == '-' && argv[at][1]) {
		if (strcmp(argv[at], "--") == 0) {
			at++;
			break;
		}
		at = read_flag(settings, argv, at);
	}
	if (at < argc)
		refuse_arguments(argv + at);
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void list_plugins(void)
{
	const char *names[256];
	size_t count = 0;

	for (const struct registration *r = registry; r->name && count < ARRAY_LENGTH(names); r++)
		if (r->plugin)
			names[count++] = r->name;
	qsort(names, count, sizeof(*names), compare_texts);
	for (size_t i = 0; i < count; i++)
		puts(names[i]);
}

/* The machine's name as Go, and so CoreDNS, has it. */
static const char *machine(const struct utsname *system)
{
	static const char *const names[][2] = {
		{"x86_64", "amd64"},
		{"aarch64", "arm64"},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
		if (strcmp(system->machine, names[i][0]) == 0)
			return names[i][1];
	return system->machine;
}

static void print_version(void)
{
	struct utsname system;

	uname(&system);
	log_plain("svcdns-%s", SVCDNS_VERSION);
	log_plain("linux/%s, C%ld, %s", machine(&system), __STDC_VERSION__ / 100 % 100, __VERSION__);
}

static bool write_pidfile(const char *path)
{
	FILE *file = fopen(path, "we");
	bool ok = file && fprintf(file, "%ld\n", (long)getpid()) > 0;
	char reason[ERROR_REASON_MAX];

	if (file && fclose(file) != 0)
		ok = false;
	if (ok)
		return true;
	log_line(LOG_ERROR, NULL, "Could not write pidfile: open %s: %s", path, error_reason(errno, reason));
	return false;
}

/* Between the thread that takes signals and the main one. */
struct control {
	sigset_t signals;
	pthread_t thread;
	const char *_Atomic pidfile; /* that is to be removed; NULL: none */
	sem_t wake;		     /* posted when one of the next two was set */
	_Atomic bool is_stopping;    /* grace_ns was set before */
	_Atomic unsigned reloads;    /* that are asked for */
	int64_t grace_ns;
	_Atomic bool is_over; /* the thread is to return at the next signal, whichever it is */
	unsigned interrupts;  /* the signal thread's own */
};

static void remove_pidfile(struct control *control)
{
	const char *path = atomic_exchange(&control->pidfile, NULL);

	if (path)
		unlink(path);
}

static ATTRIBUTE_NORETURN void quit(struct control *control, int code)
{
	remove_pidfile(control);
	log_stop();
	_exit(code);
}

static void stop(struct control *control, int64_t grace_ns)
{
	if (control->is_stopping)
		return;
	control->grace_ns = grace_ns;
	control->is_stopping = true;
	interrupt_request();
	sem_post(&control->wake);
}

static void on_signal(struct control *control, int signal)
{
	if (signal == SIGINT) {
		if (control->interrupts++) {
			log_line(LOG_INFO, NULL, "SIGINT: Force quit");
			quit(control, EXIT_FORCED);
		}
		log_line(LOG_INFO, NULL, "SIGINT: Shutting down");
		stop(control, 0);
	} else if (control->is_stopping) {
		return;
	} else if (signal == SIGTERM) {
		log_line(LOG_INFO, NULL, "SIGTERM: Shutting down servers then terminating");
		stop(control, GRACE_NS);
	} else if (signal == SIGQUIT) {
		log_line(LOG_INFO, NULL, "SIGQUIT: Quitting process immediately");
		quit(control, EXIT_SUCCESS);
	} else if (signal == SIGUSR1) {
		control->reloads++;
		sem_post(&control->wake);
	} else {
		log_line(LOG_ERROR, NULL, "SIGUSR2: upgrading is not built into this version");
	}
}

static void *take_signals(void *argument)
{
	struct control *control = argument;
	int signal;

	while (sigwait(&control->signals, &signal) == 0 && !atomic_load(&control->is_over))
		on_signal(control, signal);
	return NULL;
}

/* Blocks the signals that we obey, in this thread and all that it starts, and has them taken. */
static void begin_signals(struct control *control)
{
	static const int obeyed[] = {SIGTERM, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2};
	static const int ignored[] = {
		SIGHUP, SIGPIPE, SIGALRM, SIGCHLD}; /* the last: process 1 has orphans to bury */

	sigemptyset(&control->signals);
	for (size_t i = 0; i < ARRAY_LENGTH(obeyed); i++)
		sigaddset(&control->signals, obeyed[i]);
	for (size_t i = 0; i < ARRAY_LENGTH(ignored); i++)
		signal(ignored[i], SIG_IGN);
	sem_init(&control->wake, 0, 0);
	pthread_sigmask(SIG_BLOCK, &control->signals, NULL);
	if (pthread_create(&control->thread, NULL, take_signals, control) != 0)
		abort();
}

static void end_signals(struct control *control)
{
	atomic_store(&control->is_over, true);
	pthread_kill(control->thread, SIGUSR1);
	pthread_join(control->thread, NULL);
	sem_destroy(&control->wake);
}

/* CoreDNS has as many threads as Go's runtime is told. */
static unsigned workers_from_environment(void)
{
	const char *text = getenv("GOMAXPROCS");
	char *end;
	long workers = text ? strtol(text, &end, 10) : 0;

	return text && !*end && workers > 0 && workers <= WORKERS_MAX ? (unsigned)workers : 0;
}

static void reload(struct server *server)
{
	struct error error = {0};

	log_line(LOG_INFO, NULL, "SIGUSR1: Reloading");
	if (!server_reread(server, &error))
		log_line(LOG_ERROR, NULL, "SIGUSR1: %s", error.message);
}

/* Until something is asked for, or it is time to look at the Corefile. */
static void await(struct control *control, uint64_t due)
{
	struct timespec until = {.tv_sec = (time_t)(due / CLOCK_S), .tv_nsec = (long)(due % CLOCK_S)};

	if (due == UINT64_MAX)
		sem_wait(&control->wake);
	else
		sem_clockwait(&control->wake, CLOCK_MONOTONIC, &until);
}

static void run(struct server *server, struct control *control)
{
	while (!control->is_stopping) {
		uint64_t due = server_next_look(server);

		if (control->reloads) {
			control->reloads--;
			reload(server);
		} else if (clock_monotonic() >= due) {
			server_look(server);
		} else {
			await(control, due);
		}
	}
}

static int validate(const struct settings *settings)
{
	struct error error = {0};

	if (server_validate(&settings->server, &error)) {
		puts("Corefile is valid");
		return EXIT_SUCCESS;
	}
	fprintf(stderr, "%s\n", error.message);
	return EXIT_FAILURE;
}

static int serve(const struct settings *settings, struct control *control)
{
	struct error error = {0};
	struct server *server = server_start(&settings->server, &error);

	if (!server) {
		fprintf(stderr, "%s\n", error.message);
		return EXIT_FAILURE;
	}
	if (settings->pidfile && *settings->pidfile && write_pidfile(settings->pidfile))
		atomic_store(&control->pidfile, settings->pidfile);
	print_version();
	run(server, control);
	server_stop(server, control->grace_ns);
	remove_pidfile(control);
	return EXIT_SUCCESS;
}

/* Where one of the first three is closed, a socket would get its number, and with it what is printed. */
static void fill_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	struct settings settings = {.server.port = "53"};
	struct control control = {0};
	int code;

	fill_descriptors();
	read_flags(&settings, argc, argv);
	if (settings.version)
		print_version();
	else if (settings.plugins)
		list_plugins();
	if (settings.version || settings.plugins)
		return EXIT_SUCCESS;
	settings.server.workers = workers_from_environment();
	if (settings.validate)
		return validate(&settings);
	begin_signals(&control);
	log_set_quiet(settings.quiet);
	log_start();
	code = serve(&settings, &control);
	end_signals(&control);
	log_stop();
	return code;
}
