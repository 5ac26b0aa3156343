use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use crate::column::{u32_at, u64_at};
use crate::text::SLACK;
use crate::{Batch, Json, Name, Plugin};

const MAX_NAMES: usize = 4096;

/// The short names of the severity numbers (logs data model, "Displaying Severity").
#[rustfmt::skip]
const SEVERITIES: [&str; 25] = [
    "UNSPECIFIED", "TRACE", "TRACE2", "TRACE3", "TRACE4", "DEBUG", "DEBUG2", "DEBUG3", "DEBUG4",
    "INFO", "INFO2", "INFO3", "INFO4", "WARN", "WARN2", "WARN3", "WARN4",
    "ERROR", "ERROR2", "ERROR3", "ERROR4", "FATAL", "FATAL2", "FATAL3", "FATAL4",
];

/// What a batch comes to. It stays the guest's, and lies still until the next call.
#[derive(Default)]
pub(crate) struct Output {
    /// One for each row, or none.
    pub verdicts: Vec<u16>,
    pub edits: Vec<[u64; 2]>,
    pub arena: Vec<u8>,
    pub sets: Vec<u64>,
    names: Vec<Box<str>>,
    /// The cells (address, length) of names.
    cells: Vec<[u32; 2]>,
    /// How many of names the host knows.
    told: usize,
    /// The name of severity 0.
    pub severities: u16,
    header: [u32; 12],
}

impl Output {
    pub fn name(&mut self, text: &str) -> Name {
        if let Some(at) = self.names.iter().position(|n| **n == *text) {
            return Name(at as u16);
        }
        self.add_name(text);
        Name(self.names.len() as u16 - 1)
    }

    fn add_name(&mut self, text: &str) {
        assert!(self.names.len() < MAX_NAMES, "all names are taken: give keys that are not bounded in number with Name::INLINE");
        let kept: Box<str> = text.into();
        self.cells.push([kept.as_ptr() as usize as u32, kept.len() as u32]);
        self.names.push(kept);
    }

    fn clear(&mut self) {
        self.verdicts.clear();
        self.edits.clear();
        self.arena.clear();
        self.sets.clear();
    }

    /// Lays the result out.
    fn lay(&mut self, rows: usize) -> u64 {
        if self.verdicts.is_empty() && self.edits.is_empty() {
            return 0;
        }
        let fresh = &self.cells[self.told..];
        let address = |p: *const u8| p as usize as u32;
        self.header = [
            0x3152_534f, // OSR1
            rows as u32,
            if self.verdicts.is_empty() { 0 } else { address(self.verdicts.as_ptr().cast()) },
            address(self.edits.as_ptr().cast()),
            self.edits.len() as u32,
            address(self.arena.as_ptr()),
            self.arena.len() as u32,
            address(fresh.as_ptr().cast()),
            fresh.len() as u32,
            self.told as u32,
            address(self.sets.as_ptr().cast()),
            self.sets.len() as u32,
        ];
        self.told = self.cells.len();
        pack(self.header.as_ptr().cast(), 4 * self.header.len())
    }
}

fn pack(at: *const u8, length: usize) -> u64 {
    (at as usize as u64) << 32 | length as u64
}

/// What the exports of a module call; see [`plugin!`](crate::plugin!) for which is which.
pub struct Exports<P> {
    plugin: P,
    out: Output,
    /// The host's keys of map columns, by number.
    keys: Vec<Box<str>>,
    /// The block, in words, so that it is aligned.
    block: Vec<u64>,
    /// The text that was handed over last.
    text: String,
}

#[allow(missing_docs, clippy::missing_safety_doc, clippy::new_without_default)]
impl<P: Plugin> Exports<P> {
    pub fn new() -> Self {
        let mut out = Output { severities: P::NAMES.len() as u16, ..Output::default() };
        P::NAMES.iter().chain(&SEVERITIES).for_each(|n| out.add_name(n));
        Exports { plugin: P::default(), out, keys: Vec::new(), block: Vec::new(), text: String::new() }
    }

    fn hand_over(&mut self, text: String) -> u64 {
        self.text = text;
        pack(self.text.as_ptr(), self.text.len())
    }

    pub fn manifest(&mut self) -> u64 {
        let text = self.plugin.manifest().json();
        self.hand_over(text)
    }

    /// # Safety
    ///
    /// The bytes must be there; the host says so.
    pub unsafe fn configure(&mut self, at: *const u8, length: usize) -> u64 {
        let config = core::slice::from_raw_parts(at, length);
        match self.plugin.configure(Json::new(config)) {
            Ok(()) => 0,
            Err(text) => self.hand_over(text),
        }
    }

    pub fn alloc(&mut self, size: usize) -> *mut u8 {
        self.block = Vec::new(); // before the next one, so that both need not fit
        self.block = Vec::with_capacity((size + SLACK + 7) / 8);
        self.block.as_mut_ptr().cast()
    }

    /// # Safety
    ///
    /// The bytes must be a batch as the host lays it out, with slack behind it.
    pub unsafe fn process(&mut self, at: *const u8, length: usize) -> u64 {
        let bytes = core::slice::from_raw_parts(at, length);
        self.add_keys(bytes);
        self.out.clear();
        let mut batch = Batch::new(bytes, &self.keys, &mut self.out);
        self.plugin.process(&mut batch);
        let rows = batch.rows();
        self.out.lay(rows)
    }

    pub fn flush(&mut self, now: i64) -> u64 {
        self.out.clear();
        self.plugin.flush(&mut Batch::flush(now, &mut self.out));
        self.out.lay(0)
    }

    /// Keeps the keys that the host numbers with this batch.
    fn add_keys(&mut self, batch: &[u8]) {
        let (names, count, first) = (u32_at(batch, 20) as usize, u32_at(batch, 24) as usize, u32_at(batch, 28) as usize);
        if count == 0 {
            return;
        }
        self.keys.truncate(first);
        for i in 0..count {
            let cell = u64_at(batch, names + 8 * i);
            let (offset, length) = (cell as u32 as usize, (cell >> 32) as usize);
            self.keys.push(String::from_utf8_lossy(&batch[offset..offset + length]).into());
        }
    }
}
