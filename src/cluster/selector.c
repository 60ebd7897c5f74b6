/* Label selectors as CoreDNS' `labels` takes them: the grammar of the Kubernetes library (apimachinery
 * pkg/labels), less the operators that its LabelSelector type cannot express (!=, gt, lt). Of several "key =
 * value" for one key the last counts, as there.
 *
 * A selector is freed whole: it is an arena. */
#include <string.h>

#include "labels.h"
#include "rfc1123.h"
#include "svcdns/arena.h"
#include "svcdns/memory.h"

enum token {
	TOKEN_END,
	TOKEN_WORD,
	TOKEN_COMMA,
	TOKEN_OPEN,
	TOKEN_CLOSE,
	TOKEN_NOT,
	TOKEN_EQUALS,
	TOKEN_REFUSED /* !=, >, < */
};

enum relation { RELATION_EQUALS, RELATION_IN, RELATION_NOT_IN, RELATION_EXISTS, RELATION_EXISTS_NOT };

struct value {
	const char *text;
	struct value *next;
};

struct requirement {
	const char *key;
	enum relation relation;
	struct value *values;
	struct requirement *next;
};

struct selector {
	struct arena arena;
	struct requirement *requirements;
};

struct parser {
	struct selector *selector;
	const char *at;	     /* behind the token */
	enum token token;    /* the one that comes next */
	const char *word;    /* its text */
	const char *refused; /* the first operator of the grammar that CoreDNS has no use for */
	struct error *error;
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_special(char c)
{
	return c && strchr("=!(),<>", c);
}

static enum token special(const char *text, size_t *ret_length)
{
	*ret_length = 1;
	switch (*text) {
	case ',':
		return TOKEN_COMMA;
	case '(':
		return TOKEN_OPEN;
	case ')':
		return TOKEN_CLOSE;
	case '<':
	case '>':
		return TOKEN_REFUSED;
	default:
		break;
	}
	if (text[1] == '=') {
		*ret_length = 2;
		return *text == '=' ? TOKEN_EQUALS : TOKEN_REFUSED;
	}
	return *text == '=' ? TOKEN_EQUALS : TOKEN_NOT;
}

static void advance(struct parser *p)
{
	size_t length = 0;

	while (is_space(*p->at))
		p->at++;
	if (!*p->at) {
		p->token = TOKEN_END;
	} else if (is_special(*p->at)) {
		p->token = special(p->at, &length);
	} else {
		while (p->at[length] && !is_space(p->at[length]) && !is_special(p->at[length]))
			length++;
		p->token = TOKEN_WORD;
	}
	p->word = arena_text_n(&p->selector->arena, p->at, length);
	p->at += length;
}

static bool unexpected(struct parser *p, const char *expected)
{
	return error_set(p->error, "found '%s', expected: %s", p->word, expected);
}

static bool is_alphanumeric(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* ([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9], at most 63 octets: a label's value, and the last part of its key.
 */
static bool is_label_text(const char *text, size_t length)
{
	if (!length || length > 63 || !is_alphanumeric(text[0]) || !is_alphanumeric(text[length - 1]))
		return false;
	for (size_t i = 0; i < length; i++)
		if (!is_alphanumeric(text[i]) && !strchr("-_.", text[i]))
			return false;
	return true;
}

static bool check_key(struct parser *p, const char *key)
{
	const char *slash = strchr(key, '/');
	const char *name = slash ? slash + 1 : key;

	if ((slash && !rfc1123_is_subdomain(key, (size_t)(slash - key))) ||
		!is_label_text(name, strlen(name)))
		return error_set(p->error,
			"Invalid value: \"%s\": a label's key is a name of letters, digits, "
			"'-', '_' or '.', with a DNS name and '/' before it or without",
			key);
	return true;
}

static bool check_value(struct parser *p, const char *key, const char *value)
{
	if (*value && !is_label_text(value, strlen(value)))
		return error_set(p->error,
			"values[0][%s]: Invalid value: \"%s\": a valid label must be an empty string or "
			"consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
			"alphanumeric character",
			key, value);
	return true;
}

static bool add_value(struct parser *p, struct requirement *requirement, const char *text)
{
	struct value *value = arena_alloc(&p->selector->arena, sizeof(*value));

	value->text = text;
	value->next = requirement->values;
	requirement->values = value;
	return check_value(p, requirement->key, text);
}

/* What stands between the brackets of "in (a, b)"; "in (a,)" has the empty value, too. */
static bool parse_values(struct parser *p, struct requirement *requirement)
{
	if (p->token != TOKEN_OPEN)
		return error_set(p->error, "found '%s' expected: '('", p->word);
	for (advance(p);; advance(p)) {
		bool is_word = p->token == TOKEN_WORD;

		if (!is_word && p->token != TOKEN_COMMA && p->token != TOKEN_CLOSE)
			return unexpected(p, "',', ')' or identifier");
		if (!add_value(p, requirement, is_word ? p->word : ""))
			return false;
		if (is_word)
			advance(p);
		if (p->token == TOKEN_CLOSE)
			break;
		if (p->token != TOKEN_COMMA)
			return unexpected(p, "',' or ')'");
	}
	advance(p);
	return true;
}

static bool parse_value(struct parser *p, struct requirement *requirement)
{
	if (p->token == TOKEN_END || p->token == TOKEN_COMMA)
		return add_value(p, requirement, "");
	if (p->token != TOKEN_WORD)
		return unexpected(p, "identifier");
	if (!add_value(p, requirement, p->word))
		return false;
	advance(p);
	return true;
}

static bool parse_operation(struct parser *p, struct requirement *requirement)
{
	if (p->token == TOKEN_WORD && strcmp(p->word, "in") == 0)
		requirement->relation = RELATION_IN;
	else if (p->token == TOKEN_WORD && strcmp(p->word, "notin") == 0)
		requirement->relation = RELATION_NOT_IN;
	else if (p->token == TOKEN_EQUALS || p->token == TOKEN_REFUSED)
		requirement->relation = RELATION_EQUALS;
	else
		return unexpected(p, "in, notin, =, ==, !=, gt, lt");
	if (p->token == TOKEN_REFUSED && !p->refused)
		p->refused = p->word;
	advance(p);
	return requirement->relation == RELATION_EQUALS ? parse_value(p, requirement)
							: parse_values(p, requirement);
}

static bool parse_requirement(struct parser *p, struct requirement *requirement)
{
	bool is_negated = p->token == TOKEN_NOT;

	if (is_negated)
		advance(p);
	if (p->token != TOKEN_WORD)
		return unexpected(p, "identifier");
	if (!check_key(p, p->word))
		return false;
	requirement->key = p->word;
	requirement->relation = is_negated ? RELATION_EXISTS_NOT : RELATION_EXISTS;
	advance(p);
	if (is_negated || p->token == TOKEN_END || p->token == TOKEN_COMMA)
		return true;
	return parse_operation(p, requirement);
}

/* Puts a requirement in, in place of an older "key = value" for the same key. */
static void add_requirement(struct selector *selector, struct requirement *fresh)
{
	struct requirement **at = &selector->requirements;

	while (*at && !((*at)->relation == RELATION_EQUALS && fresh->relation == RELATION_EQUALS &&
			      strcmp((*at)->key, fresh->key) == 0))
		at = &(*at)->next;
	fresh->next = *at ? (*at)->next : NULL;
	*at = fresh;
}

static bool parse(struct parser *p)
{
	advance(p);
	if (p->token == TOKEN_END)
		return true;
	for (;;) {
		struct requirement *requirement = arena_alloc(&p->selector->arena, sizeof(*requirement));

		if (p->token != TOKEN_WORD && p->token != TOKEN_NOT)
			return unexpected(p, "!, identifier, or 'end of string'");
		if (!parse_requirement(p, requirement))
			return error_prefix(p->error, "unable to parse requirement: ");
		add_requirement(p->selector, requirement);
		if (p->token == TOKEN_END)
			return true;
		if (p->token != TOKEN_COMMA)
			return unexpected(p, "',' or 'end of string'");
		advance(p);
		if (p->token != TOKEN_WORD && p->token != TOKEN_NOT)
			return unexpected(p, "identifier after ','");
	}
}

static bool refuse_operator(struct parser *p)
{
	if (strcmp(p->refused, "!=") == 0)
		return error_set(p->error, "\"!=\" is not a valid label selector operator");
	return error_set(
		p->error, "\"%s\" isn't supported in label selectors", *p->refused == '>' ? "gt" : "lt");
}

bool selector_parse(const char *text, struct selector **ret, struct error *error)
{
	struct selector *selector = memory_zero(1, sizeof(*selector));
	struct parser p = {.selector = selector, .at = text, .error = error};
	bool done = parse(&p);

	if (!done)
		error_prefix(error, "couldn't parse the selector string \"%s\": ", text);
	else if (p.refused)
		done = refuse_operator(&p);
	if (done)
		*ret = selector;
	else
		selector_free(selector);
	return done;
}

void selector_free(struct selector *selector)
{
	if (!selector)
		return;
	arena_finish(&selector->arena);
	memory_free(selector);
}

static bool is_among(const struct value *values, const char *text)
{
	for (; values; values = values->next)
		if (strcmp(values->text, text) == 0)
			return true;
	return false;
}

static bool requirement_matches(const struct requirement *requirement, const char *value)
{
	switch (requirement->relation) {
	case RELATION_EXISTS:
		return value != NULL;
	case RELATION_EXISTS_NOT:
		return value == NULL;
	case RELATION_NOT_IN:
		return !value || !is_among(requirement->values, value);
	default:
		return value && is_among(requirement->values, value);
	}
}

bool selector_matches(const struct selector *selector, const struct labels *labels)
{
	const struct requirement *requirement = selector->requirements;

	for (; requirement; requirement = requirement->next)
		if (!requirement_matches(requirement, labels_value(labels, requirement->key)))
			return false;
	return true;
}

static void format_values(const struct value *values, struct buffer *out)
{
	buffer_text(out, " (");
	for (const struct value *value = values; value; value = value->next)
		buffer_format(out, "%s%s", value == values ? "" : ",", value->text);
	buffer_text(out, ")");
}

static void format_requirement(const struct requirement *requirement, struct buffer *out)
{
	static const char *const words[] = {[RELATION_EQUALS] = "=",
		[RELATION_IN] = " in",
		[RELATION_NOT_IN] = " notin",
		[RELATION_EXISTS] = "",
		[RELATION_EXISTS_NOT] = ""};
	bool is_set = requirement->relation == RELATION_IN || requirement->relation == RELATION_NOT_IN;

	buffer_format(out, "%s%s%s", requirement->relation == RELATION_EXISTS_NOT ? "!" : "",
		requirement->key, words[requirement->relation]);
	if (requirement->relation == RELATION_EQUALS)
		buffer_text(out, requirement->values->text);
	if (is_set)
		format_values(requirement->values, out);
}

void selector_format(const struct selector *selector, struct buffer *out)
{
	for (const struct requirement *r = selector->requirements; r; r = r->next) {
		if (r != selector->requirements)
			buffer_text(out, ",");
		format_requirement(r, out);
	}
}
