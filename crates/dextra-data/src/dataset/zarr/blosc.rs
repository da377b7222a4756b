//! Blosc, version 1: the container that most Zarr v2 arrays are compressed with.
//!
//! | bytes | content |
//! |---|---|
//! | 0, 1 | version of the format, 1 or 2; version of the inner codec |
//! | 2 | flags: 1 bytes shuffled, 2 stored plainly, 4 bits shuffled, 16 blocks are not split; the inner codec from bit 5 on |
//! | 3 | bytes of one number |
//! | 4, 8, 12 | bytes of all that is compressed, of one block, and of this file, `u32` |
//! | 16 | where each block begins, `u32` each, unless stored plainly |
//!
//! A block is one stream, or one per byte of a number where all first bytes of the numbers come first; a
//! stream is its length, `u32`, and bytes of the inner codec, or plain ones where that is as long. Layout:
//! `README_HEADER.rst` of c-blosc, and the splitting rule of its `blosc.c`.
//!
//! Nothing is allocated but what the caller expects, and one block of at most that size.

mod fastlz;

use flate2::read::ZlibDecoder;
use std::io::Read;

const HEADER: usize = 16;
/// Blocks of numbers of more bytes are not split.
const MAX_SPLITS: usize = 16;
/// Nor are those whose streams would be shorter.
const MIN_STREAM: usize = 128;

/// What is wrong with a chunk: the field of its header, and the problem.
#[derive(Debug, PartialEq)]
pub struct Flaw {
    /// Field, as c-blosc names it.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: String,
}

fn flaw<T>(field: &'static str, problem: impl Into<String>) -> Result<T, Flaw> {
    Err(Flaw { field, problem: problem.into() })
}

/// The bytes that `stored` holds, `expected` of them.
///
/// # Errors
/// Other sizes, codecs that are not read, and anything that is not whole.
pub fn decompress(stored: &[u8], expected: usize) -> Result<Vec<u8>, Flaw> {
    let chunk = Chunk::read(stored, expected)?;
    let mut bytes = vec![0; expected];
    if chunk.flags & 2 != 0 {
        if stored.len() != HEADER + expected {
            let plain = stored.len() - HEADER;
            return flaw("cbytes", format!("{plain} plain bytes, a chunk has {expected}"));
        }
        bytes.copy_from_slice(&stored[HEADER..]);
        return Ok(bytes);
    }
    let mut inner = Inner::of(chunk.flags >> 5)?;
    let mut shuffled = Vec::new();
    for (index, block) in bytes.chunks_mut(chunk.block).enumerate() {
        chunk.block(index, block, &mut shuffled, &mut inner)?;
    }
    Ok(bytes)
}

/// A chunk with its header.
struct Chunk<'a> {
    stored: &'a [u8],
    flags: u8,
    /// Bytes of one number.
    size: usize,
    /// Bytes once decompressed.
    bytes: usize,
    /// Bytes of one block; the last one may be shorter.
    block: usize,
}

impl<'a> Chunk<'a> {
    fn read(stored: &'a [u8], expected: usize) -> Result<Chunk<'a>, Flaw> {
        let Some(&[version, _, flags, size, ref sizes @ ..]) = stored.first_chunk::<HEADER>()
        else {
            return flaw("header", format!("{} bytes, a header has {HEADER}", stored.len()));
        };
        let word = |at: usize| {
            let word = [sizes[at], sizes[at + 1], sizes[at + 2], sizes[at + 3]];
            u32::from_le_bytes(word) as usize
        };
        let (bytes, block, whole) = (word(0), word(4), word(8));
        if !(1..=2).contains(&version) {
            return flaw("version", format!("{version}; 1 and 2 are read"));
        }
        if whole != stored.len() {
            return flaw("cbytes", format!("{whole}, but the file has {} bytes", stored.len()));
        }
        if bytes != expected {
            return flaw("nbytes", format!("{bytes}, a chunk has {expected} bytes"));
        }
        if size == 0 {
            return flaw("typesize", "0");
        }
        if block == 0 || block > bytes {
            return flaw("blocksize", format!("{block} bytes of {bytes}"));
        }
        let starts = bytes.div_ceil(block) * 4;
        if flags & 2 == 0 && starts > stored.len() - HEADER {
            return flaw("blocksize", format!("{block}: the file has no room for as many blocks"));
        }
        Ok(Chunk { stored, flags, size: usize::from(size), bytes, block })
    }

    /// Decompresses block number `index`.
    fn block(
        &self,
        index: usize,
        block: &mut [u8],
        shuffled: &mut Vec<u8>,
        inner: &mut Inner,
    ) -> Result<(), Flaw> {
        let number = |at: usize| {
            let word = self.stored.get(at..)?.first_chunk::<4>()?;
            Some(u32::from_le_bytes(*word) as usize)
        };
        let cut = || Flaw { field: "bstarts", problem: format!("block {index} is cut") };
        let first = HEADER + self.bytes.div_ceil(self.block) * 4;
        let mut at = number(HEADER + index * 4).filter(|&at| at >= first).ok_or_else(cut)?;
        let split = self.flags & 16 == 0
            && block.len() == self.block
            && self.size <= MAX_SPLITS
            && block.len() / self.size >= MIN_STREAM;
        let stream = if split { block.len() / self.size } else { block.len() };
        shuffled.clear();
        shuffled.resize(block.len(), 0);
        for part in shuffled.chunks_exact_mut(stream) {
            let length = number(at).ok_or_else(cut)?;
            let compressed = self.stored.get(at + 4..).and_then(|rest| rest.get(..length));
            let compressed = compressed.ok_or_else(cut)?;
            // Blocks may share a stream; were it longer than what comes of it, they would cost more than they are.
            if length > stream {
                let problem = format!("block {index} has {length} bytes for {stream}");
                return flaw("data", problem);
            }
            if length == stream {
                part.copy_from_slice(compressed);
            } else if !inner.decompress(compressed, part) {
                let name = inner.name();
                return flaw("data", format!("block {index} cannot be decompressed by {name}"));
            }
            at += 4 + length;
        }
        match self.flags & 5 {
            1 if self.size > 1 => unshuffle(shuffled, self.size, block),
            4 if (block.len() / self.size).is_multiple_of(8) => {
                unshuffle_bits(shuffled, self.size, block);
            }
            0 | 1 | 4 => block.copy_from_slice(shuffled),
            _ => return flaw("flags", "both bytes and bits are shuffled"),
        }
        Ok(())
    }
}

/// The codec within.
enum Inner {
    BloscLz,
    /// LZ4HC has the same format.
    Lz4,
    Zlib,
    Zstd(zstd::bulk::Decompressor<'static>),
}

impl Inner {
    fn of(code: u8) -> Result<Inner, Flaw> {
        match code {
            0 => Ok(Inner::BloscLz),
            1 => Ok(Inner::Lz4),
            2 => flaw("compressor", "snappy; blosclz, lz4, zlib and zstd are read"),
            3 => Ok(Inner::Zlib),
            4 => match zstd::bulk::Decompressor::new() {
                Ok(decompressor) => Ok(Inner::Zstd(decompressor)),
                Err(error) => flaw("compressor", error.to_string()),
            },
            other => flaw("compressor", format!("number {other} is unknown")),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Inner::BloscLz => "blosclz",
            Inner::Lz4 => "lz4",
            Inner::Zlib => "zlib",
            Inner::Zstd(_) => "zstd",
        }
    }

    /// Fills `plain` exactly; false if `compressed` is anything else.
    fn decompress(&mut self, compressed: &[u8], plain: &mut [u8]) -> bool {
        let length = plain.len();
        match self {
            Inner::BloscLz => fastlz::decompress(compressed, plain) == Some(length),
            Inner::Lz4 => lz4_flex::block::decompress_into(compressed, plain)
                .is_ok_and(|found| found == length),
            Inner::Zlib => {
                let mut decoder = ZlibDecoder::new(compressed);
                let full = decoder.read_exact(plain).is_ok();
                full && decoder.read(&mut [0]).is_ok_and(|more| more == 0)
            }
            Inner::Zstd(decompressor) => decompressor
                .decompress_to_buffer(compressed, plain)
                .is_ok_and(|found| found == length),
        }
    }
}

/// From all first bytes, all second bytes, and so on to numbers of `size` bytes; what is left over after
/// the last whole number stays as it is.
fn unshuffle(shuffled: &[u8], size: usize, plain: &mut [u8]) {
    let count = plain.len() / size;
    for (place, plane) in shuffled[..count * size].chunks_exact(count.max(1)).enumerate() {
        for (number, &byte) in plain.chunks_exact_mut(size).zip(plane) {
            number[place] = byte;
        }
    }
    plain[count * size..].copy_from_slice(&shuffled[count * size..]);
}

/// The same of bits, lowest first: the lowest bits of the first bytes of all numbers are first, packed into
/// bytes from the lowest bit on. The count of numbers is a multiple of eight.
fn unshuffle_bits(shuffled: &[u8], size: usize, plain: &mut [u8]) {
    let count = plain.len() / size;
    for (bit, plane) in shuffled[..count * size].chunks_exact((count / 8).max(1)).enumerate() {
        for (numbers, &packed) in plain.chunks_exact_mut(8 * size).zip(plane) {
            for (index, number) in numbers.chunks_exact_mut(size).enumerate() {
                number[bit / 8] |= (packed >> index & 1) << (bit % 8);
            }
        }
    }
    plain[count * size..].copy_from_slice(&shuffled[count * size..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A chunk of plain streams, as a header says that it is.
    fn chunk(flags: u8, size: u8, block: u32, plain: &[u8]) -> Vec<u8> {
        let blocks = plain.chunks(block as usize);
        let mut starts = Vec::new();
        let mut data = Vec::new();
        for block in blocks.clone() {
            starts.extend((HEADER + blocks.len() * 4 + data.len()).to_le_bytes()[..4].to_vec());
            data.extend((block.len() as u32).to_le_bytes());
            data.extend(block);
        }
        let whole = (HEADER + starts.len() + data.len()) as u32;
        let sizes = [plain.len() as u32, block, whole].map(u32::to_le_bytes).concat();
        [&[2, 1, flags, size][..], &sizes, &starts, &data].concat()
    }

    #[test]
    fn shuffled_bytes_and_bits_are_put_back_and_what_is_left_over_stays() {
        let bytes = [1, 3, 5, 2, 4, 6, 9];
        assert_eq!(decompress(&chunk(1, 2, 7, &bytes), 7), Ok(vec![1, 2, 3, 4, 5, 6, 9]));
        // Eight numbers of two bytes: bit 0 is set in all first bytes, bit 7 in the second byte of the last.
        let mut bits = [0; 17];
        (bits[0], bits[15], bits[16]) = (0xff, 0x80, 7);
        let mut plain = [1, 0].repeat(8);
        plain[15] = 0x80;
        plain.push(7);
        assert_eq!(decompress(&chunk(4, 2, 17, &bits), 17), Ok(plain));
        // Seven numbers are not shuffled.
        assert_eq!(decompress(&chunk(4, 1, 7, &bytes), 7), Ok(bytes.to_vec()));
    }

    #[test]
    fn headers_that_contradict_themselves_are_told_by_field() {
        let whole = chunk(0, 1, 4, &[1, 2, 3, 4, 5, 6]);
        assert_eq!(decompress(&whole, 6), Ok(vec![1, 2, 3, 4, 5, 6]));
        let spoil: [(usize, &[u8], &str); 16] = [
            (0, &[3], "version"),
            (2, &[5], "flags"),
            (2, &[2], "cbytes"),
            (2, &[2 << 5], "compressor"),
            (2, &[7 << 5], "compressor"),
            (3, &[0], "typesize"),
            (4, &[0xff; 4], "nbytes"),
            (4, &[7], "nbytes"),
            (8, &[0], "blocksize"),
            (8, &[7], "blocksize"),
            (8, &[3], "data"),
            (12, &[7], "cbytes"),
            (16, &[0], "bstarts"),
            (16, &[0xff; 4], "bstarts"),
            (24, &[0xff; 4], "bstarts"),
            (24, &[3], "data"),
        ];
        for (at, value, field) in spoil {
            let mut bytes = whole.clone();
            bytes[at..at + value.len()].copy_from_slice(value);
            let found = decompress(&bytes, 6).unwrap_err();
            assert_eq!(found.field, field, "{at} {value:?}: {found:?}");
        }
        assert_eq!(decompress(&whole[..15], 6).unwrap_err().field, "header");
    }

    #[test]
    fn a_stream_longer_than_its_block_is_refused_before_it_is_read_again_and_again() {
        // A megabyte of empty pieces and eight zeros, as zlib has them, of which every block consists.
        let mut stream = vec![0x78, 1];
        stream.extend([0, 0, 0, 0xff, 0xff].repeat(200_000));
        stream.extend([1, 8, 0, 0xf7, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 1]);
        let blocks = 1 << 19;
        let first = HEADER + blocks * 4;
        let whole = first + 4 + stream.len();
        let sizes = [blocks * 8, 8, whole].map(|n| (n as u32).to_le_bytes()).concat();
        let starts = (first as u32).to_le_bytes().repeat(blocks);
        let length = (stream.len() as u32).to_le_bytes();
        let chunk = [&[2, 1, 3 << 5, 1][..], &sizes, &starts, &length, &stream].concat();
        let flaw = decompress(&chunk, blocks * 8).unwrap_err();
        assert_eq!((flaw.field, &flaw.problem[..]), ("data", "block 0 has 1000019 bytes for 8"));
    }
}
