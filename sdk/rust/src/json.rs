use alloc::string::String;
use core::str::Chars;

/// A value of the configuration: JSON that the host has checked, so nothing here looks for faults. A value that is not
/// there, and one of another kind than is asked for, is `None`.
#[derive(Clone, Copy)]
pub struct Json<'a>(&'a [u8]);

impl<'a> Json<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Json<'a> {
        let bytes = trim(bytes);
        let white = bytes.iter().rev().take_while(|c| **c <= b' ').count();
        Json(&bytes[..bytes.len() - white])
    }

    /// The text of the value.
    pub fn raw(&self) -> &'a str {
        core::str::from_utf8(self.0).unwrap_or("")
    }

    /// An object's member.
    pub fn get(&self, key: &str) -> Option<Json<'a>> {
        self.members().find(|(k, _)| k == key).map(|(_, v)| v)
    }

    /// An object's members: key and value.
    pub fn members(&self) -> impl Iterator<Item = (String, Json<'a>)> {
        let mut parts = self.parts(b'{');
        core::iter::from_fn(move || Some((parts.next()?.string()?, parts.next()?)))
    }

    /// An array's elements.
    pub fn elements(&self) -> impl Iterator<Item = Json<'a>> {
        self.parts(b'[')
    }

    /// The content of a string.
    pub fn string(&self) -> Option<String> {
        let inner = self.0.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
        let mut chars = core::str::from_utf8(inner).ok()?.chars();
        let mut out = String::with_capacity(inner.len());
        while let Some(c) = chars.next() {
            if c != '\\' {
                out.push(c);
                continue;
            }
            match chars.next()? {
                'b' => out.push('\x08'),
                'f' => out.push('\x0c'),
                'n' => out.push('\n'),
                'r' => out.push('\r'),
                't' => out.push('\t'),
                'u' => out.push(unicode(&mut chars)?),
                c => out.push(c),
            }
        }
        Some(out)
    }

    /// An integer.
    pub fn int(&self) -> Option<i64> {
        self.raw().parse().ok()
    }

    /// A number.
    pub fn double(&self) -> Option<f64> {
        self.raw().parse().ok()
    }

    /// A truth value.
    pub fn bool(&self) -> Option<bool> {
        self.raw().parse().ok()
    }

    /// An array's elements, or an object's keys and values in turn.
    fn parts(&self, open: u8) -> impl Iterator<Item = Json<'a>> {
        let mut rest = match self.0.split_first() {
            Some((first, rest)) if *first == open => &rest[..rest.len() - 1],
            _ => &[],
        };
        core::iter::from_fn(move || {
            rest = trim(rest);
            if rest.is_empty() {
                return None;
            }
            let (value, more) = rest.split_at(end_of(rest));
            rest = more;
            Some(Json(value))
        })
    }
}

/// Reads what stands behind \u: four digits, or two surrogates; half a pair becomes U+FFFD.
fn unicode(chars: &mut Chars<'_>) -> Option<char> {
    let unit = unit(chars)?;
    let mut behind = chars.clone();
    if unit & 0xfc00 == 0xd800 && behind.next() == Some('\\') && behind.next() == Some('u') {
        let pair = [unit, self::unit(&mut behind)?];
        if let Some(Ok(c)) = char::decode_utf16(pair).next() {
            *chars = behind;
            return Some(c);
        }
    }
    Some(char::from_u32(unit as u32).unwrap_or(char::REPLACEMENT_CHARACTER))
}

/// Reads four hex digits.
fn unit(chars: &mut Chars<'_>) -> Option<u16> {
    let digits = chars.as_str().get(..4)?;
    *chars = chars.as_str()[4..].chars();
    u16::from_str_radix(digits, 16).ok()
}

/// Cuts white space, commas and colons off the beginning.
fn trim(mut b: &[u8]) -> &[u8] {
    while let Some((c, rest)) = b.split_first() {
        if *c > b' ' && *c != b',' && *c != b':' {
            break;
        }
        b = rest;
    }
    b
}

/// The length of the value that b begins with.
fn end_of(b: &[u8]) -> usize {
    let (mut depth, mut string, mut escape) = (0, false, false);
    for (i, c) in b.iter().enumerate() {
        if escape {
            escape = false;
            continue;
        }
        match c {
            b'\\' => escape = string,
            b'"' => string = !string,
            b'{' | b'[' if !string => depth += 1,
            b'}' | b']' if !string => depth -= 1,
            b',' | b':' | b' ' | b'\n' | b'\r' | b'\t' if !string && depth == 0 => return i,
            _ => continue,
        }
        if depth == 0 && !string {
            return i + 1;
        }
    }
    b.len()
}
