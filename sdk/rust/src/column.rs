use alloc::boxed::Box;

use crate::Text;

const TYPE_STRING: u8 = 1;
const TYPE_INT: u8 = 2;
const TYPE_DOUBLE: u8 = 3;
const TYPE_BOOL: u8 = 4;
const TYPE_BYTES: u8 = 5;
const TYPE_JSON: u8 = 6;

/// A value of a row.
#[derive(Clone, Copy)]
pub enum Value<'a> {
    /// Absent.
    None,
    /// A string.
    String(Text<'a>),
    /// An integer.
    Int(i64),
    /// A floating-point number.
    Double(f64),
    /// A truth value.
    Bool(bool),
    /// Bytes.
    Bytes(Text<'a>),
    /// A map or an array, as JSON.
    Json(Text<'a>),
}

/// A column of a batch. One that the batch's signal does not have is absent in each row.
#[derive(Clone, Copy)]
pub struct Column<'a> {
    pub(crate) number: u8,
    batch: &'a [u8],
    keys: &'a [Box<str>],
    types: &'a [u8],
    cells: &'a [u8],
    index: Option<&'a [u8]>,
    map: bool,
}

/// Reads a number at an offset.
#[inline]
pub(crate) fn u32_at(b: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(b[at..at + 4].try_into().unwrap())
}

#[inline]
pub(crate) fn u64_at(b: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(b[at..at + 8].try_into().unwrap())
}

impl<'a> Column<'a> {
    pub(crate) fn new(batch: &'a [u8], keys: &'a [Box<str>], rows: usize, number: usize) -> Column<'a> {
        assert!(number < u32_at(batch, 12) as usize, "the manifest reads no column {}", number);
        let entry = &batch[u32_at(batch, 16) as usize + 32 * number..][..32];
        let count = u32_at(entry, 4) as usize;
        let (types, cells) = (&batch[u32_at(entry, 8) as usize..], &batch[u32_at(entry, 12) as usize..]);
        let index = u32_at(entry, 16) as usize;
        let map = entry[0] == 2;
        Column {
            number: number as u8,
            batch,
            keys,
            types: if map { &types[..4 * (count + 1)] } else { &types[..count] },
            cells: if map { cells } else { &cells[..8 * count] },
            index: if index == 0 { None } else { Some(&batch[index..index + 4 * rows]) },
            map,
        }
    }

    #[inline]
    fn entry(&self, row: usize) -> usize {
        match self.index {
            Some(index) => u32_at(index, 4 * row) as usize,
            None => row,
        }
    }

    /// The type and bits of a row's value. A map column has none.
    #[inline]
    fn cell(&self, row: usize) -> Option<(u8, u64)> {
        if self.map {
            return None;
        }
        let entry = self.entry(row);
        Some((self.types[entry], u64_at(self.cells, 8 * entry)))
    }

    /// A row's value.
    #[inline]
    pub fn value(&self, row: usize) -> Value<'a> {
        match self.cell(row) {
            Some((kind, bits)) => value_of(self.batch, kind, bits),
            None => Value::None,
        }
    }

    /// The text of a string, bytes or JSON; an empty one for any other value.
    #[inline]
    pub fn text(&self, row: usize) -> Text<'a> {
        match self.cell(row) {
            Some((TYPE_STRING | TYPE_BYTES | TYPE_JSON, bits)) => text_at(self.batch, bits),
            _ => Text::empty(),
        }
    }

    /// A row's integer, if it has one.
    #[inline]
    pub fn int(&self, row: usize) -> Option<i64> {
        match self.cell(row) {
            Some((TYPE_INT, bits)) => Some(bits as i64),
            _ => None,
        }
    }

    /// A row's double or integer, if it has one.
    #[inline]
    pub fn double(&self, row: usize) -> Option<f64> {
        match self.value(row) {
            Value::Double(v) => Some(v),
            Value::Int(v) => Some(v as f64),
            _ => None,
        }
    }

    /// A row's truth value, if it has one.
    #[inline]
    pub fn bool(&self, row: usize) -> Option<bool> {
        match self.value(row) {
            Value::Bool(v) => Some(v),
            _ => None,
        }
    }

    /// The entries of a map column (`attributes.*`, `resource.*`): key and value. A column of another kind has none.
    pub fn entries(&self, row: usize) -> Entries<'a> {
        if !self.map {
            return Entries { batch: self.batch, keys: self.keys, cells: &[] };
        }
        let entry = self.entry(row);
        let (from, to) = (u32_at(self.types, 4 * entry) as usize, u32_at(self.types, 4 * entry + 4) as usize);
        Entries { batch: self.batch, keys: self.keys, cells: &self.cells[16 * from..16 * to] }
    }
}

/// The text that a cell refers to.
#[inline]
fn text_at(batch: &[u8], bits: u64) -> Text<'_> {
    let (offset, length) = (bits as u32 as usize, (bits >> 32) as usize);
    let bytes = &batch[offset..offset + length];
    // The host leaves slack behind the batch.
    unsafe { Text::new(bytes.as_ptr(), length) }
}

#[inline]
fn value_of(batch: &[u8], kind: u8, bits: u64) -> Value<'_> {
    let text = || text_at(batch, bits);
    match kind {
        TYPE_STRING => Value::String(text()),
        TYPE_INT => Value::Int(bits as i64),
        TYPE_DOUBLE => Value::Double(f64::from_bits(bits)),
        TYPE_BOOL => Value::Bool(bits != 0),
        TYPE_BYTES => Value::Bytes(text()),
        TYPE_JSON => Value::Json(text()),
        _ => Value::None,
    }
}

/// The entries of a row's map: key and value.
pub struct Entries<'a> {
    batch: &'a [u8],
    keys: &'a [Box<str>],
    cells: &'a [u8],
}

impl<'a> Iterator for Entries<'a> {
    type Item = (&'a str, Value<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let cell = self.cells.get(..16)?;
        self.cells = &self.cells[16..];
        Some((&self.keys[u32_at(cell, 0) as usize], value_of(self.batch, cell[4], u64_at(cell, 8))))
    }
}
