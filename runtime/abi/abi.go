// Package abi is the boundary between the host and a plugin: names, numbers and byte layouts, version 1.
// Host and SDK share it, so it imports the standard library only.
//
// A plugin is a core WebAssembly module for wasm32. Two byte layouts cross the boundary: a batch (host to guest) and
// a result (guest to host). Both are little-endian; both are read in place, without a decoding step.
//
// # Value cells
//
// A value is a type byte (see [Type]) and a cell of eight bytes. What the cell holds follows from the type:
//
//	none                absent; the cell is 0
//	int                 the 64 bits of an int64
//	double              the IEEE 754 bits of a float64
//	bool                0 or 1
//	string, bytes, json offset u32 | length u32
//	                    in a batch: from the batch's first byte; in a result: from the arena's first byte
//	name                (results only) the number of a name that the guest announced
//	0x80|c              (results only) offset u32 | length u32 of a slice of column c's value in the same row,
//	                    the offset counted from that value's first byte
//
// # Signals
//
// A row is a log record, a metric data point (of a gauge, sum, histogram, exponential histogram or summary) or a span,
// as the batch's signal says. The layout is one for all of them; see [Field] for the columns and what can be set.
// Events and links of a span, exemplars and buckets of a data point stay as they are.
//
// # Batch
//
// The host writes a batch at the address that obsd_alloc gave and passes address and length to obsd_process.
// All offsets count from the batch's first byte, and every section starts at a multiple of 8.
//
//	      0       4       8       12      16      20      24      28      32              40 .. 63
//	     +-------+-------+-------+-------+-------+-------+-------+-------+---------------+---------+
//	     | magic |signal | rows  |columns| dir   | names |count  | first | now, unix ns  | zero    |
//	     +-------+-------+-------+-------+-------+-------+-------+-------+---------------+---------+
//
//	dir     offset of the column directory: one 32-byte entry for each column of the manifest's "reads", in that order
//	names   offset of count name cells (offset u32 | length u32): attribute keys numbered first, first+1, ...
//	        that later cells of map columns use. The guest keeps them for the instance's life;
//	        first = 0 with count > 0 starts the table anew.
//
// An entry of the column directory:
//
//	      0      1       2       4       8       12      16      20 .. 31
//	     +------+-------+-------+-------+-------+-------+-------+--------+
//	     | kind | level | zero  | count | types | cells | index | zero   |
//	     +------+-------+-------+-------+-------+-------+-------+--------+
//
//	kind 1, values: types is count type bytes, cells is count 8-byte cells.
//	kind 2, map:    types is count+1 u32: entry i owns the 16-byte cells from types[i] up to types[i+1];
//	                a cell is name u32 | type u32 | value 8 bytes.
//	level 0:        an entry for each row (count = rows); index is 0.
//	level 1, 2, 3:  an entry for each resource, scope or metric; index is the offset of rows u32, the entry of each row.
//
// A column that the batch's signal does not have is kind 1, level 1, with one entry of type none, and an index of zeros.
//
// # Result
//
// obsd_process returns address<<32 | length of a result, or 0 for "keep every row as it is". Here addresses are
// addresses of the guest's memory, so that a guest hands over its buffers where they lie. They stay the guest's;
// the host reads them before the next call and never writes.
//
//	      0       4       8         12      16      20      24      28      32      36      40      44
//	     +-------+-------+---------+-------+-------+-------+-------+-------+-------+-------+-------+-------+
//	     | magic | rows  |verdicts | edits | count | arena |length | names |count  | first | sets  |count  |
//	     +-------+-------+---------+-------+-------+-------+-------+-------+-------+-------+-------+-------+
//
//	rows      as in the batch
//	verdicts  0 (keep all) or rows u16, see [Keep]
//	edits     count entries of 16 bytes, sorted by row:
//	              row u32 | name u16 | op u8 | type u8   value cell 8 bytes
//	          What name means follows from the op: the number of an attribute's key, a [Field], or a verdict.
//	          With name = [NameInline] the next entry, of op [OpExt], holds the key's text as a string cell.
//	arena     bytes that string, bytes and json cells point into
//	names     count cells address u32 | length u32: names numbered first, first+1, ...; first is the number of
//	          names announced before on this instance
//	sets      count u64: bit i of a set stands for route i of the manifest
//
// # New rows
//
// An edit of op [OpNew] makes a row. The edits behind it with the same row number are the new row's, up to the next
// OpNew; those before the first OpNew are the row's own. A copy is of the row as it came, without this result's edits.
// A new row lies in the resource and scope of the row whose number it bears, and time and observed time of one that is
// no copy are the batch's now until an edit sets them. obsd_flush has no rows: each new row of its result bears the
// number 0, and its resource and scope are empty.
//
// An edit of a resource ([OpSetResource], [OpDeleteResource]) or of a metric's own fields (Field of level 3) changes them
// for the row alone: the host moves the row to a resource or metric of its own, together with all rows changed alike.
package abi

// Version is the contract's version; a module exports [ExportMarker] to say that it keeps to it.
const Version = 1

// Names of a plugin's exports.
const (
	// ExportMarker is a function without parameters and results; its presence marks version 1. It is never called.
	ExportMarker = "obsd_abi_v1"
	// ExportMarkerPrefix starts the marker of every version, known or not.
	ExportMarkerPrefix = "obsd_abi_v"
	// ExportMemory is the module's memory.
	ExportMemory = "memory"
	// ExportManifest, () i64, returns address<<32|length of the manifest as JSON, see [Manifest].
	// The host calls it before obsd_configure and once more after it: what the configuration decides
	// (columns to read, names of routes) stands in the second answer.
	ExportManifest = "obsd_manifest"
	// ExportConfigure, (address, length i32) i64, takes the configuration as JSON (the bytes lie in memory
	// from obsd_alloc) and returns 0, or address<<32|length of an error text for the user.
	ExportConfigure = "obsd_configure"
	// ExportAlloc, (size i32) i32, returns the 8-aligned address of size bytes, followed by [Slack] readable ones.
	// The block before it becomes invalid; the host writes into the newest one for as many calls as it fits.
	ExportAlloc = "obsd_alloc"
	// ExportProcess, (address, length i32) i64, takes a batch and returns a result.
	ExportProcess = "obsd_process"
	// ExportFlush, (now i64) i64, is optional: now is in nanoseconds since 1970, and it returns a result without rows, or
	// 0. The host calls it at the manifest's flush interval and before an instance that served batches is retired.
	ExportFlush = "obsd_flush"
	// ExportInitialize is the WASI reactor's start function; the host calls it when it exists.
	ExportInitialize = "_initialize"
	// ExportStart is a WASI command's start function: a module that has it cannot be a plugin.
	ExportStart = "_start"
)

// Sizes and magic numbers of the layouts.
const (
	BatchMagic       = 0x3142534f // "OSB1" in memory
	BatchHeaderSize  = 64
	ColumnSize       = 32
	CellSize         = 8
	MapCellSize      = 16
	ResultMagic      = 0x3152534f // "OSR1" in memory
	ResultHeaderSize = 48
	EditSize         = 16
	// Slack is how many bytes after an allocated block a guest may read (not write): SIMD readers overrun.
	Slack = 16
)

// Offsets in a batch's header.
const (
	BatchSignal     = 4
	BatchRows       = 8
	BatchColumns    = 12
	BatchDirectory  = 16
	BatchNames      = 20
	BatchNamesCount = 24
	BatchNamesFirst = 28
	BatchNow        = 32
)

// Offsets in an entry of the column directory.
const (
	ColumnKind  = 0
	ColumnLevel = 1
	ColumnCount = 4
	ColumnTypes = 8
	ColumnCells = 12
	ColumnIndex = 16
)

// Offsets in a result's header.
const (
	ResultRows        = 4
	ResultVerdicts    = 8
	ResultEdits       = 12
	ResultEditsCount  = 16
	ResultArena       = 20
	ResultArenaLength = 24
	ResultNames       = 28
	ResultNamesCount  = 32
	ResultNamesFirst  = 36
	ResultSets        = 40
	ResultSetsCount   = 44
)

// Signal says what a row is.
type Signal uint32

// Signals.
const (
	SignalLogs    Signal = 1 // a row is a log record
	SignalMetrics Signal = 2 // a row is a metric data point
	SignalTraces  Signal = 3 // a row is a span
)

// SignalNames has the name of each signal, as manifests write it, by its number.
var SignalNames = [...]string{SignalLogs: "logs", SignalMetrics: "metrics", SignalTraces: "traces"}

// Kind says how a column's entries lie.
type Kind uint8

// Kinds.
const (
	KindValues Kind = 1
	KindMap    Kind = 2
)

// Level says whether a column has an entry for each row or one for each resource, scope or metric.
type Level uint8

// Levels.
const (
	LevelRow      Level = 0
	LevelResource Level = 1
	LevelScope    Level = 2
	LevelMetric   Level = 3
)

// Type is the type of a value.
type Type uint8

// Types. In a result, 0x80|c is a slice of column c (0 to 127).
const (
	TypeNone   Type = 0
	TypeString Type = 1
	TypeInt    Type = 2
	TypeDouble Type = 3
	TypeBool   Type = 4
	TypeBytes  Type = 5
	// TypeJSON is a map or an array, as JSON text.
	TypeJSON Type = 6
	// TypeName is a string that the guest announced among its names; the host keeps one copy of it.
	TypeName Type = 7
	// TypeSlice is the bit that marks a slice of a column.
	TypeSlice Type = 0x80
)

// Op says what an edit does.
type Op uint8

// Ops.
const (
	OpSetAttribute    Op = 1 // name: the key
	OpDeleteAttribute Op = 2 // name: the key; type none
	OpSet             Op = 3 // name: a Field
	OpSetResource     Op = 4 // name: the key
	OpDeleteResource  Op = 5 // name: the key; type none
	// OpNew makes a new row. name: its verdict, any but Drop; type: NewCopy for a copy of the row, or the Signal of an
	// empty log record, data point or span; cell: 0.
	OpNew Op = 6
	OpExt Op = 255
)

// NewCopy is the type of an [OpNew] that copies the row.
const NewCopy = 0

// NameInline in an edit says that the key stands in the next entry.
const NameInline = 0xffff

// Verdicts. 2+i routes the row to route i of the manifest; 0x8000|s routes it to each route of set s.
const (
	Keep  = 0
	Drop  = 1
	Route = 2
	Set   = 0x8000
)

// Limits of the contract.
const (
	MaxColumns = 128
	MaxRoutes  = Set - Route
	// MaxSetRoutes is how many routes, from the first, a set can name.
	MaxSetRoutes = 64
	// MaxNames is how many names one instance may announce.
	MaxNames = 4096
	// MaxNew is how many new rows one result may make.
	MaxNew = 1 << 16
	// MaxBatch is the largest batch in bytes.
	MaxBatch = 1 << 30
)

// Pack joins an address or offset and a length as a plugin's functions return them.
func Pack(address, length uint32) uint64 { return uint64(address)<<32 | uint64(length) }

// Unpack is the reverse of [Pack].
func Unpack(v uint64) (address, length uint32) { return uint32(v >> 32), uint32(v) }

// Cell makes the cell of a string: offset in the low half, length in the high half.
func Cell(offset, length uint32) uint64 { return uint64(length)<<32 | uint64(offset) }

// Edit makes the first word of an edit entry.
func Edit(row uint32, name uint16, op Op, typ Type) uint64 {
	return uint64(row) | uint64(name)<<32 | uint64(op)<<48 | uint64(typ)<<56
}
