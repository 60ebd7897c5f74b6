#include "resource.h"

const struct resource resources[OBJECT_KINDS] = {
	[OBJECT_NAMESPACE] = {OBJECT_NAMESPACE, "namespaces", "", "/api/v1/namespaces", "NamespaceList",
		NULL},
	[OBJECT_SERVICE] = {OBJECT_SERVICE, "services", "", "/api/v1/services", "ServiceList", NULL},
	[OBJECT_ENDPOINT_SLICE] = {OBJECT_ENDPOINT_SLICE, "endpointslices", "discovery.k8s.io",
		"/apis/discovery.k8s.io/v1/endpointslices", "EndpointSliceList", NULL},
	[OBJECT_POD] = {OBJECT_POD, "pods", "", "/api/v1/pods", "PodList",
		"status.phase!=Succeeded,status.phase!=Failed,status.phase!=Unknown"},
};
