#include "audit.h"

static void suspect(struct audit *audit, uint64_t name, uint32_t version)
{
	if (audit->found.count < AUDIT_SUSPECTS)
		audit->found.items[audit->found.count++] = (struct suspect){name, version};
}

void audit_begin(struct audit *audit, struct ledger *ledger)
{
	audit->found.count = 0;
	ledger->audit++;
}

void audit_object(struct audit *audit, struct ledger *ledger, uint64_t name, uint32_t version)
{
	struct ledger_entry *entry = ledger_find(ledger, name);

	if (entry)
		entry->audited = ledger->audit;
	if (!entry || entry->version != version)
		suspect(audit, name, entry ? entry->version : 0);
}

static bool was_suspect(const struct audit *audit, const struct suspect *suspect)
{
	for (size_t i = 0; i < audit->last.count; i++)
		if (audit->last.items[i].name == suspect->name &&
			audit->last.items[i].version == suspect->version)
			return true;
	return false;
}

size_t audit_end(struct audit *audit, const struct ledger *ledger)
{
	size_t count = 0;

	for (size_t i = 0; i < ledger->capacity; i++)
		if (ledger->entries[i].name && ledger->entries[i].audited != ledger->audit)
			suspect(audit, ledger->entries[i].name, ledger->entries[i].version);
	for (size_t i = 0; i < audit->found.count; i++)
		count += was_suspect(audit, &audit->found.items[i]);
	audit->last = audit->found;
	return count;
}
