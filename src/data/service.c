/* The name of an endpoint. */
#include "svcdns/service.h"

#include <string.h>

#include "svcdns/address.h"

uint8_t endpoint_host(
	const struct service *service, const struct endpoint *endpoint, uint8_t out[ENDPOINT_HOST_MAX])
{
	struct ip ip = {.family = endpoint->family};
	char text[ADDRESS_TEXT_MAX];
	size_t length;

	if (endpoint->host.length) {
		assert(endpoint->host.length <= ENDPOINT_HOST_MAX);
		memcpy(out, text_of(service, endpoint->host), endpoint->host.length);
		return endpoint->host.length;
	}
	memcpy(ip.bytes, endpoint->address, sizeof(ip.bytes));
	ip_text(&ip, text);
	length = strlen(text);
	for (size_t i = 0; i < length; i++)
		if (text[i] == '.' || text[i] == ':')
			text[i] = '-';
	if (text[length - 1] == '-')
		text[length++] = '0';
	memcpy(out, text, length);
	return (uint8_t)length;
}
