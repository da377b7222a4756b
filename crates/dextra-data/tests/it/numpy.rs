//! Archives written here, read by NumPy.

use crate::support::{lift, python};
use dextra_core::Side;
use dextra_data::{NpzWriter, write_keypoint_clip};

const SCRIPT: &str = r#"
import sys
import numpy as np
a = np.load(sys.argv[1], allow_pickle=False)
assert sorted(a.files) == ["b", "d", "empty", "f", "i", "s", "scalar", "words"], a.files
assert a["d"].dtype == np.float64 and a["d"].shape == (2, 3)
assert np.array_equal(a["d"], [[1.5, -2.0, np.nan], [np.inf, 5e-324, 1 / 3]], equal_nan=True)
assert a["f"].dtype == np.float32 and np.array_equal(a["f"], np.float32([0.1, -7.5]))
assert a["i"].dtype == np.int64 and a["i"].tolist() == [[-(2**63)], [2**63 - 1]]
assert a["b"].dtype == bool and a["b"].tolist() == [True, False, True]
assert a["s"].shape == () and a["s"].item() == "grün 🖐"
assert a["words"].tolist() == [["a", "bcd"], ["", "e"]]
assert a["scalar"].shape == () and a["scalar"] == 50.0
assert a["empty"].shape == (0, 21, 3)
c = np.load(sys.argv[2], allow_pickle=False)
assert c["joints21"].shape == (60, 21, 3) and c["obj_quat_wxyz"].shape == (60, 1, 4)
assert c["side"].item() == "left" and float(c["fps"]) == 30.0
print("fine")
"#;

#[test]
fn numpy_reads_what_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let (path, clip) = (dir.path().join("a.npz"), dir.path().join("clip.npz"));
    let mut npz = NpzWriter::create(&path).unwrap();
    let numbers = [1.5, -2.0, f64::NAN, f64::INFINITY, 5e-324, 1.0 / 3.0];
    npz.array_f64("d", &[2, 3], &numbers).unwrap();
    npz.array_f32("f", &[2], &[0.1, -7.5]).unwrap();
    npz.array_i64("i", &[2, 1], &[i64::MIN, i64::MAX]).unwrap();
    npz.array_bool("b", &[3], &[true, false, true]).unwrap();
    npz.string("s", "grün 🖐").unwrap();
    npz.strings("words", &[2, 2], &["a", "bcd", "", "e"]).unwrap();
    npz.scalar_f64("scalar", 50.0).unwrap();
    npz.array_f64("empty", &[0, 21, 3], &[]).unwrap();
    npz.finish().unwrap();
    write_keypoint_clip(&clip, &lift(Side::Left)).unwrap();
    let Some(printed) = python(&["numpy"], SCRIPT, &[&path, &clip]) else {
        return;
    };
    assert_eq!(printed.trim(), "fine");
}
