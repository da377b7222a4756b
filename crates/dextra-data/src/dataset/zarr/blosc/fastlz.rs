//! BloscLZ: the second level of FastLZ's format.
//!
//! | first byte | what follows |
//! |---|---|
//! | `000nnnnn` | `n + 1` bytes to copy from the stream |
//! | `llloooooo` | `l + 2` bytes to copy from what is there; while `l` is 7, bytes up to and with one below 255 add to it; then the low byte of the distance, whose high bits are `o`, and one is added |
//!
//! The largest such distance, 8191, is followed by one of two bytes, high byte first, which adds to it. The
//! upper bits of the very first byte mean nothing.

/// The largest distance in 13 bits.
const FAR: usize = 8191;

/// Decompresses into `plain` from its beginning; the number of bytes, or nothing if `compressed` is cut,
/// longer than that, or refers to what is not there.
pub fn decompress(compressed: &[u8], plain: &mut [u8]) -> Option<usize> {
    let mut bytes = compressed.iter();
    let mut control = usize::from(*bytes.next()? & 31);
    let mut end = 0;
    loop {
        if control < 32 {
            let (run, rest) = bytes.as_slice().split_at_checked(control + 1)?;
            plain.get_mut(end..end + run.len())?.copy_from_slice(run);
            end += run.len();
            bytes = rest.iter();
        } else {
            let mut length = (control >> 5) + 2;
            if length == 9 {
                loop {
                    let more = *bytes.next()?;
                    length += usize::from(more);
                    if more < 255 {
                        break;
                    }
                }
            }
            let mut distance = (control & 31) << 8 | usize::from(*bytes.next()?);
            if distance == FAR {
                distance += usize::from(*bytes.next()?) << 8 | usize::from(*bytes.next()?);
            }
            let from = end.checked_sub(distance + 1)?;
            if length > plain.len() - end {
                return None;
            }
            // What is copied may be what was just written.
            for at in from..from + length {
                plain[at + distance + 1] = plain[at];
            }
            end += length;
        }
        match bytes.next() {
            None => return Some(end),
            Some(&byte) => control = usize::from(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(compressed: &[u8], room: usize) -> Option<Vec<u8>> {
        let mut plain = vec![0; room];
        decompress(compressed, &mut plain).map(|count| plain[..count].to_vec())
    }

    #[test]
    fn runs_and_references_near_and_far() {
        // The marker of the level in the first byte means nothing.
        assert_eq!(read(&[0x21, 7, 8], 9), Some(vec![7, 8]));
        assert_eq!(read(&[1, 7, 8, 1 << 5, 1], 9), Some(vec![7, 8, 7, 8, 7]));
        assert_eq!(read(&[0, 7, 7 << 5, 0, 0], 10), Some(vec![7; 10]));
        assert_eq!(read(&[0, 7, 7 << 5, 255, 3, 0], 268), Some(vec![7; 268]));
        // A 7 and zeros, then the first three of these from afar.
        let mut far = vec![1, 7, 0, 7 << 5];
        far.extend([255; 35]);
        far.extend([64, 0, 63, 255]);
        far.extend(u16::to_be_bytes(9000 - 1 - FAR as u16));
        let plain = read(&far, 9100).unwrap();
        assert_eq!((plain.len(), &plain[9000..]), (9003, &[7, 0, 0][..]));
        let last = far.len() - 1;
        far[last] += 1;
        assert_eq!(read(&far, 9100), None, "one before the first");
        far[last] -= 2;
        assert_eq!(read(&far, 9100).unwrap()[9000..], [0, 0, 0]);
    }

    #[test]
    fn streams_that_are_cut_too_long_or_refer_to_nothing_are_refused() {
        for cut in [&[][..], &[1, 7], &[0, 7, 32], &[0, 7, 7 << 5], &[0, 7, 7 << 5, 255]] {
            assert_eq!(read(cut, 1000), None, "{cut:?}");
        }
        assert_eq!(read(&[0, 7, 63, 255, 0], 1000), None);
        assert_eq!(read(&[32, 0], 1000), Some(vec![0]), "the first is a run in any case");
        assert_eq!(read(&[0, 7, 32, 1], 1000), None, "before the beginning");
        assert_eq!(read(&[1, 7, 8], 1), None);
        assert_eq!(read(&[0, 7, 7 << 5, 255, 255, 255, 0, 0], 500), None);
    }
}
