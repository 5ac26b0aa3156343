/*
 * obsd.h: plugins for obsd in C.
 *
 * One header for C99 and later, for clang's target wasm32-unknown-unknown. It needs no C library and gets along with
 * one. Include it where you like; OBSD_PLUGIN stands in one file. See README.md for a whole plugin and its build.
 *
 * A batch is a table: rows are log records, data points or spans, columns are what the manifest reads, in that order.
 * Texts are views of the batch and valid until the plugin's function returns. Up to 16 bytes beyond a text may be read,
 * which the scanner (obsd_find and its like) does. Changes are edits, made in the order of the rows.
 *
 * Everything here follows the contract in runtime/abi, which draws the layouts; host and guest are little-endian.
 * Names that start with obsd_ and end with _ are the header's own.
 */
#ifndef OBSD_H
#define OBSD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#ifdef __wasm_simd128__
#include <wasm_simd128.h>
#endif

/* ---- Numbers of the contract ---- */

enum { OBSD_LOGS = 1, OBSD_METRICS = 2, OBSD_TRACES = 3 };

/* Types of a value. Strings, bytes and JSON (a map or an array, as text) have a text. */
enum {
	OBSD_NONE = 0, OBSD_STRING = 1, OBSD_INT = 2, OBSD_DOUBLE = 3, OBSD_BOOL = 4, OBSD_BYTES = 5, OBSD_JSON_TEXT = 6,
	OBSD_NAME = 7, OBSD_SLICE = 0x80
};

/* Fields, for OBSD_FIELD. What values each takes stands in runtime/abi/field.go. */
enum {
	OBSD_BODY = 1, OBSD_TIME = 2, OBSD_OBSERVED_TIME = 3, OBSD_SEVERITY_NUMBER = 4, OBSD_SEVERITY_TEXT = 5,
	OBSD_EVENT_NAME = 6, OBSD_TRACE_ID = 7, OBSD_SPAN_ID = 8, OBSD_FLAGS = 9, OBSD_START_TIME = 10, OBSD_VALUE = 11,
	OBSD_METRIC_NAME = 16, OBSD_METRIC_UNIT = 17, OBSD_METRIC_DESCRIPTION = 18, OBSD_METRIC_TYPE = 19,
	OBSD_METRIC_TEMPORALITY = 20, OBSD_METRIC_MONOTONIC = 21,
	OBSD_SPAN_NAME = 32, OBSD_SPAN_KIND = 33, OBSD_SPAN_END_TIME = 34, OBSD_SPAN_PARENT_ID = 35,
	OBSD_SPAN_TRACE_STATE = 36, OBSD_SPAN_STATUS_CODE = 37, OBSD_SPAN_STATUS_MESSAGE = 38
};

enum { OBSD_GAUGE = 1, OBSD_SUM = 2, OBSD_HISTOGRAM = 3, OBSD_EXPONENTIAL_HISTOGRAM = 4, OBSD_SUMMARY = 5 };

/* Verdicts for obsd_new_row; route i is OBSD_ROUTE + i. */
enum { OBSD_KEEP = 0, OBSD_DROP = 1, OBSD_ROUTE = 2, OBSD_SET = 0x8000 };

/* Severity numbers: the first of each range. */
enum { OBSD_TRACE = 1, OBSD_DEBUG = 5, OBSD_INFO = 9, OBSD_WARN = 13, OBSD_ERROR = 17, OBSD_FATAL = 21 };

enum { OBSD_COPY = 0, OBSD_INLINE = 0xffff, OBSD_MAX_NAMES = 4096, OBSD_SLACK = 16 };

/* ---- Texts ---- */

/* A view of bytes, not ended by 0. */
typedef struct { const uint8_t *at; uint32_t length; } obsd_text;

/* A part of a text: offset in the low 32 bits, length in the high 32. */
typedef uint64_t obsd_span;

static inline obsd_span obsd_span_of(uint32_t offset, uint32_t length) { return (uint64_t)length << 32 | offset; }
static inline uint32_t obsd_span_offset(obsd_span s) { return (uint32_t)s; }
static inline uint32_t obsd_span_length(obsd_span s) { return (uint32_t)(s >> 32); }

/* The text of a string that 0 ends. */
static inline obsd_text obsd_text_of(const char *s)
{
	uint32_t n = 0;
	while (s[n] != 0)
		n++;
	return (obsd_text){(const uint8_t *)s, n};
}

/* The part of a text; the span must lie in it. */
static inline obsd_text obsd_cut(obsd_text t, obsd_span s)
{
	return (obsd_text){t.at + obsd_span_offset(s), obsd_span_length(s)};
}

static inline bool obsd_equal(obsd_text a, obsd_text b)
{
	if (a.length != b.length)
		return false;
	for (uint32_t i = 0; i < a.length; i++)
		if (a.at[i] != b.at[i])
			return false;
	return true;
}

/* Eight bytes, the first in the lowest byte. They may reach beyond a text's end. */
static inline uint64_t obsd_word(const uint8_t *at)
{
	uint64_t w;
	__builtin_memcpy(&w, at, 8);
	return w;
}

/* The high bit of the lowest byte of w that is 0; higher marks may be false (Hacker's Delight, 6-1). */
static inline uint64_t obsd_zeros_(uint64_t w)
{
	return (w - 0x0101010101010101u) & ~w & 0x8080808080808080u;
}

/* The offset of the first byte a or b at or after from; the text's length if there is none. With -msimd128 it looks at
 * 16 bytes a step, otherwise at 8. */
static inline uint32_t obsd_find_either(obsd_text t, char a, char b, uint32_t from)
{
#ifdef __wasm_simd128__
	for (uint32_t i = from; i < t.length; i += 16) {
		v128_t v = wasm_v128_load(t.at + i), hit = wasm_i8x16_eq(v, wasm_i8x16_splat(a));
		if (a != b)
			hit = wasm_v128_or(hit, wasm_i8x16_eq(v, wasm_i8x16_splat(b)));
		uint32_t mask = wasm_i8x16_bitmask(hit);
		if (mask != 0) {
			i += (uint32_t)__builtin_ctz(mask);
			return i < t.length ? i : t.length;
		}
	}
#else
	const uint64_t first = 0x0101010101010101u * (uint8_t)a, second = 0x0101010101010101u * (uint8_t)b;
	for (uint32_t i = from; i < t.length; i += 8) {
		uint64_t w = obsd_word(t.at + i), hit = obsd_zeros_(w ^ first);
		if (a != b)
			hit |= obsd_zeros_(w ^ second);
		if (hit != 0) {
			i += (uint32_t)__builtin_ctzll(hit) >> 3;
			return i < t.length ? i : t.length;
		}
	}
#endif
	return t.length;
}

/* The offset of the first byte c at or after from; the text's length if there is none. */
static inline uint32_t obsd_find(obsd_text t, char c, uint32_t from) { return obsd_find_either(t, c, c, from); }

/* Reads eight digits, the first in the lowest byte, by joining neighbours to pairs, fours and the eight. */
static inline bool obsd_eight_(uint64_t w, uint64_t *v)
{
	w ^= 0x3030303030303030u;
	if (((w + 0x7676767676767676u) | w) & 0x8080808080808080u) /* a byte over 9 */
		return false;
	w = w * 10 + (w >> 8);
	w = (w & 0xff000000ffu) * (100 + ((uint64_t)1000000 << 32)) + (w >> 16 & 0xff000000ffu) * (1 + ((uint64_t)10000 << 32));
	*v = w >> 32;
	return true;
}

/* Reads the decimal number that a text consists of, of at most 18 digits; false if it is none. */
static inline bool obsd_uint(obsd_text t, int64_t *v)
{
	if (t.length == 0 || t.length > 18)
		return false;
	const uint32_t first = (t.length - 1) % 8 + 1; /* then eight at a time */
	uint64_t n, more;
	if (!obsd_eight_(obsd_word(t.at) << (64 - 8 * first) | 0x3030303030303030u >> (8 * first - 8) >> 8, &n))
		return false;
	for (uint32_t i = first; i < t.length; i += 8) {
		if (!obsd_eight_(obsd_word(t.at + i), &more))
			return false;
		n = n * 100000000 + more;
	}
	*v = (int64_t)n;
	return true;
}

/* ---- Memory ---- */

static inline void obsd_copy(void *to, const void *from, size_t n)
{
#ifdef __wasm_bulk_memory__
	__builtin_memcpy(to, from, n);
#else
	for (size_t i = 0; i < n; i++)
		((uint8_t *)to)[i] = ((const uint8_t *)from)[i];
#endif
}

/* Memory of at least that size, a multiple of 8, until obsd_free. It traps when the plugin's limit is reached. */
void *obsd_new(uint32_t size);
void obsd_free(void *block, uint32_t size);

/* Bytes that grow. The zero value is empty. */
typedef struct { uint8_t *at; uint32_t length, room; } obsd_buffer;

void obsd_grow_(obsd_buffer *b, uint32_t n);

/* Makes room for n more bytes. */
static inline void obsd_reserve(obsd_buffer *b, uint32_t n)
{
	if (b->room - b->length < n)
		obsd_grow_(b, n);
}

static inline void obsd_append(obsd_buffer *b, obsd_text t)
{
	obsd_reserve(b, t.length);
	obsd_copy(b->at + b->length, t.at, t.length);
	b->length += t.length;
}

static inline void obsd_append_byte(obsd_buffer *b, uint8_t c)
{
	obsd_reserve(b, 1);
	b->at[b->length++] = c;
}

/* Appends a text as a JSON string. */
void obsd_append_quoted(obsd_buffer *b, obsd_text t);

/* ---- The plugin ---- */

typedef struct obsd_batch obsd_batch;

/* What a plugin says of itself, for OBSD_PLUGIN. */
struct obsd_plugin {
	/* The manifest, as runtime/abi/manifest.go has it; OBSD_JSON spells it without escapes. configure may replace it. */
	const char *manifest;
	/* Strings that host and plugin know by number, the first by 0; at most 4,071. May be left out. */
	const char *const *names;
	uint32_t names_count;
	/* Takes the configuration, JSON that was checked against the manifest's schema, and returns what is wrong with it;
	 * a text of length 0 is success. May be left out. */
	obsd_text (*configure)(obsd_text config);
	/* Works on a batch. */
	void (*process)(obsd_batch *b);
};

extern struct obsd_plugin obsd_plugin;

/* JSON as it is written: OBSD_JSON({"name": "x", "signals": ["logs"]}). */
#define OBSD_JSON(...) #__VA_ARGS__

/* Gives a string that is not among the plugin's names a number; the same string has the same one. It looks through all
 * names, so call it from configure. There are OBSD_MAX_NAMES for the life of an instance, and one more traps. */
uint16_t obsd_name(obsd_text name);

struct obsd_batch {
	const uint8_t *at; /* as the host laid it out; not there in a flush */
	uint32_t signal;   /* OBSD_LOGS, OBSD_METRICS or OBSD_TRACES; 0 in a flush */
	uint32_t rows;     /* numbered from 0 */
	int64_t now;       /* nanoseconds since 1970, the host's */
	/* The result: verdicts (rows u16, or empty), arena, sets; the edits' block, where the next one goes, the block's end. */
	obsd_buffer verdicts_, arena_, sets_;
	uint64_t *edits_, *edit_, *edits_end_;
	const obsd_text *keys_; /* of map columns, by number */
};

/* ---- Reading ---- */

typedef struct { uint8_t type; uint64_t bits; const uint8_t *batch; } obsd_value;

/* A column. One that the batch's signal does not have is absent in each row. */
typedef struct {
	const uint8_t *batch, *types, *cells;
	const uint32_t *index; /* the entry of each row; NULL if a row is its own */
	const obsd_text *keys;
	uint32_t number;
	bool map;
} obsd_column;

static inline uint32_t obsd_u32_(const uint8_t *at)
{
	uint32_t v;
	__builtin_memcpy(&v, at, 4);
	return v;
}

/* The column of that number in the manifest's reads. Call it once a batch. */
static inline obsd_column obsd_column_at(const obsd_batch *b, uint32_t number)
{
	const uint8_t *entry = b->at + obsd_u32_(b->at + 16) + 32 * number;
	uint32_t index = obsd_u32_(entry + 16);
	return (obsd_column){
		.batch = b->at, .types = b->at + obsd_u32_(entry + 8), .cells = b->at + obsd_u32_(entry + 12),
		.index = index != 0 ? (const uint32_t *)(b->at + index) : NULL,
		.keys = b->keys_, .number = number, .map = entry[0] == 2,
	};
}

/* A row's value; type OBSD_NONE if it is absent, or if the column is a map. */
static inline obsd_value obsd_value_at(const obsd_column *c, uint32_t row)
{
	if (c->index != NULL)
		row = c->index[row];
	if (c->map)
		return (obsd_value){OBSD_NONE, 0, c->batch};
	return (obsd_value){c->types[row], obsd_word(c->cells + 8 * row), c->batch};
}

/* The text of a string, bytes or JSON; of any other value one of length 0. */
static inline obsd_text obsd_value_text(obsd_value v)
{
	if (v.type != OBSD_STRING && v.type != OBSD_BYTES && v.type != OBSD_JSON_TEXT)
		return (obsd_text){v.batch, 0};
	return (obsd_text){v.batch + (uint32_t)v.bits, (uint32_t)(v.bits >> 32)};
}

static inline obsd_text obsd_text_at(const obsd_column *c, uint32_t row) { return obsd_value_text(obsd_value_at(c, row)); }

/* An int, or otherwise where the row has none. */
static inline int64_t obsd_int_at(const obsd_column *c, uint32_t row, int64_t otherwise)
{
	obsd_value v = obsd_value_at(c, row);
	return v.type == OBSD_INT ? (int64_t)v.bits : otherwise;
}

/* A double or an int, or otherwise where the row has none. */
static inline double obsd_double_at(const obsd_column *c, uint32_t row, double otherwise)
{
	obsd_value v = obsd_value_at(c, row);
	if (v.type == OBSD_INT)
		return (double)(int64_t)v.bits;
	if (v.type == OBSD_DOUBLE)
		__builtin_memcpy(&otherwise, &v.bits, 8);
	return otherwise;
}

/* A bool, or otherwise where the row has none. */
static inline bool obsd_bool_at(const obsd_column *c, uint32_t row, bool otherwise)
{
	obsd_value v = obsd_value_at(c, row);
	return v.type == OBSD_BOOL ? v.bits != 0 : otherwise;
}

/* An entry of a map column: for (obsd_entry e = {0}; obsd_next(&c, row, &e);) { … e.key … e.value … } */
typedef struct { obsd_text key; obsd_value value; uint32_t next_; } obsd_entry;

static inline bool obsd_next(const obsd_column *c, uint32_t row, obsd_entry *e)
{
	if (!c->map)
		return false;
	if (c->index != NULL)
		row = c->index[row];
	const uint32_t from = obsd_u32_(c->types + 4 * row), to = obsd_u32_(c->types + 4 * row + 4);
	if (from + e->next_ >= to)
		return false;
	const uint8_t *cell = c->cells + 16 * (from + e->next_++);
	e->key = c->keys[obsd_u32_(cell)];
	e->value = (obsd_value){cell[4], obsd_word(cell + 8), c->batch};
	return true;
}

/* ---- Changing ---- */

static inline void obsd_judge_(obsd_batch *b, uint32_t row, uint16_t verdict)
{
	if (b->verdicts_.length == 0) {
		obsd_reserve(&b->verdicts_, 2 * b->rows);
		b->verdicts_.length = 2 * b->rows;
		for (uint32_t i = 0; i < b->rows; i++)
			((uint16_t *)b->verdicts_.at)[i] = OBSD_KEEP;
	}
	((uint16_t *)b->verdicts_.at)[row] = verdict;
}

static inline void obsd_drop(obsd_batch *b, uint32_t row) { obsd_judge_(b, row, OBSD_DROP); }

/* Sends a row to the route of that number in the manifest's routes. */
static inline void obsd_route(obsd_batch *b, uint32_t row, uint32_t route)
{
	obsd_judge_(b, row, (uint16_t)(OBSD_ROUTE + route));
}

/* The verdict that sends a row to each route whose bit is set, of the first 64; an empty set drops it. */
static inline uint16_t obsd_set_of(obsd_batch *b, uint64_t routes)
{
	const uint32_t n = b->sets_.length / 8;
	for (uint32_t i = 0; i < n; i++)
		if (((uint64_t *)b->sets_.at)[i] == routes)
			return (uint16_t)(OBSD_SET | i);
	obsd_append(&b->sets_, (obsd_text){(const uint8_t *)&routes, 8});
	return (uint16_t)(OBSD_SET | n);
}

static inline void obsd_route_set(obsd_batch *b, uint32_t row, uint64_t routes)
{
	obsd_judge_(b, row, obsd_set_of(b, routes));
}

/* What a change is of: the attribute or resource attribute of a name, or a field. */
typedef uint64_t obsd_target;
#define OBSD_ATTRIBUTE(name) ((obsd_target)1 << 48 | (obsd_target)(name) << 32)
#define OBSD_FIELD(field)    ((obsd_target)3 << 48 | (obsd_target)(field) << 32)
#define OBSD_RESOURCE(name)  ((obsd_target)4 << 48 | (obsd_target)(name) << 32)

void obsd_more_edits_(obsd_batch *b);

static inline void obsd_edit_(obsd_batch *b, uint64_t head, uint64_t cell)
{
	if (b->edit_ == b->edits_end_)
		obsd_more_edits_(b);
	uint64_t *words = b->edit_;
	words[0] = head;
	words[1] = cell;
	b->edit_ = words + 2;
}

static inline void obsd_set_(obsd_batch *b, uint32_t row, obsd_target t, uint64_t type, uint64_t cell)
{
	obsd_edit_(b, t | type << 56 | row, cell);
}

/* Copies a text into the result and returns its cell. */
static inline uint64_t obsd_keep_(obsd_batch *b, obsd_text t)
{
	uint32_t offset = b->arena_.length;
	obsd_append(&b->arena_, t);
	return obsd_span_of(offset, t.length);
}

static inline void obsd_set_int(obsd_batch *b, uint32_t row, obsd_target t, int64_t v)
{
	obsd_set_(b, row, t, OBSD_INT, (uint64_t)v);
}

static inline void obsd_set_double(obsd_batch *b, uint32_t row, obsd_target t, double v)
{
	uint64_t bits;
	__builtin_memcpy(&bits, &v, 8);
	obsd_set_(b, row, t, OBSD_DOUBLE, bits);
}

static inline void obsd_set_bool(obsd_batch *b, uint32_t row, obsd_target t, bool v) { obsd_set_(b, row, t, OBSD_BOOL, v); }

/* Sets a string, which is copied; obsd_set_slice is cheaper for what stands in a column. */
static inline void obsd_set_string(obsd_batch *b, uint32_t row, obsd_target t, obsd_text v)
{
	obsd_set_(b, row, t, OBSD_STRING, obsd_keep_(b, v));
}

static inline void obsd_set_bytes(obsd_batch *b, uint32_t row, obsd_target t, obsd_text v)
{
	obsd_set_(b, row, t, OBSD_BYTES, obsd_keep_(b, v));
}

/* Sets the map or array that a JSON text stands for; text that is not JSON becomes a string. */
static inline void obsd_set_json(obsd_batch *b, uint32_t row, obsd_target t, obsd_text v)
{
	obsd_set_(b, row, t, OBSD_JSON_TEXT, obsd_keep_(b, v));
}

/* Sets a string that recurs; the host keeps one copy of it. */
static inline void obsd_set_name(obsd_batch *b, uint32_t row, obsd_target t, uint16_t name)
{
	obsd_set_(b, row, t, OBSD_NAME, name);
}

/* Sets a part of a column's text in this row. The host takes it without copying. */
static inline void obsd_set_slice(obsd_batch *b, uint32_t row, obsd_target t, const obsd_column *c, obsd_span s)
{
	obsd_set_(b, row, t, OBSD_SLICE | c->number, s);
}

/* Removes an attribute, or empties a field. */
static inline void obsd_unset(obsd_batch *b, uint32_t row, obsd_target t)
{
	uint64_t field = t >> 48 == 3;
	obsd_set_(b, row, t + ((1 - field) << 48), OBSD_NONE, 0);
}

/* Gives a key that has no number to the change just made with OBSD_ATTRIBUTE(OBSD_INLINE) or OBSD_RESOURCE(OBSD_INLINE). */
static inline void obsd_key(obsd_batch *b, uint32_t row, obsd_text key)
{
	obsd_set_(b, row, (obsd_target)255 << 48, OBSD_STRING, obsd_keep_(b, key));
}

/* Sets the severity number, 0 to 24, and as its text the number's short name. */
void obsd_set_severity(obsd_batch *b, uint32_t row, uint32_t number);

/* Makes a row: a copy of the row (OBSD_COPY), or an empty one of a signal. Changes of the same row number that follow are
 * the new row's. verdict is OBSD_KEEP, OBSD_ROUTE + i or obsd_set_of(…). In a flush, row is 0. */
static inline void obsd_new_row(obsd_batch *b, uint32_t row, uint16_t verdict, uint32_t copy_or_signal)
{
	obsd_edit_(b, (uint64_t)6 << 48 | (uint64_t)verdict << 32 | (uint64_t)copy_or_signal << 56 | row, 0);
}

/* ---- Configuration ---- */

/* JSON that the host has checked, so these do not look for faults. A value is the text of it; length 0 is "not there". */

/* Skips white space, commas and colons. */
static inline uint32_t obsd_json_space_(obsd_text t, uint32_t i)
{
	while (i < t.length && (t.at[i] <= ' ' || t.at[i] == ',' || t.at[i] == ':'))
		i++;
	return i;
}

/* Returns the offset behind the value at i. */
static inline uint32_t obsd_json_end_(obsd_text t, uint32_t i)
{
	int depth = 0;
	for (bool in_string = false; i < t.length; i++) {
		const uint8_t c = t.at[i];
		if (in_string) {
			if (c == '\\') {
				i++;
			} else if (c == '"') {
				in_string = false;
				if (depth == 0)
					return i + 1;
			}
		} else if (c == '"') {
			in_string = true;
		} else if (c == '{' || c == '[') {
			depth++;
		} else if (c == '}' || c == ']') {
			if (depth == 0)
				return i;
			if (--depth == 0)
				return i + 1;
		} else if (depth == 0 && (c <= ' ' || c == ',' || c == ':')) {
			return i;
		}
	}
	return t.length;
}

/* Walks an array's elements, or an object's keys and values in turn: start with *at 0, and take what it returns until
 * that has length 0. */
static inline obsd_text obsd_json_next(obsd_text v, uint32_t *at)
{
	uint32_t from = obsd_json_space_(v, *at == 0 ? obsd_json_space_(v, 0) + 1 : *at);
	uint32_t to = obsd_json_end_(v, from);
	*at = to;
	return from < v.length ? (obsd_text){v.at + from, to - from} : (obsd_text){v.at, 0};
}

/* An object's member; its key must be plain text without escapes. */
static inline obsd_text obsd_json_get(obsd_text object, const char *key)
{
	uint32_t at = 0;
	for (;;) {
		obsd_text k = obsd_json_next(object, &at);
		if (k.length == 0)
			return k;
		obsd_text v = obsd_json_next(object, &at);
		if (obsd_equal((obsd_text){k.at + 1, k.length - 2}, obsd_text_of(key)))
			return v;
	}
}

static inline int64_t obsd_json_int(obsd_text v, int64_t otherwise)
{
	bool minus = v.length > 0 && v.at[0] == '-';
	int64_t n;
	if (!obsd_uint((obsd_text){v.at + minus, v.length - minus}, &n))
		return otherwise;
	return minus ? -n : n;
}

static inline bool obsd_json_bool(obsd_text v, bool otherwise) { return v.length > 0 ? v.at[0] == 't' : otherwise; }

/* The text of a string, its escapes undone, or otherwise where there is none. It is kept for the life of the instance. */
obsd_text obsd_json_string(obsd_text v, const char *otherwise);

/* ---- The host ---- */

/* Only what is called becomes an import. Each needs a capability in the manifest and a grant in the configuration; they
 * are described in runtime/abi/host.go. */
#define OBSD_HOST_(name) __attribute__((import_module("obsd"), import_name(#name))) obsd_host_##name

void OBSD_HOST_(log)(uint32_t severity, const void *text, uint32_t length);
int32_t OBSD_HOST_(metric)(const void *definition, uint32_t length);
void OBSD_HOST_(metric_record)(int32_t series, double value);
int64_t OBSD_HOST_(kv_get)(const void *key, uint32_t key_length, void *to, uint32_t room);
int32_t OBSD_HOST_(kv_set)(const void *key, uint32_t key_length, const void *value, uint32_t length, int64_t ttl_ms);
int64_t OBSD_HOST_(kv_add)(const void *key, uint32_t key_length, int64_t delta, int64_t ttl_ms);
int32_t OBSD_HOST_(kv_delete)(const void *key, uint32_t key_length);
int32_t OBSD_HOST_(lookup)(const void *table, uint32_t table_length, const void *column, uint32_t column_length);
int64_t OBSD_HOST_(lookup_get)(int32_t number, const void *key, uint32_t key_length, void *to, uint32_t room);

/* ---- The module ---- */

/* Defines the plugin, in one file of it: OBSD_PLUGIN(.manifest = …, .process = …). Members are those of struct obsd_plugin. */
#define OBSD_PLUGIN(...) struct obsd_plugin obsd_plugin = {__VA_ARGS__}

void obsd_begin_(const uint8_t *batch, int64_t now);
uint64_t obsd_result_(void);

/* Exports obsd_flush, in the same file: function, void (*)(obsd_batch *), gets a batch without rows and makes new ones. */
#define OBSD_FLUSH(function)                                                                                          \
	__attribute__((export_name("obsd_flush"))) uint64_t obsd_export_flush_(int64_t now)                           \
	{                                                                                                             \
		obsd_begin_(NULL, now);                                                                               \
		function(&obsd_state_.batch);                                                                         \
		return obsd_result_();                                                                                \
	}                                                                                                             \
	extern struct obsd_plugin obsd_plugin

/* What follows is defined once, however many files include it. */
#define OBSD_ONCE_ __attribute__((weak))
#define OBSD_EXPORT_(name) __attribute__((weak, export_name(#name)))

/* The state of an instance. */
struct obsd_state_ {
	obsd_batch batch;
	uint8_t *block;
	uint32_t block_size;
	obsd_buffer names, keys; /* obsd_text each */
	uint32_t told;           /* how many of names the host knows */
	uint16_t severities;     /* the name of severity 0 */
	uint8_t *fresh, *fresh_end;
	uint8_t *spare[32]; /* spare[i] heads a list of free blocks of 1<<i bytes */
	uint32_t header[12];
};

OBSD_ONCE_ struct obsd_state_ obsd_state_;

static inline uint32_t obsd_address_(const void *p) { return (uint32_t)(uintptr_t)p; }
static inline uint64_t obsd_pack_(const void *p, uint32_t n) { return (uint64_t)obsd_address_(p) << 32 | n; }

/* A block's size is the power of two that size is rounded up to. */
static inline uint32_t obsd_class_(uint32_t size)
{
	if (size > (uint32_t)1 << 31)
		__builtin_trap();
	return size <= 16 ? 4 : 32 - (uint32_t)__builtin_clz(size - 1);
}

/* Takes pages until want bytes are fresh. What another allocator took meanwhile is left alone. */
static inline void obsd_take_pages_(struct obsd_state_ *s, uint32_t want)
{
	const uint32_t pages = (want + 65535) >> 16;
	const size_t at = __builtin_wasm_memory_grow(0, pages);
	if (at == (size_t)-1)
		__builtin_trap();
	if (s->fresh_end != (uint8_t *)(at << 16))
		s->fresh = (uint8_t *)(at << 16);
	s->fresh_end = (uint8_t *)((at + pages) << 16);
}

OBSD_ONCE_ void *obsd_new(uint32_t size)
{
	struct obsd_state_ *s = &obsd_state_;
	const uint32_t class_ = obsd_class_(size), want = (uint32_t)1 << class_;
	uint8_t *block = s->spare[class_];
	if (block != NULL) {
		__builtin_memcpy(&s->spare[class_], block, sizeof(uint8_t *));
		return block;
	}
	if ((uint32_t)(s->fresh_end - s->fresh) < want)
		obsd_take_pages_(s, want);
	block = s->fresh;
	s->fresh += want;
	return block;
}

OBSD_ONCE_ void obsd_free(void *block, uint32_t size)
{
	uint8_t **spare = &obsd_state_.spare[obsd_class_(size)];
	__builtin_memcpy(block, spare, sizeof(uint8_t *));
	*spare = block;
}

OBSD_ONCE_ void obsd_grow_(obsd_buffer *b, uint32_t n)
{
	const uint32_t room = (uint32_t)1 << obsd_class_(b->length + n);
	uint8_t *at = obsd_new(room);
	obsd_copy(at, b->at, b->length);
	if (b->room > 0)
		obsd_free(b->at, b->room);
	b->at = at;
	b->room = room;
}

/* Doubles the block of edits. */
OBSD_ONCE_ void obsd_more_edits_(obsd_batch *b)
{
	const uint32_t used = (uint32_t)((uint8_t *)b->edit_ - (uint8_t *)b->edits_), room = used < 2048 ? 4096 : 2 * used;
	uint64_t *at = obsd_new(room);
	obsd_copy((uint8_t *)at, (const uint8_t *)b->edits_, used);
	if (used > 0)
		obsd_free(b->edits_, used);
	b->edits_ = at;
	b->edit_ = at + used / 8;
	b->edits_end_ = at + room / 8;
}

static inline void obsd_add_name_(obsd_text name)
{
	if (obsd_state_.names.length / sizeof name == OBSD_MAX_NAMES)
		__builtin_trap();
	obsd_append(&obsd_state_.names, (obsd_text){(const uint8_t *)&name, sizeof name});
}

OBSD_ONCE_ uint16_t obsd_name(obsd_text name)
{
	const obsd_text *have = (const obsd_text *)obsd_state_.names.at;
	const uint32_t n = obsd_state_.names.length / sizeof name;
	for (uint32_t i = 0; i < n; i++)
		if (obsd_equal(have[i], name))
			return (uint16_t)i;
	uint8_t *kept = obsd_new(name.length);
	obsd_copy(kept, name.at, name.length);
	obsd_add_name_((obsd_text){kept, name.length});
	return (uint16_t)n;
}

/* Numbers the plugin's names, and behind them the severities'. */
static inline void obsd_add_names_(void)
{
	static const char *const severities[25] = {
		"UNSPECIFIED", "TRACE", "TRACE2", "TRACE3", "TRACE4", "DEBUG", "DEBUG2", "DEBUG3", "DEBUG4",
		"INFO", "INFO2", "INFO3", "INFO4", "WARN", "WARN2", "WARN3", "WARN4",
		"ERROR", "ERROR2", "ERROR3", "ERROR4", "FATAL", "FATAL2", "FATAL3", "FATAL4",
	};
	for (uint32_t i = 0; i < obsd_plugin.names_count; i++)
		obsd_add_name_(obsd_text_of(obsd_plugin.names[i]));
	obsd_state_.severities = (uint16_t)obsd_plugin.names_count;
	for (uint32_t i = 0; i < 25; i++)
		obsd_add_name_(obsd_text_of(severities[i]));
}

OBSD_ONCE_ void obsd_set_severity(obsd_batch *b, uint32_t row, uint32_t number)
{
	obsd_set_(b, row, OBSD_FIELD(OBSD_SEVERITY_NUMBER), OBSD_NAME, obsd_span_of(number, obsd_state_.severities + number));
}

/* Reads the four hex digits at at. */
static inline uint32_t obsd_hex_(const uint8_t *at)
{
	uint32_t v = 0;
	for (int i = 0; i < 4; i++)
		v = v << 4 | (uint32_t)(at[i] <= '9' ? at[i] - '0' : (at[i] | 32) - 'a' + 10);
	return v;
}

static inline void obsd_append_rune_(obsd_buffer *b, uint32_t r)
{
	if (r < 0x80) {
		obsd_append_byte(b, (uint8_t)r);
		return;
	}
	int more = r < 0x800 ? 1 : r < 0x10000 ? 2 : 3;
	obsd_append_byte(b, (uint8_t)(0xf00 >> more | r >> (6 * more)));
	while (more-- > 0)
		obsd_append_byte(b, (uint8_t)(0x80 | (r >> (6 * more) & 0x3f)));
}

/* Appends the escape at i, which points behind its backslash, and returns the offset behind it. Half a surrogate pair
 * becomes U+FFFD. */
static inline uint32_t obsd_append_escape_(obsd_buffer *b, obsd_text t, uint32_t i)
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
	const uint8_t c = t.at[i++];
	if (c != 'u') {
		int k = 0;
		while (from[k] != 0 && from[k] != c)
			k++;
		obsd_append_byte(b, from[k] != 0 ? (uint8_t)to[k] : c);
		return i;
	}
	uint32_t r = obsd_hex_(t.at + i);
	i += 4;
	if (r >> 11 == 0x1b) {
		const bool two = i + 6 <= t.length && t.at[i] == '\\' && t.at[i + 1] == 'u';
		const uint32_t low = two ? obsd_hex_(t.at + i + 2) : 0;
		const bool pair = r < 0xdc00 && low >> 10 == 0x37;
		r = pair ? 0x10000 + ((r & 0x3ff) << 10 | (low & 0x3ff)) : 0xfffd;
		i += pair ? 6 : 0;
	}
	obsd_append_rune_(b, r);
	return i;
}

OBSD_ONCE_ obsd_text obsd_json_string(obsd_text v, const char *otherwise)
{
	obsd_buffer b = {NULL, 0, 0};
	if (v.length < 2 || v.at[0] != '"')
		return obsd_text_of(otherwise);
	for (uint32_t i = 1; i < v.length - 1;) {
		if (v.at[i] == '\\')
			i = obsd_append_escape_(&b, v, i + 1);
		else
			obsd_append_byte(&b, v.at[i++]);
	}
	return (obsd_text){b.at, b.length};
}

OBSD_ONCE_ void obsd_append_quoted(obsd_buffer *b, obsd_text t)
{
	static const char hex[] = "0123456789abcdef";
	obsd_append_byte(b, '"');
	for (uint32_t i = 0; i < t.length; i++) {
		const uint8_t c = t.at[i];
		if (c < ' ') {
			obsd_append(b, obsd_text_of("\\u00"));
			obsd_append_byte(b, (uint8_t)hex[c >> 4]);
			obsd_append_byte(b, (uint8_t)hex[c & 15]);
			continue;
		}
		if (c == '"' || c == '\\')
			obsd_append_byte(b, '\\');
		obsd_append_byte(b, c);
	}
	obsd_append_byte(b, '"');
}

/* Copies the keys that the host numbers with this batch; they stay for the life of the instance. */
static inline void obsd_add_keys_(obsd_buffer *keys, const uint8_t *batch)
{
	const uint32_t names = obsd_u32_(batch + 20), count = obsd_u32_(batch + 24), first = obsd_u32_(batch + 28);
	while (count > 0 && keys->length > first * sizeof(obsd_text)) {
		keys->length -= sizeof(obsd_text);
		const obsd_text *old = (const obsd_text *)(keys->at + keys->length);
		obsd_free((void *)(uintptr_t)old->at, old->length);
	}
	for (uint32_t i = 0; i < count; i++) {
		const uint64_t cell = obsd_word(batch + names + 8 * i);
		const uint32_t length = (uint32_t)(cell >> 32);
		uint8_t *kept = obsd_new(length);
		obsd_copy(kept, batch + (uint32_t)cell, length);
		const obsd_text key = {kept, length};
		obsd_append(keys, (obsd_text){(const uint8_t *)&key, sizeof key});
	}
}

OBSD_ONCE_ void obsd_begin_(const uint8_t *batch, int64_t now)
{
	obsd_batch *b = &obsd_state_.batch;
	b->at = batch;
	b->signal = b->rows = 0;
	b->now = now;
	b->verdicts_.length = b->arena_.length = b->sets_.length = 0;
	b->edit_ = b->edits_;
	if (batch != NULL) {
		b->signal = obsd_u32_(batch + 4);
		b->rows = obsd_u32_(batch + 8);
		b->now = (int64_t)obsd_word(batch + 32);
		obsd_add_keys_(&obsd_state_.keys, batch);
	}
	b->keys_ = (const obsd_text *)obsd_state_.keys.at;
}

/* Lays the result out. An obsd_text is in memory what the contract calls the cell of a name: address and length. */
OBSD_ONCE_ uint64_t obsd_result_(void)
{
	struct obsd_state_ *s = &obsd_state_;
	const obsd_batch *b = &s->batch;
	const uint32_t all = s->names.length / sizeof(obsd_text), told = s->told;
	if (b->verdicts_.length == 0 && b->edit_ == b->edits_)
		return 0;
	s->told = all;
	uint32_t *h = s->header;
	h[0] = 0x3152534f; /* OSR1 */
	h[1] = b->rows;
	h[2] = b->verdicts_.length > 0 ? obsd_address_(b->verdicts_.at) : 0;
	h[3] = obsd_address_(b->edits_), h[4] = (uint32_t)(b->edit_ - b->edits_) / 2;
	h[5] = obsd_address_(b->arena_.at), h[6] = b->arena_.length;
	h[7] = obsd_address_(s->names.at) + told * sizeof(obsd_text), h[8] = all - told, h[9] = told;
	h[10] = obsd_address_(b->sets_.at), h[11] = b->sets_.length / 8;
	return obsd_pack_(h, sizeof s->header);
}

OBSD_EXPORT_(obsd_abi_v1) void obsd_export_abi_v1_(void) {}

OBSD_EXPORT_(obsd_manifest) uint64_t obsd_export_manifest_(void)
{
	const obsd_text text = obsd_text_of(obsd_plugin.manifest);
	return obsd_pack_(text.at, text.length);
}

OBSD_EXPORT_(obsd_configure) uint64_t obsd_export_configure_(const uint8_t *config, uint32_t length)
{
	obsd_add_names_();
	if (obsd_plugin.configure == NULL)
		return 0;
	const obsd_text wrong = obsd_plugin.configure((obsd_text){config, length});
	return wrong.length > 0 ? obsd_pack_(wrong.at, wrong.length) : 0;
}

OBSD_EXPORT_(obsd_alloc) uint8_t *obsd_export_alloc_(uint32_t size)
{
	struct obsd_state_ *s = &obsd_state_;
	if (s->block != NULL)
		obsd_free(s->block, s->block_size);
	s->block_size = size + OBSD_SLACK;
	return s->block = obsd_new(s->block_size);
}

OBSD_EXPORT_(obsd_process) uint64_t obsd_export_process_(const uint8_t *batch, uint32_t length)
{
	(void)length; /* the layout says where all lies */
	obsd_begin_(batch, 0);
	obsd_plugin.process(&obsd_state_.batch);
	return obsd_result_();
}

#endif
