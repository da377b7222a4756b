//! Archives written by NumPy (`tests/fixtures/make.py`), and archives written to break the reader.

use super::*;
use crate::NpzWriter;
use std::io::Write;

fn fixture(name: &str) -> Result<Npz, DataError> {
    Npz::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name))
}

#[test]
fn every_number_type_numpy_writes_is_read() {
    let npz = fixture("types.npz").unwrap();
    let values = |key: &str| npz.array_f64(key).unwrap().1;
    let half = values("f2");
    assert_eq!(half[..3], [0.0, -1.5, 65504.0]);
    assert!((half[3] - 6e-8).abs() < 1e-9 && half[4] == f64::INFINITY && half[5].is_nan());
    assert_eq!(values("f4"), [f64::from(0.1f32), -2.0]);
    assert_eq!(npz.array_f64("f8").unwrap(), (vec![], vec![1.0 / 3.0]));
    assert_eq!(values("big"), [1.0, -2.5]);
    assert_eq!(values("big_int"), [-2.0, 258.0]);
    assert_eq!(values("i1"), [-128.0, 127.0]);
    assert_eq!(npz.array_i64("i8").unwrap().1, [i64::MIN, i64::MAX]);
    assert_eq!(values("u1"), [255.0]);
    assert_eq!(values("u8"), [u64::MAX as f64]);
    assert_eq!(values("boolean"), [1.0, 0.0]);
    assert!(npz.array_i64("u8").is_err(), "2^64 - 1 does not fit");
    assert!(npz.array_i64("f8").is_err(), "a float is not silently truncated");
}

#[test]
fn fortran_order_is_turned_to_c_order() {
    let npz = fixture("types.npz").unwrap();
    let (shape, values) = npz.array_f64("fortran").unwrap();
    assert_eq!((shape, values), (vec![2, 3], vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0]));
    let (shape, values) = npz.array_f64("fortran3").unwrap();
    assert_eq!(shape, [2, 3, 4]);
    assert_eq!(values, (0..24).map(f64::from).collect::<Vec<_>>());
    assert_eq!(npz.strings("fortran_texts").unwrap().1, ["a", "bcd", "", "e"]);
}

#[test]
fn texts_are_read_in_either_byte_order() {
    let npz = fixture("types.npz").unwrap();
    assert_eq!(npz.string("text").unwrap(), "grün 🖐");
    assert_eq!(npz.strings("texts").unwrap().1, ["a", "bcd", "", "e"]);
    assert_eq!(npz.string("big_text").unwrap(), "ab");
    assert_eq!(npz.string("bytestring").unwrap(), "cm");
    assert!(npz.string("texts").is_err() && npz.string("f8").is_err());
    assert!(npz.array_f64("text").unwrap_err().to_string().contains("text"));
}

#[test]
fn stored_and_deflated_members_are_both_read() {
    assert_eq!(fixture("stored.npz").unwrap().array_i64("ramp").unwrap().1, [0, 1, 2, 3, 4, 5]);
}

#[test]
fn pickles_are_refused_and_the_rest_of_the_file_stays_readable() {
    let npz = fixture("pickled.npz").unwrap();
    let error = npz.array_f64("joints21").unwrap_err().to_string();
    assert!(error.contains("pickled") && error.contains("joints21"), "{error}");
    assert!(npz.strings("joints21").is_err());
    assert_eq!(npz.scalar_f64("fps").unwrap(), 30.0);
}

#[test]
fn types_without_meaning_here_are_refused_by_name() {
    let npz = fixture("refused.npz").unwrap();
    for (key, word) in [("complex", "c16"), ("structured", "structured"), ("time", "M8[D]")] {
        let error = npz.array_f64(key).unwrap_err().to_string();
        assert!(error.contains(word) && error.contains(key), "{error}");
    }
}

#[test]
fn a_single_array_says_an_archive_is_needed() {
    let error = fixture("single.npy").unwrap_err().to_string();
    assert!(error.contains(".npz archive"), "{error}");
}

#[test]
fn a_missing_key_lists_the_others() {
    let error = fixture("stored.npz").unwrap().array_f64("rump").unwrap_err().to_string();
    assert!(error.contains("no `rump`") && error.contains("ramp"), "{error}");
}

/// An archive with one member of any bytes.
fn archive(member: &[u8]) -> Npz {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("a.npy", zip::write::SimpleFileOptions::default()).unwrap();
    zip.write_all(member).unwrap();
    Npz::from_bytes(Path::new("a.npz"), zip.finish().unwrap().into_inner()).unwrap()
}

/// A `.npy` member with any dictionary and any data.
fn member(dictionary: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((dictionary.len() as u16).to_le_bytes());
    bytes.extend(dictionary.as_bytes());
    bytes.extend(data);
    bytes
}

#[test]
fn headers_that_lie_are_refused() {
    for (dictionary, data) in [
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }", 16),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }", 16),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296, 2), }", 16),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999,), }", 16),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }", 16),
        ("{'descr': '<f8', 'fortran_order': 1, 'shape': (2,), }", 16),
        ("{'descr': '<f8', 'shape': (2,), }", 16),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': __import__('os'), }", 16),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (2,), 'x': 1}", 16),
        ("{'descr': '<f16', 'fortran_order': False, 'shape': (1,), }", 16),
        ("{'descr': '<f', 'fortran_order': False, 'shape': (1,), }", 16),
        ("{'descr': '', 'fortran_order': False, 'shape': (1,), }", 16),
        ("{'descr': '<U0', 'fortran_order': False, 'shape': (99999999999,), }", 0),
        ("{'descr': '<é8', 'fortran_order': False, 'shape': (1,), }", 8),
        ("{", 16),
        ("", 0),
    ] {
        let npz = archive(&member(dictionary, &vec![0; data]));
        assert!(npz.array_f64("a").is_err(), "{dictionary} was accepted");
        assert!(npz.strings("a").is_err(), "{dictionary} was accepted as text");
    }
    let good = "{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }";
    assert_eq!(archive(&member(good, &[0; 16])).array_f64("a").unwrap().1, [0.0, 0.0]);
    let whole = member(good, &[0; 16]);
    for length in 0..whole.len() {
        assert!(archive(&whole[..length]).array_f64("a").is_err(), "{length} bytes were accepted");
    }
}

#[test]
fn text_that_is_no_unicode_is_refused() {
    let dictionary = "{'descr': '<U1', 'fortran_order': False, 'shape': (), }";
    let npz = archive(&member(dictionary, &0x0011_0000u32.to_le_bytes()));
    assert!(npz.string("a").is_err());
}

#[test]
fn decompressed_bytes_are_counted_over_the_whole_archive() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bomb.npz");
    let mut writer = NpzWriter::create(&path).unwrap();
    writer.array_f64("zeros", &[100_000], &vec![0.0; 100_000]).unwrap();
    writer.finish().unwrap();
    let npz = Npz::open(&path).unwrap();
    assert!(std::fs::metadata(&path).unwrap().len() < 10_000, "zeros compress well");
    npz.budget.set(1_000_000);
    assert!(npz.array_f64("zeros").is_ok());
    let error = npz.array_f64("zeros").unwrap_err();
    assert!(matches!(error, DataError::TooLarge { limit: MAX_BYTES, .. }), "{error}");
}

#[test]
fn the_same_calls_write_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str| {
        let path = dir.path().join(name);
        let mut npz = NpzWriter::create(&path).unwrap();
        npz.array_f64("x", &[2], &[1.0, 2.0]).unwrap();
        npz.string("s", "text").unwrap();
        npz.finish().unwrap();
        std::fs::read(path).unwrap()
    };
    assert_eq!(write("a.npz"), write("b.npz"));
}

#[test]
fn a_key_written_twice_or_a_shape_that_does_not_hold_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut npz = NpzWriter::create(&dir.path().join("a.npz")).unwrap();
    npz.scalar_f64("x", 1.0).unwrap();
    assert!(npz.scalar_f64("x", 1.0).is_err());
    assert!(npz.array_f64("y", &[2, 2], &[0.0; 3]).is_err());
    drop(npz);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is half-written");
}
