//! accesslog in Rust: the access logs of nginx and Apache become HTTP attributes. It does to every line what the bundled
//! plugin, plugins/accesslog, does; the README there has the table.

use obsd::{Batch, Field, Json, Manifest, Plugin, Severity, Signal, Span, Text};

obsd::names! {
    CLIENT_ADDRESS = "client.address";
    USER_NAME = "user.name";
    REQUEST_METHOD = "http.request.method";
    URL_PATH = "url.path";
    URL_QUERY = "url.query";
    PROTOCOL_VERSION = "network.protocol.version";
    REFERER = "http.request.header.referer";
    USER_AGENT = "user_agent.original";
    STATUS_CODE = "http.response.status_code";
    BODY_SIZE = "http.response.body.size";
}

const CONFIG: &str = r#"{
    "type": "object", "additionalProperties": false,
    "properties": {"from": {
        "type": "string", "pattern": "^(body|attributes\\.[^*].*|attributes\\.\\*.+)$",
        "description": "the column that holds the line: body or attributes.<key>"}}
}"#;

struct AccessLog {
    from: String,
    last_day: Option<Day>,
}

impl Default for AccessLog {
    fn default() -> Self {
        AccessLog { from: "body".into(), last_day: None }
    }
}

impl Plugin for AccessLog {
    const NAMES: &'static [&'static str] = NAMES;

    fn manifest(&self) -> Manifest<'_> {
        Manifest {
            name: "accesslog-rust",
            version: "1.0.0",
            summary: "Parses nginx and Apache access logs (common and combined format) into HTTP attributes.",
            signals: vec![Signal::Logs],
            reads: vec![&self.from, "time"],
            writes: vec![
                "time",
                "severity",
                "attributes.client.address",
                "attributes.user.name",
                "attributes.http.request.method",
                "attributes.url.path",
                "attributes.url.query",
                "attributes.network.protocol.version",
                "attributes.http.response.status_code",
                "attributes.http.response.body.size",
                "attributes.http.request.header.referer",
                "attributes.user_agent.original",
            ],
            config: CONFIG,
            ..Manifest::default()
        }
    }

    fn configure(&mut self, config: Json<'_>) -> Result<(), String> {
        if let Some(from) = config.get("from").and_then(|v| v.string()) {
            self.from = from;
        }
        Ok(())
    }

    fn process(&mut self, batch: &mut Batch<'_>) {
        let (lines, times) = (batch.column(0), batch.column(1));
        for row in 0..batch.rows() {
            let line = match Line::read(lines.text(row), &mut self.last_day) {
                Some(line) => line,
                None => continue,
            };
            let mut put = |name, text: Span| {
                if !text.is_empty() {
                    batch.slice(row, name, &lines, text);
                }
            };
            put(CLIENT_ADDRESS, line.address);
            put(USER_NAME, line.user);
            put(REQUEST_METHOD, line.request.method);
            put(URL_PATH, line.request.path);
            put(URL_QUERY, line.request.query);
            put(PROTOCOL_VERSION, line.request.version);
            put(REFERER, line.referer);
            put(USER_AGENT, line.agent);
            batch.int(row, STATUS_CODE, line.status);
            if let Some(size) = line.size {
                batch.int(row, BODY_SIZE, size);
            }
            batch.severity(row, severity(line.status));
            // The line has whole seconds. A record's own time within that second's reach is the same moment, told better.
            let recorded = times.int(row).unwrap_or(0);
            if recorded == 0 || !(0..2_000_000_000).contains(&(recorded - line.time)) {
                batch.int(row, Field::Time, line.time);
            }
        }
    }
}

obsd::plugin!(AccessLog);

fn severity(status: i64) -> Severity {
    match status {
        500.. => Severity::ERROR,
        400.. => Severity::WARN,
        _ => Severity::INFO,
    }
}

/// An access-log line. A text without bytes is absent.
struct Line {
    address: Span,
    user: Span,
    request: Request,
    status: i64,
    size: Option<i64>,
    referer: Span,
    agent: Span,
    /// Nanoseconds since 1970.
    time: i64,
}

impl Line {
    /// Reads `<address> <ident> <user> [<time>] "<request>" <status> <size>`, and in the combined format
    /// `"<referer>" "<agent>"` besides; what follows is not looked at.
    fn read(t: Text<'_>, last_day: &mut Option<Day>) -> Option<Line> {
        let mut cut = Cutter { text: t, at: 0 };
        let address = cut.until(b" ")?;
        cut.until(b" ")?; // ident
        let user = cut.until(b" [")?;
        let time = cut.until(b"] \"")?;
        let request = cut.until(b"\" ")?;
        let status = cut.until(b" ")?;
        let (size, referer, agent) = match cut.until(b" \"") {
            Some(size) => (size, cut.until(b"\" \"")?, cut.until(b"\"")?),
            None => (cut.rest(), Span::default(), Span::default()),
        };
        if address.is_empty() || status.len() != 3 {
            return None;
        }
        let (status, size_text) = (t.cut(status).number()?, t.cut(size));
        let size = size_text.number();
        if size.is_none() && size_text.bytes() != b"-" {
            return None;
        }
        Some(Line {
            address,
            user: unless_dash(t, user),
            request: Request::read(t, request).unwrap_or_default(),
            status,
            size,
            referer: unless_dash(t, referer),
            agent: unless_dash(t, agent),
            time: read_time(t.cut(time), last_day)?,
        })
    }
}

fn unless_dash(t: Text<'_>, s: Span) -> Span {
    if s.len() == 1 && t.has(s.offset(), b"-") {
        Span::default()
    } else {
        s
    }
}

/// Cuts a text into fields.
struct Cutter<'a> {
    text: Text<'a>,
    at: usize,
}

impl Cutter<'_> {
    /// The field that ends before the next separator. A separator that begins with a quote does not count where the quote
    /// is escaped.
    #[inline(always)]
    fn until<const N: usize>(&mut self, separator: &[u8; N]) -> Option<Span> {
        let mut i = self.at;
        loop {
            i = self.text.find(separator[0], i);
            if i + N > self.text.len() {
                return None;
            }
            if self.text.has(i, separator) && (separator[0] != b'"' || !escaped(self.text, i)) {
                let field = Span::new(self.at, i - self.at);
                self.at = i + N;
                return Some(field);
            }
            i += 1;
        }
    }

    fn rest(&self) -> Span {
        Span::new(self.at, self.text.len() - self.at)
    }
}

/// Whether the byte at i stands behind an odd number of backslashes.
#[inline(always)]
fn escaped(t: Text<'_>, i: usize) -> bool {
    i > 0 && t.has(i - 1, b"\\") && t.bytes()[..i].iter().rev().take_while(|c| **c == b'\\').count() % 2 == 1
}

/// A request line's parts.
#[derive(Default)]
struct Request {
    method: Span,
    path: Span,
    query: Span,
    version: Span,
}

impl Request {
    /// Cuts a request line at its first and last space, since servers log a target as it came. None: it is no request line
    /// (bytes of another protocol, HTTP/0.9, "-").
    fn read(t: Text<'_>, request: Span) -> Option<Request> {
        let (from, end) = (request.offset(), request.offset() + request.len());
        let first = t.until(end).find(b' ', from);
        let last = match end.checked_sub(9) {
            // Mostly it is the one before HTTP/1.1.
            Some(at) if at > first && t.find(b' ', at) == at && t.until(end).find(b' ', at + 1) == end => at,
            _ => from + t.cut(request).bytes().iter().rposition(|c| *c == b' ')?,
        };
        if first == from || first == last || !t.until(end).has(last + 1, b"HTTP/") {
            return None;
        }
        let query = t.until(last).find(b'?', first + 1);
        Some(Request {
            method: Span::new(from, first - from),
            path: Span::new(first + 1, query - first - 1),
            query: if query < last { Span::new(query + 1, last - query - 1) } else { Span::default() },
            version: Span::new(last + 6, end - last - 6),
        })
    }
}

/// A day as lines write it, and the seconds from 1970 to its midnight.
struct Day {
    text: (u64, u64, u64),
    midnight: i64,
}

/// Reads strftime's `%d/%b/%Y:%H:%M:%S %z` as nanoseconds since 1970. The day of the line before is remembered.
fn read_time(t: Text<'_>, last: &mut Option<Day>) -> Option<i64> {
    let b = t.bytes();
    if b.len() != 26 {
        return None;
    }
    let seconds = clock(t.word(12))?;
    let text = (t.word(0), t.word(4), t.word(18) >> 16);
    let midnight = match last {
        Some(day) if day.text == text => day.midnight,
        _ => {
            let midnight = read_day(b)?;
            *last = Some(Day { text, midnight });
            midnight
        }
    };
    Some((midnight + seconds) * 1_000_000_000)
}

/// Reads the 8 bytes `hh:mm:ss`, the first in the lowest byte, as seconds.
fn clock(w: u64) -> Option<i64> {
    let w = w ^ u64::from_le_bytes(*b"00:00:00");
    // A digit over 9, or a byte over 0 where a colon stands, reaches its byte's highest bit.
    if (w.wrapping_add(0x7676_7f76_767f_7676) | w) & 0x8080_8080_8080_8080 != 0 {
        return None;
    }
    let pair = |shift: u32| (w >> shift & 0xff) as i64 * 10 + (w >> (shift + 8) & 0xff) as i64;
    let (h, m, s) = (pair(0), pair(24), pair(48));
    (h < 24 && m < 60 && s < 60).then(|| h * 3600 + m * 60 + s)
}

/// Reads a day and zone, `dd/Mon/yyyy:` and from offset 20 ` +hhmm`. Days that begin before 1970 or after 2261 are no
/// record's.
fn read_day(b: &[u8]) -> Option<i64> {
    if b[2] != b'/' || b[6] != b'/' || b[11] != b':' || b[20] != b' ' {
        return None;
    }
    let (year, hours, minutes) = (digits(&b[7..11])?, digits(&b[22..24])?, digits(&b[24..26])?);
    if !(1..=2261).contains(&year) || hours > 24 || minutes > 60 {
        return None;
    }
    let zone = match b[21] {
        b'+' => (hours * 60 + minutes) * 60,
        b'-' => -(hours * 60 + minutes) * 60,
        _ => return None,
    };
    let months = b"janfebmaraprmayjunjulaugsepoctnovdec";
    let month = months.chunks(3).position(|m| m.eq_ignore_ascii_case(&b[3..6]))?;
    let midnight = days_to(year, month, digits(&b[..2])?)? * 86_400 - zone;
    (midnight >= 0).then(|| midnight)
}

/// Days from 1970-01-01 to a date of the Gregorian calendar, whose months count from 0.
fn days_to(year: i64, month: usize, day: i64) -> Option<i64> {
    const LENGTHS: [i64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let leap = (year % 4 == 0 && year % 100 != 0 || year % 400 == 0) as i64;
    let length = |m: usize| LENGTHS[m] + if m == 1 { leap } else { 0 };
    if day < 1 || day > length(month) {
        return None;
    }
    let before = year - 1; // leap days are counted to the end of the year before
    let leaps = before / 4 - before / 100 + before / 400 - 477;
    Some(365 * (year - 1970) + leaps + (0..month).map(length).sum::<i64>() + day - 1)
}

/// Reads a number of digits only.
fn digits(b: &[u8]) -> Option<i64> {
    b.iter().try_fold(0, |v, c| c.is_ascii_digit().then(|| v * 10 + (c - b'0') as i64))
}
