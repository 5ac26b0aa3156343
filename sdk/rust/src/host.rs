//! What a plugin may ask of the host beyond its batch. Each function needs its capability in the manifest
//! ([`Manifest::capabilities`](crate::Manifest)) and a grant in the configuration; only what is called becomes an import
//! of the module. runtime/abi/host.go describes them.
#![cfg(target_arch = "wasm32")]

use alloc::vec::Vec;

use crate::Severity;

#[link(wasm_import_module = "obsd")]
extern "C" {
    fn log(severity: u32, text: *const u8, length: usize);
    fn metric(definition: *const u8, length: usize) -> i32;
    fn metric_record(series: i32, value: f64);
    fn kv_get(key: *const u8, key_length: usize, to: *mut u8, room: usize) -> i64;
    fn kv_set(key: *const u8, key_length: usize, value: *const u8, length: usize, ttl: i64) -> i32;
    fn kv_add(key: *const u8, key_length: usize, delta: i64, ttl: i64) -> i64;
    fn kv_delete(key: *const u8, key_length: usize) -> i32;
    fn lookup(table: *const u8, table_length: usize, column: *const u8, column_length: usize) -> i32;
    fn lookup_get(number: i32, key: *const u8, key_length: usize, to: *mut u8, room: usize) -> i64;
}

/// Writes a line into the daemon's log. Capability log.
pub fn log_line(severity: Severity, text: &str) {
    unsafe { log(severity.0 as u32, text.as_ptr(), text.len()) }
}

/// A time series of the plugin's own. Capability metrics.
#[derive(Clone, Copy)]
pub struct Series(i32);

impl Series {
    /// The series that a definition in JSON stands for: name, kind (counter, gauge, histogram), unit, description,
    /// attributes. None: it is wrong, or the grant's series are used up.
    pub fn new(definition: &str) -> Option<Series> {
        let number = unsafe { metric(definition.as_ptr(), definition.len()) };
        (number >= 0).then(|| Series(number))
    }

    /// Adds to a counter, sets a gauge, records into a histogram.
    pub fn record(self, value: f64) {
        unsafe { metric_record(self.0, value) }
    }
}

/// Reads bytes into a buffer that grows until they fit. False: there are none.
fn fill(to: &mut Vec<u8>, read: impl Fn(*mut u8, usize) -> i64) -> bool {
    to.clear();
    loop {
        let room = to.capacity();
        let length = read(to.as_mut_ptr(), room);
        if length < 0 {
            return false;
        }
        if length as usize <= room {
            // The host has written that many.
            unsafe { to.set_len(length as usize) };
            return true;
        }
        to.reserve(length as usize);
    }
}

/// Copies the value of a key into `to`. False: there is none. Capability kv.
pub fn get(key: &[u8], to: &mut Vec<u8>) -> bool {
    fill(to, |at, room| unsafe { kv_get(key.as_ptr(), key.len(), at, room) })
}

/// Keeps a value for that many milliseconds, 0 for the grant's own limit. False: it is larger than the store.
pub fn set(key: &[u8], value: &[u8], ttl_ms: i64) -> bool {
    unsafe { kv_set(key.as_ptr(), key.len(), value.as_ptr(), value.len(), ttl_ms) == 0 }
}

/// Adds to a number and returns it, in one step. The time to live is that of the first addition.
pub fn add(key: &[u8], delta: i64, ttl_ms: i64) -> i64 {
    unsafe { kv_add(key.as_ptr(), key.len(), delta, ttl_ms) }
}

/// Forgets a key. False: it was not there.
pub fn delete(key: &[u8]) -> bool {
    unsafe { kv_delete(key.as_ptr(), key.len()) == 0 }
}

/// A column of a table that the host keeps fresh. Capability lookup.
#[derive(Clone, Copy)]
pub struct Lookup(i32);

impl Lookup {
    /// A granted table's column. None: there is no such table or column.
    pub fn new(table: &str, column: &str) -> Option<Lookup> {
        let number = unsafe { lookup(table.as_ptr(), table.len(), column.as_ptr(), column.len()) };
        (number >= 0).then(|| Lookup(number))
    }

    /// Copies the column's value in the row of that key into `to`. False: there is no such row.
    pub fn get(self, key: &[u8], to: &mut Vec<u8>) -> bool {
        fill(to, |at, room| unsafe { lookup_get(self.0, key.as_ptr(), key.len(), at, room) })
    }
}
