use alloc::boxed::Box;

use crate::column::{u32_at, u64_at};
use crate::result::Output;
use crate::{Column, Field, Name, Severity, Signal, Span, Verdict};

/// The rows under way, and what is to become of them.
pub struct Batch<'a> {
    bytes: &'a [u8],
    rows: usize,
    now: i64,
    keys: &'a [Box<str>],
    out: &'a mut Output,
}

/// What a change is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    /// The attribute of a key.
    Attribute(Name),
    /// A field.
    Field(Field),
    /// The resource's attribute of a key, for this row alone.
    Resource(Name),
}

/// What [`Batch::new_row`] makes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum New {
    /// A copy of the row as it came.
    Copy,
    /// An empty row of a signal.
    Of(Signal),
}

const OP_SET: u64 = 3;
const OP_NEW: u64 = 6;
const OP_KEY: u64 = 255;

const STRING: u64 = 1;
const INT: u64 = 2;
const DOUBLE: u64 = 3;
const BOOL: u64 = 4;
const BYTES: u64 = 5;
const JSON: u64 = 6;
const NAME: u64 = 7;
const SLICE: u64 = 0x80;

impl Target {
    /// The target's part of an edit's first word.
    #[inline]
    const fn word(self) -> u64 {
        match self {
            Target::Attribute(name) => 1 << 48 | (name.0 as u64) << 32,
            Target::Field(field) => OP_SET << 48 | (field as u64) << 32,
            Target::Resource(name) => 4 << 48 | (name.0 as u64) << 32,
        }
    }
}

impl From<Name> for Target {
    #[inline]
    fn from(name: Name) -> Target {
        Target::Attribute(name)
    }
}

impl From<Field> for Target {
    #[inline]
    fn from(field: Field) -> Target {
        Target::Field(field)
    }
}

impl<'a> Batch<'a> {
    pub(crate) fn new(bytes: &'a [u8], keys: &'a [Box<str>], out: &'a mut Output) -> Batch<'a> {
        Batch { bytes, rows: u32_at(bytes, 8) as usize, now: u64_at(bytes, 32) as i64, keys, out }
    }

    pub(crate) fn flush(now: i64, out: &'a mut Output) -> Batch<'a> {
        Batch { bytes: &[], rows: 0, now, keys: &[], out }
    }

    /// How many rows there are; they are numbered from 0.
    #[inline]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// What the rows are; none in a flush.
    pub fn signal(&self) -> Option<Signal> {
        if self.bytes.is_empty() {
            return None;
        }
        match u32_at(self.bytes, 4) {
            1 => Some(Signal::Logs),
            2 => Some(Signal::Metrics),
            _ => Some(Signal::Traces),
        }
    }

    /// The host's time in nanoseconds since 1970, the same for the whole batch.
    pub fn now(&self) -> i64 {
        self.now
    }

    /// The column of that number in the manifest's reads. Call it once a batch.
    pub fn column(&self, number: usize) -> Column<'a> {
        Column::new(self.bytes, self.keys, self.rows, number)
    }

    /// Numbers a string that is not among [`Plugin::NAMES`](crate::Plugin::NAMES); the same string has the same number.
    /// It looks through all names, so keep what it returns. There are 4,096 for the life of an instance; one more panics.
    pub fn name(&mut self, text: &str) -> Name {
        self.out.name(text)
    }

    /// Removes a row.
    #[inline]
    pub fn drop_row(&mut self, row: usize) {
        self.judge(row, Verdict(1));
    }

    /// Sends a row to the route of that number in the manifest's routes.
    #[inline]
    pub fn route(&mut self, row: usize, route: u16) {
        self.judge(row, Verdict::route(route));
    }

    /// The verdict that sends a row to each route whose bit is set, of the first 64; an empty set drops it.
    pub fn set(&mut self, routes: u64) -> Verdict {
        let sets = &mut self.out.sets;
        let at = sets.iter().position(|s| *s == routes).unwrap_or_else(|| {
            sets.push(routes);
            sets.len() - 1
        });
        Verdict(0x8000 | at as u16)
    }

    /// Says where a row goes.
    pub fn judge(&mut self, row: usize, verdict: Verdict) {
        let verdicts = &mut self.out.verdicts;
        if verdicts.is_empty() {
            verdicts.resize(self.rows, Verdict::KEEP.0);
        }
        verdicts[row] = verdict.0;
    }

    #[inline]
    fn edit(&mut self, row: usize, target: impl Into<Target>, kind: u64, cell: u64) {
        self.out.edits.push([target.into().word() | kind << 56 | row as u32 as u64, cell]);
    }

    /// Copies bytes into the result and returns their cell.
    fn keep(&mut self, bytes: &[u8]) -> u64 {
        let offset = self.out.arena.len();
        self.out.arena.extend_from_slice(bytes);
        Span::new(offset, bytes.len()).0
    }

    /// Sets an integer.
    #[inline]
    pub fn int(&mut self, row: usize, target: impl Into<Target>, v: i64) {
        self.edit(row, target, INT, v as u64);
    }

    /// Sets a floating-point number.
    #[inline]
    pub fn double(&mut self, row: usize, target: impl Into<Target>, v: f64) {
        self.edit(row, target, DOUBLE, v.to_bits());
    }

    /// Sets a truth value.
    #[inline]
    pub fn bool(&mut self, row: usize, target: impl Into<Target>, v: bool) {
        self.edit(row, target, BOOL, v as u64);
    }

    /// Sets a string, which is copied; [`Batch::slice`] is cheaper for what stands in a column.
    pub fn string(&mut self, row: usize, target: impl Into<Target>, v: &str) {
        let cell = self.keep(v.as_bytes());
        self.edit(row, target, STRING, cell);
    }

    /// Sets bytes, which are copied.
    pub fn bytes(&mut self, row: usize, target: impl Into<Target>, v: &[u8]) {
        let cell = self.keep(v);
        self.edit(row, target, BYTES, cell);
    }

    /// Sets the map or array that a JSON text stands for; text that is not JSON becomes a string.
    pub fn json(&mut self, row: usize, target: impl Into<Target>, v: &str) {
        let cell = self.keep(v.as_bytes());
        self.edit(row, target, JSON, cell);
    }

    /// Sets a string that recurs; the host keeps one copy of it.
    #[inline]
    pub fn named(&mut self, row: usize, target: impl Into<Target>, v: Name) {
        self.edit(row, target, NAME, v.0 as u64);
    }

    /// Sets a part of a column's text in this row. The host takes it without copying.
    #[inline]
    pub fn slice(&mut self, row: usize, target: impl Into<Target>, column: &Column<'_>, part: Span) {
        self.edit(row, target, SLICE | column.number as u64, part.0);
    }

    /// Removes an attribute, or empties a field.
    pub fn unset(&mut self, row: usize, target: impl Into<Target>) {
        let target = target.into();
        // The operation that deletes an attribute is the one behind that which sets it.
        let next = if let Target::Field(_) = target { 0 } else { 1 << 48 };
        self.out.edits.push([(target.word() + next) | row as u32 as u64, 0]);
    }

    /// Gives a key that has no number to the change just made with [`Name::INLINE`].
    pub fn key(&mut self, row: usize, key: &str) {
        let cell = self.keep(key.as_bytes());
        self.out.edits.push([OP_KEY << 48 | STRING << 56 | row as u32 as u64, cell]);
    }

    /// Sets the severity number, and as its text the number's short name.
    #[inline]
    pub fn severity(&mut self, row: usize, v: Severity) {
        let number = v.0.min(24);
        let text = self.out.severities + number as u16;
        self.edit(row, Field::SeverityNumber, NAME, number as u64 | (text as u64) << 32);
    }

    /// Makes a row. Changes of the same row number that follow are the new row's. In a flush, row is 0.
    pub fn new_row(&mut self, row: usize, verdict: Verdict, new: New) {
        let kind = match new {
            New::Copy => 0,
            New::Of(signal) => signal as u64,
        };
        self.out.edits.push([OP_NEW << 48 | (verdict.0 as u64) << 32 | kind << 56 | row as u32 as u64, 0]);
    }
}
