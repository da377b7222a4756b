//! Datasets against the Python packages that trainers read them with, and against files made to
//! break the readers.

use crate::episodes::{episode, schema};
use crate::support::python;
use dextra_data::DataError;
use dextra_data::dataset::{Episode, Format, open};
use std::fs;
use std::path::Path;

const STEPS: [usize; 4] = [3, 1700, 20, 1000];

fn write(format: Format, path: &Path) {
    for part in [0..2, 2..4] {
        let mut sink = format.append(path, &schema()).unwrap();
        for index in part {
            sink.push(&episode(index, STEPS[index])).unwrap();
        }
        sink.commit().unwrap();
    }
}

fn read(path: &Path) -> Result<Vec<Episode>, DataError> {
    let (_, mut source) = open(path)?;
    (0..source.entries().len()).map(|index| source.episode(index)).collect()
}

/// Checks, in Python, numbers `values(episode, feature, steps, width)` against `episodes.rs`.
const NUMBERS: &str = "
import sys, numpy
STEPS = [3, 1700, 20, 1000]
def numbers(index, feature, width):
    count = STEPS[index] * width
    return ((index * 1000 + numpy.arange(count)) * 0.25 - feature * 0.125).reshape(-1, width)
";

#[test]
fn zarr_in_python_sees_the_same_numbers() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("set.zarr");
    write(Format::Zarr, &path);
    let script = format!(
        "{NUMBERS}
import zarr
root = zarr.open(sys.argv[1], mode='r')
ends = root['meta']['episode_ends'][:]
assert ends.dtype == numpy.int64 and list(ends) == list(numpy.cumsum(STEPS)), ends
for feature, (name, width) in enumerate([('state', 3), ('action', 2)]):
    array = root['data'][name]
    assert array.dtype == numpy.float32 and array.shape == (ends[-1], width), array
    expected = numpy.concatenate([numbers(i, feature, width) for i in range(4)])
    assert (array[:] == expected).all()
assert root['data']['state'].attrs['names'] == ['x_m', 'y_m', 'yaw_rad']
assert root.attrs['dextra']['fps_hz'] == 50
print('same')
"
    );
    if let Some(printed) = python(&["zarr", "numpy"], &script, &[&path]) {
        assert_eq!(printed.trim(), "same");
    }
}

#[test]
fn a_zarr_folder_that_python_wrote_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("foreign.zarr");
    let script = format!(
        "{NUMBERS}
import zarr, numcodecs
root = zarr.open_group(sys.argv[1], mode='w', zarr_format=2)
def put(name, values, codec):
    chunks = (100,) + values.shape[1:]
    array = root.create_array(name, shape=values.shape, chunks=chunks, dtype=values.dtype, compressors=codec)
    array[:] = values
for feature, (name, width, codec) in enumerate([
    ('state', 3, numcodecs.Zlib(1)), ('action', 2, numcodecs.GZip(1))]):
    kind = 'f4' if feature else 'f8'
    put('data/' + name, numpy.concatenate([numbers(i, feature, width) for i in range(4)]).astype(kind), codec)
put('data/point_cloud', numpy.zeros((sum(STEPS), 5, 3), 'f4'), None)
put('meta/episode_ends', numpy.cumsum(STEPS).astype('i8'), None)
print('written')
"
    );
    if python(&["zarr", "numpy"], &script, &[&path]).is_none() {
        return;
    }
    let (_, mut source) = open(&path).unwrap();
    let widths: Vec<_> =
        source.schema().features.iter().map(|f| (f.name.as_str(), f.width())).collect();
    assert_eq!(widths, [("action", 2), ("point_cloud", 15), ("state", 3)]);
    for (index, steps) in STEPS.into_iter().enumerate() {
        let (found, ours) = (source.episode(index).unwrap(), episode(index, steps));
        assert!(found.values[0] == ours.values[1] && found.values[2] == ours.values[0]);
        assert_eq!(found.record, None);
    }
}

#[test]
fn hostile_zarr_metadata_are_errors() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("set.zarr");
    write(Format::Zarr, &path);
    assert!(read(&path).is_ok());
    let spoil = [
        ("data/state/.zarray", "2723,", "99999999999999,"),
        ("data/state/.zarray", "2723,", "18446744073709551615,"),
        ("data/state/.zarray", "1000,", "0,"),
        ("data/state/.zarray", "1000,", "4611686018427387904,"),
        ("data/state/.zarray", "<f4", "|O"),
        ("data/state/.zarray", "<f4", "<f8"),
        ("data/state/.zarray", "\"C\"", "\"F\""),
        ("data/state/.zarray", "\"compressor\": null", "\"compressor\": {\"id\": \"blosc\"}"),
        ("data/state/.zarray", "\"compressor\": null", "\"compressor\": {\"id\": \"zlib\"}"),
        ("data/action/.zarray", "{", "[["),
        ("meta/episode_ends/.zarray", "4\n", "5\n"),
        ("meta/episode_ends/.zarray", "4\n", "999999999999\n"),
        (".zattrs", "\"state\"", "\"other\""),
        (".zattrs", "\"yaw_rad\"", "\"yaw_rad\", \"more\""),
        ("dextra.jsonl", "\"steps\":20", "\"steps\":21"),
        ("dextra.jsonl", "\"licence\"", "\"license\""),
    ];
    for (file, from, to) in spoil {
        let file = path.join(file);
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{file:?} has no {from}");
        fs::write(&file, text.replacen(from, to, 1)).unwrap();
        let error = read(&path).err().unwrap_or_else(|| panic!("{file:?}: {to} is taken"));
        assert!(error.to_string().contains("set.zarr"), "{error}");
        fs::write(&file, text).unwrap();
    }
    let chunk = path.join("data/state/1.0");
    let bytes = fs::read(&chunk).unwrap();
    fs::write(&chunk, &bytes[..bytes.len() - 1]).unwrap();
    assert!(read(&path).unwrap_err().to_string().contains("1.0"));
    fs::write(&chunk, bytes).unwrap();
    let ends = path.join("meta/episode_ends/0");
    let bytes = fs::read(&ends).unwrap();
    for (at, value) in [(0, 0i64), (8, 2), (8, -5), (24, i64::MAX)] {
        let mut spoilt = bytes.clone();
        spoilt[at..at + 8].copy_from_slice(&value.to_le_bytes());
        fs::write(&ends, spoilt).unwrap();
        assert!(read(&path).is_err());
    }
}
