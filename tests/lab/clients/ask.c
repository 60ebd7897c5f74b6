// The C library's resolver, for any C library: lines "addresses NAME" and "srv NAME" come in, and for each
// goes out what was found, or "-" and the library's words for why it was not.
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { LINE = 512, MESSAGE = 4096, SRV_PORT = 4, SRV_TARGET = 6 };

static void print_addresses(const char *name)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
	int error = getaddrinfo(name, NULL, &hints, &found);
	if (error) {
		printf("- %s\n", gai_strerror(error));
		return;
	}
	for (struct addrinfo *each = found; each; each = each->ai_next) {
		char text[INET6_ADDRSTRLEN] = "";
		getnameinfo(each->ai_addr, each->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST);
		printf("%s%s", text, each->ai_next ? " " : "\n");
	}
	freeaddrinfo(found);
}

static void print_services(const char *name)
{
	unsigned char message[MESSAGE];
	int size = res_search(name, ns_c_in, ns_t_srv, message, sizeof message);
	ns_msg reply;
	if (size < 0 || ns_initparse(message, size, &reply) || !ns_msg_count(reply, ns_s_an)) {
		printf("- no record\n");
		return;
	}
	for (int i = 0; i < ns_msg_count(reply, ns_s_an); i++) {
		ns_rr record;
		char target[NS_MAXDNAME];
		if (ns_parserr(&reply, ns_s_an, i, &record) || ns_rr_type(record) != ns_t_srv)
			continue;
		const unsigned char *data = ns_rr_rdata(record);
		dn_expand(ns_msg_base(reply), ns_msg_end(reply), data + SRV_TARGET, target, sizeof target);
		printf("%u:%s ", ns_get16(data + SRV_PORT), target);
	}
	printf("\n");
}

int main(void)
{
	char line[LINE], method[LINE], name[LINE];
	while (fgets(line, sizeof line, stdin) && sscanf(line, "%511s %511s", method, name) == 2) {
		if (strcmp(method, "srv") == 0)
			print_services(name);
		else
			print_addresses(name);
		fflush(stdout);
	}
}
