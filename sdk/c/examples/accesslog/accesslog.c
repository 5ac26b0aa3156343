/*
 * accesslog in C: the access logs of nginx and Apache become HTTP attributes. It does to every line what the bundled
 * plugin, plugins/accesslog, does; the README there has the table.
 */
#include "obsd.h"

/* Columns, in the order of the manifest's reads. */
enum { LINE, TIME };

/* The names of what is set. */
enum {
	CLIENT_ADDRESS, USER_NAME, REQUEST_METHOD, URL_PATH, URL_QUERY, PROTOCOL_VERSION, REFERER, USER_AGENT, TEXTS,
	STATUS_CODE = TEXTS, BODY_SIZE, NAMES
};

static const char *const names[NAMES] = {
	[CLIENT_ADDRESS] = "client.address", [USER_NAME] = "user.name", [REQUEST_METHOD] = "http.request.method",
	[URL_PATH] = "url.path", [URL_QUERY] = "url.query", [PROTOCOL_VERSION] = "network.protocol.version",
	[REFERER] = "http.request.header.referer", [USER_AGENT] = "user_agent.original",
	[STATUS_CODE] = "http.response.status_code", [BODY_SIZE] = "http.response.body.size",
};

/* The manifest on both sides of the column's name, which the configuration decides. */
#define HEAD "{\"name\": \"accesslog-c\", \"version\": \"1.0.0\", \"signals\": [\"logs\"], \"reads\": ["
#define REST ", \"time\"]," OBSD_JSON(                                                                                  \
	"summary": "Parses nginx and Apache access logs (common and combined format) into HTTP attributes.",           \
	"writes": ["time", "severity", "attributes.client.address", "attributes.user.name",                            \
		"attributes.http.request.method", "attributes.url.path", "attributes.url.query",                       \
		"attributes.network.protocol.version", "attributes.http.response.status_code",                         \
		"attributes.http.response.body.size", "attributes.http.request.header.referer",                        \
		"attributes.user_agent.original"],                                                                     \
	"config": {                                                                                                    \
		"type": "object", "additionalProperties": false,                                                       \
		"properties": {"from": {                                                                               \
			"type": "string", "pattern": "^(body|attributes\\.[^*].*|attributes\\.\\*.+)$",                \
			"description": "the column that holds the line: body or attributes.<key>"}}                    \
	}})

static obsd_text configure(obsd_text config)
{
	obsd_buffer manifest = {0};
	obsd_append(&manifest, obsd_text_of(HEAD));
	obsd_append_quoted(&manifest, obsd_json_string(obsd_json_get(config, "from"), "body"));
	obsd_append(&manifest, obsd_text_of(REST));
	obsd_append_byte(&manifest, 0);
	obsd_plugin.manifest = (const char *)manifest.at;
	return (obsd_text){0};
}

/* A line. A text of length 0 is absent. */
struct line {
	obsd_span texts[TEXTS];
	int64_t status;
	int64_t size; /* -1: absent */
	int64_t time; /* nanoseconds since 1970 */
};

/* Whether the byte at i stands behind an odd number of backslashes. */
static bool escaped(obsd_text t, uint32_t i)
{
	uint32_t n = 0;
	while (n < i && t.at[i - 1 - n] == '\\')
		n++;
	return n % 2 == 1;
}

/* Cuts the field that begins at *at and ends before the next separator, of 1 to 3 bytes, and moves *at behind that. A
 * separator that begins with a quote does not count where the quote is escaped. False says that there is none. */
static inline bool cut(obsd_text t, uint32_t *at, const char *separator, uint32_t length, obsd_span *field)
{
	for (uint32_t i = *at;; i++) {
		i = obsd_find(t, separator[0], i);
		if (i + length > t.length)
			return false;
		if ((length > 1 && t.at[i + 1] != separator[1]) || (length > 2 && t.at[i + 2] != separator[2]))
			continue;
		if (separator[0] == '"' && i > 0 && t.at[i - 1] == '\\' && escaped(t, i))
			continue;
		*field = obsd_span_of(*at, i - *at);
		*at = i + length;
		return true;
	}
}

static obsd_span unless_dash(obsd_text t, obsd_span s)
{
	return obsd_span_length(s) == 1 && t.at[obsd_span_offset(s)] == '-' ? 0 : s;
}

/* Cuts a request line into method, target and protocol: at its first and last space, since servers log a target as it
 * came. What is no request line (bytes of another protocol, HTTP/0.9, "-") leaves them absent. */
static void read_request(struct line *l, obsd_text t, obsd_span request)
{
	const uint32_t from = obsd_span_offset(request), end = from + obsd_span_length(request);
	const obsd_text all = {t.at, end};
	const uint32_t first = obsd_find(all, ' ', from);
	uint32_t last = end;
	if (end > from + 8 && obsd_find(all, ' ', end - 9) == end - 9 && obsd_find(all, ' ', end - 8) == end)
		last = end - 8; /* it is where it mostly is, before HTTP/1.1 */
	while (last > first && t.at[last - 1] != ' ')
		last--;
	if (first == from || first + 1 >= last || end - last < 5 || (obsd_word(t.at + last) & 0xffffffffff) != 0x2f50545448 /* HTTP/ */)
		return;
	l->texts[REQUEST_METHOD] = obsd_span_of(from, first - from);
	l->texts[PROTOCOL_VERSION] = obsd_span_of(last + 5, end - last - 5);
	const uint32_t target_end = last - 1, query = obsd_find((obsd_text){t.at, target_end}, '?', first + 1);
	l->texts[URL_PATH] = obsd_span_of(first + 1, query - first - 1);
	if (query < target_end)
		l->texts[URL_QUERY] = obsd_span_of(query + 1, target_end - query - 1);
}

/* Reads n digits; -1 if they are none. */
static int32_t digits(const uint8_t *at, int n)
{
	int32_t v = 0;
	for (int i = 0; i < n; i++) {
		uint32_t digit = (uint32_t)at[i] - '0';
		if (digit > 9)
			return -1;
		v = v * 10 + (int32_t)digit;
	}
	return v;
}

/* The month of a name of three letters, in any case, from 1; 0 if it is none. */
static uint32_t month_of(const uint8_t *at)
{
	static const char months[] = "janfebmaraprmayjunjulaugsepoctnovdec";
	for (uint32_t m = 0; m < 12; m++)
		if ((at[0] | 32) == months[3 * m] && (at[1] | 32) == months[3 * m + 1] && (at[2] | 32) == months[3 * m + 2])
			return m + 1;
	return 0;
}

/* Days from 1970-01-01 to a date of the Gregorian calendar; false if there is no such date. */
static bool days_to(int32_t year, uint32_t month, int32_t day, int64_t *days)
{
	static const uint8_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	static const uint16_t before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
	const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	if (month == 0 || day < 1 || day > lengths[month - 1] + (leap && month == 2))
		return false;
	const int32_t y = year - 1; /* leap days are counted to the end of the year before */
	*days = 365 * (int64_t)(year - 1970) + (y / 4 - y / 100 + y / 400 - 477) + before[month - 1] + (leap && month > 2) + day - 1;
	return true;
}

/* Reads a day and zone as lines have them, dd/Mon/yyyy: and, from offset 20, " +hhmm": the seconds from 1970 to that day's
 * midnight. Days that begin before 1970 or after 2261 are no record's. */
static bool read_day(const uint8_t *at, int64_t *midnight)
{
	const int32_t day = digits(at, 2), year = digits(at + 7, 4), zone_hours = digits(at + 22, 2), zone_minutes = digits(at + 24, 2);
	if (at[2] != '/' || at[6] != '/' || at[11] != ':' || at[20] != ' ' || (at[21] != '+' && at[21] != '-'))
		return false;
	if (year < 1 || year > 2261 || zone_hours < 0 || zone_hours > 24 || zone_minutes < 0 || zone_minutes > 60)
		return false;
	int64_t days;
	if (!days_to(year, month_of(at + 3), day, &days))
		return false;
	const int64_t zone = (zone_hours * 60 + zone_minutes) * 60;
	*midnight = days * 86400 + (at[21] == '+' ? -zone : zone);
	return *midnight >= 0;
}

/* Reads the 8 bytes hh:mm:ss, the first in the lowest byte, as seconds; -1 if they are no such thing. */
static int64_t clock(uint64_t w)
{
	w ^= 0x30303a30303a3030u; /* 00:00:00 */
	/* A digit over 9, or a byte over 0 where a colon stands, reaches its byte's highest bit. */
	if (((w + 0x76767f76767f7676u) | w) & 0x8080808080808080u)
		return -1;
	const uint32_t h = (w & 0xff) * 10 + (w >> 8 & 0xff), m = (w >> 24 & 0xff) * 10 + (w >> 32 & 0xff), s = (w >> 48 & 0xff) * 10 + (w >> 56);
	return h < 24 && m < 60 && s < 60 ? h * 3600 + m * 60 + s : -1;
}

/* Reads strftime's %d/%b/%Y:%H:%M:%S %z as nanoseconds since 1970. The day of the line before is remembered. */
static bool read_time(obsd_text t, int64_t *time)
{
	static uint64_t known[3];
	static int64_t midnight;
	if (t.length != 26)
		return false;
	const int64_t seconds = clock(obsd_word(t.at + 12));
	if (seconds < 0)
		return false;
	const uint64_t day[3] = {obsd_word(t.at), obsd_word(t.at + 4), obsd_word(t.at + 18) >> 16};
	if (day[0] != known[0] || day[1] != known[1] || day[2] != known[2]) {
		int64_t read;
		if (!read_day(t.at, &read))
			return false;
		known[0] = day[0], known[1] = day[1], known[2] = day[2];
		midnight = read;
	}
	*time = (midnight + seconds) * 1000000000;
	return true;
}

/* Reads a line: <address> <ident> <user> [<time>] "<request>" <status> <size>, and in the combined format
 * "<referer>" "<agent>" besides; what follows is not looked at. False says that it is none. */
static bool read_line(struct line *l, obsd_text t)
{
	uint32_t at = 0;
	obsd_span ident, user, time, request, status, size, from, agent;
	*l = (struct line){0};
	if (!cut(t, &at, " ", 1, &l->texts[CLIENT_ADDRESS]) || !cut(t, &at, " ", 1, &ident) || !cut(t, &at, " [", 2, &user) ||
	    !cut(t, &at, "] \"", 3, &time) || !cut(t, &at, "\" ", 2, &request) || !cut(t, &at, " ", 1, &status))
		return false;
	if (!cut(t, &at, " \"", 2, &size)) {
		size = obsd_span_of(at, t.length - at);
	} else {
		if (!cut(t, &at, "\" \"", 3, &from) || !cut(t, &at, "\"", 1, &agent))
			return false;
		l->texts[REFERER] = unless_dash(t, from);
		l->texts[USER_AGENT] = unless_dash(t, agent);
	}
	if (obsd_span_length(l->texts[CLIENT_ADDRESS]) == 0 || obsd_span_length(status) != 3 || !obsd_uint(obsd_cut(t, status), &l->status))
		return false;
	if (!obsd_uint(obsd_cut(t, size), &l->size)) {
		l->size = -1;
		if (obsd_span_length(size) != 1 || unless_dash(t, size) != 0)
			return false;
	}
	l->texts[USER_NAME] = unless_dash(t, user);
	read_request(l, t, request);
	return read_time(obsd_cut(t, time), &l->time);
}

static void process(obsd_batch *b)
{
	const obsd_column lines = obsd_column_at(b, LINE), times = obsd_column_at(b, TIME);
	struct line l;
	for (uint32_t row = 0; row < b->rows; row++) {
		if (!read_line(&l, obsd_text_at(&lines, row)))
			continue;
		for (uint32_t i = 0; i < TEXTS; i++)
			if (obsd_span_length(l.texts[i]) > 0)
				obsd_set_slice(b, row, OBSD_ATTRIBUTE(i), &lines, l.texts[i]);
		obsd_set_int(b, row, OBSD_ATTRIBUTE(STATUS_CODE), l.status);
		if (l.size >= 0)
			obsd_set_int(b, row, OBSD_ATTRIBUTE(BODY_SIZE), l.size);
		obsd_set_severity(b, row, l.status >= 500 ? OBSD_ERROR : l.status >= 400 ? OBSD_WARN : OBSD_INFO);
		/* The line has whole seconds. A record's own time within that second's reach is the same moment, told better. */
		const int64_t recorded = obsd_int_at(&times, row, 0);
		if (recorded == 0 || recorded < l.time || recorded - l.time >= 2000000000)
			obsd_set_int(b, row, OBSD_FIELD(OBSD_TIME), l.time);
	}
}

OBSD_PLUGIN(.manifest = HEAD "\"body\"" REST, .names = names, .names_count = NAMES, .configure = configure, .process = process);
