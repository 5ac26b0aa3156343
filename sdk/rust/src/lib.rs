//! Plugins for obsd in Rust, for the targets wasm32-unknown-unknown and wasm32-wasip1. No dependencies; `no_std` with
//! `alloc`, so a plugin may use std or do without.
//!
//! A plugin is a type that implements [`Plugin`], and one line, [`plugin!`], that exports it. A [`Batch`] is a table:
//! rows are log records, data points or spans, and columns are what the manifest reads, in that order. Texts are views
//! of the batch. Changes are edits, made in the order of the rows; a row that is left alone passes as it is.
//!
//! Everything here follows the contract in obsd's `runtime/abi`, which draws the layouts.
#![no_std]
#![warn(missing_docs)]

extern crate alloc;

mod batch;
mod column;
pub mod host;
mod json;
mod manifest;
mod result;
mod text;

pub use batch::{Batch, New, Target};
pub use column::{Column, Entries, Value};
pub use json::Json;
pub use manifest::Manifest;
#[doc(hidden)]
pub use result::Exports;
pub use text::{Span, Text};

use alloc::string::String;

/// A plugin: what it says of itself, and what it does to a batch. Each instance of a module has one, made by [`Default`].
pub trait Plugin: Default {
    /// Strings that host and plugin know by number; write them with [`names!`].
    const NAMES: &'static [&'static str] = &[];

    /// What it says of itself. The host asks before [`Plugin::configure`] and after it.
    fn manifest(&self) -> Manifest<'_>;

    /// Takes the configuration, which was checked against the manifest's schema before. The error is shown to the user.
    fn configure(&mut self, _config: Json<'_>) -> Result<(), String> {
        Ok(())
    }

    /// Works on a batch.
    fn process(&mut self, batch: &mut Batch<'_>);

    /// Makes rows of what it holds: a batch without rows. It is called only if the plugin was exported with
    /// `plugin!(Type, flush)`.
    fn flush(&mut self, _batch: &mut Batch<'_>) {}
}

/// The number of a string that host and plugin both know: a key, or a value that recurs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Name(pub u16);

impl Name {
    /// Stands for a key that [`Batch::key`], called right after, spells out: for keys that are rare or not bounded in
    /// number.
    pub const INLINE: Name = Name(0xffff);
}

/// What the rows of a batch are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Signal {
    /// Log records.
    Logs = 1,
    /// Data points.
    Metrics = 2,
    /// Spans.
    Traces = 3,
}

/// A severity number, 0 to 24.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Severity(pub u8);

#[allow(missing_docs)]
impl Severity {
    pub const TRACE: Severity = Severity(1);
    pub const DEBUG: Severity = Severity(5);
    pub const INFO: Severity = Severity(9);
    pub const WARN: Severity = Severity(13);
    pub const ERROR: Severity = Severity(17);
    pub const FATAL: Severity = Severity(21);
}

/// Where a row goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Verdict(pub(crate) u16);

impl Verdict {
    /// On, as it is.
    pub const KEEP: Verdict = Verdict(0);

    /// To the route of that number in the manifest's routes.
    pub const fn route(number: u16) -> Verdict {
        Verdict(2 + number)
    }
}

/// A field of a row that is no attribute, for [`Target::Field`]. What values each takes stands in runtime/abi/field.go.
#[allow(missing_docs)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u16)]
pub enum Field {
    Body = 1,
    Time = 2,
    ObservedTime = 3,
    SeverityNumber = 4,
    SeverityText = 5,
    EventName = 6,
    TraceId = 7,
    SpanId = 8,
    Flags = 9,
    StartTime = 10,
    Value = 11,
    MetricName = 16,
    MetricUnit = 17,
    MetricDescription = 18,
    MetricType = 19,
    MetricTemporality = 20,
    MetricMonotonic = 21,
    SpanName = 32,
    SpanKind = 33,
    SpanEndTime = 34,
    SpanParentId = 35,
    SpanTraceState = 36,
    SpanStatusCode = 37,
    SpanStatusMessage = 38,
}

/// Numbers strings: each identifier becomes a constant [`Name`], and `NAMES` lists the strings for [`Plugin::NAMES`].
///
/// ```
/// obsd::names! { URL = "url.full"; METHOD = "http.request.method"; }
/// assert_eq!((URL.0, METHOD.0, NAMES[1]), (0, 1, "http.request.method"));
/// ```
#[macro_export]
macro_rules! names {
    ($($name:ident = $text:expr;)*) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        enum ObsdNames { $($name),* }
        $(const $name: $crate::Name = $crate::Name(ObsdNames::$name as u16);)*
        const NAMES: &[&str] = &[$($text),*];
    };
}

/// Exports a type as the module's plugin; with `flush` behind it, also [`Plugin::flush`].
#[macro_export]
macro_rules! plugin {
    ($type:ty) => {
        static mut OBSD: Option<$crate::Exports<$type>> = None;

        // A guest runs on one thread, and the host never calls it while it is at work.
        #[allow(static_mut_refs, unknown_lints)]
        fn obsd_exports() -> &'static mut $crate::Exports<$type> {
            unsafe { OBSD.get_or_insert_with($crate::Exports::new) }
        }

        #[no_mangle]
        pub extern "C" fn obsd_abi_v1() {}

        #[no_mangle]
        pub extern "C" fn obsd_manifest() -> u64 {
            obsd_exports().manifest()
        }

        #[no_mangle]
        pub extern "C" fn obsd_configure(at: *const u8, length: usize) -> u64 {
            unsafe { obsd_exports().configure(at, length) }
        }

        #[no_mangle]
        pub extern "C" fn obsd_alloc(size: usize) -> *mut u8 {
            obsd_exports().alloc(size)
        }

        #[no_mangle]
        pub extern "C" fn obsd_process(at: *const u8, length: usize) -> u64 {
            unsafe { obsd_exports().process(at, length) }
        }
    };
    ($type:ty, flush) => {
        $crate::plugin!($type);

        #[no_mangle]
        pub extern "C" fn obsd_flush(now: i64) -> u64 {
            obsd_exports().flush(now)
        }
    };
}
