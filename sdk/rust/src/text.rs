use core::marker::PhantomData;

/// How many bytes behind a text may be read: the host leaves them behind each block.
pub(crate) const SLACK: usize = 16;

/// A value's bytes, a view of the batch, followed by bytes that the scanner may read beyond its end.
#[derive(Clone, Copy)]
pub struct Text<'a> {
    at: *const u8,
    length: usize,
    batch: PhantomData<&'a [u8]>,
}

/// A part of a [`Text`]: offset in the low 32 bits, length in the high 32.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Span(pub u64);

impl Span {
    /// The part of that many bytes at an offset.
    #[inline]
    pub const fn new(offset: usize, length: usize) -> Span {
        Span((length as u64) << 32 | offset as u32 as u64)
    }

    /// Where it starts.
    #[inline]
    pub const fn offset(self) -> usize {
        self.0 as u32 as usize
    }

    /// Its length in bytes.
    #[inline]
    pub const fn len(self) -> usize {
        (self.0 >> 32) as usize
    }

    /// Whether it has no bytes; [`Batch::slice`](crate::Batch::slice) with one sets an empty string.
    #[inline]
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }
}

impl<'a> Text<'a> {
    /// # Safety
    ///
    /// `length` bytes at `at`, and [`SLACK`] more, must be readable for 'a.
    #[inline]
    pub(crate) unsafe fn new(at: *const u8, length: usize) -> Text<'a> {
        Text { at, length, batch: PhantomData }
    }

    /// The text of nothing.
    #[inline]
    pub(crate) fn empty() -> Text<'a> {
        static NOTHING: [u8; SLACK] = [0; SLACK];
        unsafe { Text::new(NOTHING.as_ptr(), 0) }
    }

    /// Its length in bytes.
    #[inline]
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether it has no bytes.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The bytes, without a copy.
    #[inline]
    pub fn bytes(&self) -> &'a [u8] {
        unsafe { core::slice::from_raw_parts(self.at, self.length) }
    }

    /// The text as UTF-8, if it is; strings of the host always are.
    pub fn str(&self) -> Option<&'a str> {
        core::str::from_utf8(self.bytes()).ok()
    }

    /// A part of it, without a copy. It panics if the span does not lie in the text.
    #[inline]
    pub fn cut(&self, s: Span) -> Text<'a> {
        let part = &self.bytes()[s.offset()..s.offset() + s.len()];
        Text { at: part.as_ptr(), length: part.len(), batch: PhantomData }
    }

    /// What precedes an offset. It panics if that lies beyond the end.
    #[inline]
    pub fn until(&self, end: usize) -> Text<'a> {
        self.cut(Span::new(0, end))
    }

    /// Eight bytes at an offset, the first in the lowest byte; what lies beyond the end is arbitrary.
    #[inline]
    pub fn word(&self, offset: usize) -> u64 {
        let offset = offset.min(self.length);
        u64::from_le(unsafe { self.at.add(offset).cast::<u64>().read_unaligned() })
    }

    /// Whether bytes that are known at compile time stand at an offset. To compare slices or arrays costs more: it calls
    /// `memcmp`, which in a module goes from byte to byte.
    #[inline(always)]
    pub fn has<const N: usize>(&self, offset: usize, bytes: &[u8; N]) -> bool {
        if N > self.length || offset > self.length - N {
            return false;
        }
        if N == 0 || N > 8 {
            return (offset..).zip(bytes).all(|(i, c)| self.bytes()[i] == *c);
        }
        let word = bytes.iter().rev().fold(0, |word, c| word << 8 | *c as u64);
        // A byte of the text at least is at the offset, and what is behind the text may be read.
        let there = u64::from_le(unsafe { self.at.add(offset).cast::<u64>().read_unaligned() });
        (there ^ word) << (64 - 8 * N) == 0
    }

    /// The offset of the first byte `c` at or after `from`; the text's length if there is none.
    #[inline]
    pub fn find(&self, c: u8, from: usize) -> usize {
        self.find_either(c, c, from)
    }

    /// The offset of the first byte `a` or `b` at or after `from`; the text's length if there is none. With the target
    /// feature simd128 it looks at 16 bytes a step.
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    #[inline]
    pub fn find_either(&self, a: u8, b: u8, from: usize) -> usize {
        use core::arch::wasm32::{i8x16_bitmask, i8x16_eq, u8x16_splat, v128, v128_load, v128_or};
        let mut i = from;
        while i < self.length {
            let v = unsafe { v128_load(self.at.add(i).cast::<v128>()) };
            let mut hit = i8x16_eq(v, u8x16_splat(a));
            if a != b {
                hit = v128_or(hit, i8x16_eq(v, u8x16_splat(b)));
            }
            let mask = i8x16_bitmask(hit) as u16;
            if mask != 0 {
                return self.length.min(i + mask.trailing_zeros() as usize);
            }
            i += 16;
        }
        self.length
    }

    /// The offset of the first byte `a` or `b` at or after `from`; the text's length if there is none. With the target
    /// feature simd128 it looks at 16 bytes a step, without it at 8.
    #[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
    #[inline]
    pub fn find_either(&self, a: u8, b: u8, from: usize) -> usize {
        const ONES: u64 = 0x0101_0101_0101_0101;
        // Marks, by its high bit, the lowest byte that is 0; higher marks may be false (Hacker's Delight, 6-1).
        let zeros = |w: u64| w.wrapping_sub(ONES) & !w & ONES << 7;
        let mut i = from;
        while i < self.length {
            let w = self.word(i);
            let hit = zeros(w ^ ONES * a as u64) | zeros(w ^ ONES * b as u64);
            if hit != 0 {
                return self.length.min(i + hit.trailing_zeros() as usize / 8);
            }
            i += 8;
        }
        self.length
    }

    /// The decimal number that the text consists of, of at most 18 digits.
    #[inline]
    pub fn number(&self) -> Option<i64> {
        if self.length == 0 || self.length > 18 {
            return None;
        }
        let first = (self.length - 1) % 8 + 1; // then eight at a time
        let zeros = u64::from_le_bytes(*b"00000000") >> (8 * first - 8) >> 8;
        let mut v = eight(self.word(0) << (64 - 8 * first) | zeros)?;
        let mut at = first;
        while at < self.length {
            v = v * 100_000_000 + eight(self.word(at))?;
            at += 8;
        }
        Some(v)
    }
}

/// Reads eight digits, the first in the lowest byte, by joining neighbours to pairs, fours and the eight.
#[inline]
fn eight(w: u64) -> Option<i64> {
    let w = w ^ u64::from_le_bytes(*b"00000000");
    // A byte over 9 reaches its highest bit.
    if (w.wrapping_add(0x7676_7676_7676_7676) | w) & 0x8080_8080_8080_8080 != 0 {
        return None;
    }
    let w = w.wrapping_mul(10).wrapping_add(w >> 8);
    let low = (w & 0xff_0000_00ff).wrapping_mul(100 + (1_000_000 << 32));
    let high = (w >> 16 & 0xff_0000_00ff).wrapping_mul(1 + (10_000 << 32));
    Some((low.wrapping_add(high) >> 32) as i64)
}
