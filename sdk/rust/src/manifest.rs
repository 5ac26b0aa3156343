use alloc::string::String;
use alloc::vec::Vec;

use crate::Signal;

/// What a plugin says of itself; runtime/abi/manifest.go describes the members. Give what you need and leave the rest to
/// `..Manifest::default()`.
#[allow(missing_docs)]
#[derive(Default)]
pub struct Manifest<'a> {
    pub name: &'a str,
    pub version: &'a str,
    pub summary: &'a str,
    pub signals: Vec<Signal>,
    pub reads: Vec<&'a str>,
    pub writes: Vec<&'a str>,
    /// The signals of which it makes new rows.
    pub emits: Vec<Signal>,
    pub routes: Vec<&'a str>,
    /// A condition; rows for which it does not hold pass without the plugin.
    pub condition: &'a str,
    pub stateful: bool,
    /// How often [`Plugin::flush`](crate::Plugin::flush) is called, as in "10s".
    pub flush: &'a str,
    /// A JSON schema; without one, only an empty configuration is accepted.
    pub config: &'a str,
    /// log, metrics, kv, lookup; see [`host`](crate::host).
    pub capabilities: Vec<&'a str>,
}

impl Manifest<'_> {
    pub(crate) fn json(&self) -> String {
        let signal = |s: &Signal| match s {
            Signal::Logs => "logs",
            Signal::Metrics => "metrics",
            Signal::Traces => "traces",
        };
        let mut out = String::from("{");
        text(&mut out, "name", self.name);
        text(&mut out, "version", self.version);
        text(&mut out, "summary", self.summary);
        text(&mut out, "where", self.condition);
        text(&mut out, "flush", self.flush);
        list(&mut out, "signals", self.signals.iter().map(signal));
        list(&mut out, "reads", self.reads.iter().copied());
        list(&mut out, "writes", self.writes.iter().copied());
        list(&mut out, "emits", self.emits.iter().map(signal));
        list(&mut out, "routes", self.routes.iter().copied());
        list(&mut out, "capabilities", self.capabilities.iter().copied());
        if !self.config.is_empty() {
            member(&mut out, "config");
            out.push_str(self.config);
        }
        member(&mut out, "stateful");
        out.push_str(if self.stateful { "true}" } else { "false}" });
        out
    }
}

fn member(out: &mut String, key: &str) {
    if out.len() > 1 {
        out.push(',');
    }
    quote(out, key);
    out.push(':');
}

fn text(out: &mut String, key: &str, value: &str) {
    if !value.is_empty() {
        member(out, key);
        quote(out, value);
    }
}

fn list<'a>(out: &mut String, key: &str, values: impl Iterator<Item = &'a str>) {
    member(out, key);
    out.push('[');
    for (i, value) in values.enumerate() {
        if i > 0 {
            out.push(',');
        }
        quote(out, value);
    }
    out.push(']');
}

/// Writes a JSON string.
fn quote(out: &mut String, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\0'..='\x1f' => {
                out.push_str("\\u00");
                out.extend([HEX[c as usize >> 4] as char, HEX[c as usize & 15] as char]);
            }
            _ => out.push(c),
        }
    }
    out.push('"');
}
