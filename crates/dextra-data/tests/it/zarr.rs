//! Zarr v2 folders of others, as `fixtures/zarr/make.py` leaves them: compressed, with pictures and point
//! clouds.

use crate::episodes::{episode, schema};
use crate::support::{copy, python};
use dextra_data::DataError;
use dextra_data::dataset::{Episode, Feature, Format, Source, open};
use std::fs;
use std::path::{Path, PathBuf};

/// A fixture.
fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// A copy of a fixture.
fn copied(name: &str, dir: &Path) -> PathBuf {
    copy(&fixture("zarr").join(name), &dir.join(name));
    dir.join(name)
}

/// Reads all of a dataset, what is no feature too.
fn read(path: &Path) -> Result<Vec<Vec<Vec<f32>>>, DataError> {
    let (_, mut source) = open(path)?;
    (0..source.entries().len())
        .map(|index| source.examine(index).and_then(|()| source.episode(index)))
        .map(|episode| episode.map(|episode| episode.values))
        .collect()
}

fn stored(source: &dyn Source) -> Vec<(&str, &str, &[usize], bool)> {
    let stored = source.stored().iter();
    stored.map(|s| (&s.name[..], &s.dtype[..], &s.shape[..], s.is_feature)).collect()
}

#[test]
fn what_the_scripts_of_dp3_write_is_read_and_pictures_are_counted() {
    let (format, mut source) = open(&fixture("zarr/dp3.zarr")).unwrap();
    assert_eq!(format, Format::Zarr);
    let expected: [(&str, &str, &[usize], bool); 5] = [
        ("action", "<f4", &[25, 3], true),
        ("depth", "<f4", &[25, 6, 6], true),
        ("img", "|u1", &[25, 12, 12, 3], false),
        ("point_cloud", "<f4", &[25, 16, 6], true),
        ("state", "<f4", &[25, 4], true),
    ];
    assert_eq!(stored(source.as_ref()), expected);
    let axes: Vec<_> =
        source.schema().features.iter().map(|f| (f.width(), f.axes.clone())).collect();
    assert_eq!(axes, [(3, vec![]), (36, vec![6, 6]), (96, vec![16, 6]), (4, vec![])]);
    for (index, (start, end)) in [(0, 12), (12, 25)].into_iter().enumerate() {
        source.examine(index).unwrap();
        let values = source.episode(index).unwrap().values;
        let scales = [(3, -0.5), (36, 0.5), (96, 0.25), (4, 0.125)];
        for (found, (width, scale)) in values.iter().zip(scales) {
            let expected = (start * width..end * width).map(|i| i as f32 * scale);
            assert!(found.iter().copied().eq(expected), "{width} numbers");
        }
    }
}

#[test]
fn every_codec_and_every_way_to_shuffle_gives_the_same_numbers() {
    let (_, mut source) = open(&fixture("zarr/codecs.zarr")).unwrap();
    let features = source.schema().features.clone();
    let names: Vec<&str> = features.iter().map(|feature| &feature.name[..]).collect();
    for codec in ["blosclz", "lz4", "lz4hc", "zlib", "zstd"] {
        for way in ["plain", "bytes", "bits"] {
            assert!(names.contains(&&format!("{codec}_{way}")[..]), "{names:?}");
        }
    }
    assert_eq!(features.len(), 15 + 6);
    let values = source.episode(0).unwrap().values;
    for (feature, found) in features.iter().zip(&values) {
        let width = feature.width();
        let number = |i: usize| match &feature.name[..] {
            "far" if i % 2250 >= 75 => 0.0,
            "far" => ((i % 2250).pow(2) * 37 % 1009) as f32 * 0.5,
            _ => ((i / width / 9 * 7 + i % width * 13) % 50) as f32 * 0.25,
        };
        assert!(found.iter().copied().eq((0..601 * width).map(number)), "{}", feature.name);
    }
}

#[test]
fn a_feature_with_axes_has_them_in_python_and_when_it_is_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut schema = schema();
    let names = (0..6).map(|index| format!("point_{}_{}_m", index / 3, index % 3)).collect();
    schema.features.push(Feature { axes: vec![2, 3], ..Feature::new("point_cloud", names) });
    let episodes: Vec<Episode> = [1500, 3]
        .into_iter()
        .enumerate()
        .map(|(index, steps)| {
            let mut episode = episode(index, steps);
            episode.values.push((0..steps * 6).map(|i| (index * 5000 + i) as f32 * 0.25).collect());
            episode
        })
        .collect();
    for format in Format::ALL {
        let path = dir.path().join(format.name());
        for episode in &episodes {
            let mut sink = format.append(&path, &schema).unwrap();
            sink.push(episode).unwrap();
            sink.commit().unwrap();
        }
        assert!(
            (0..2).all(|i| open(&path).unwrap().1.episode(i).unwrap() == episodes[i]),
            "{format:?}"
        );
    }
    let path = dir.path().join("zarr");
    let (_, source) = open(&path).unwrap();
    assert_eq!(*source.schema(), schema);
    assert_eq!(stored(source.as_ref())[1], ("point_cloud", "<f4", &[1503, 2, 3][..], true));
    let script = "
import sys, zarr, numpy
cloud = zarr.open(sys.argv[1], mode='r')['data/point_cloud']
expected = numpy.concatenate([numpy.arange(9000), 5000 + numpy.arange(18)]).reshape(-1, 2, 3) * 0.25
assert cloud.dtype == numpy.float32 and cloud.shape == (1503, 2, 3) and (cloud[:] == expected).all()
print('same')
";
    if let Some(printed) = python(&["zarr", "numpy"], script, &[&path]) {
        assert_eq!(printed.trim(), "same");
    }
    schema.features[2].axes = vec![4, 2];
    assert!(schema.check(&path).unwrap_err().to_string().contains("`point_cloud`"));
}

/// Files that make one array of `codecs.zarr` or `dp3.zarr` each.
const CHUNKS: [(&str, &str); 10] = [
    ("codecs.zarr", "data/blosclz_bytes/0.0"),
    ("codecs.zarr", "data/far/0.0"),
    ("codecs.zarr", "data/lz4_bits/0.0"),
    ("codecs.zarr", "data/zlib_plain/0.0"),
    ("codecs.zarr", "data/zstd_bytes/0.0"),
    ("codecs.zarr", "data/lz4/0.0"),
    ("codecs.zarr", "data/zstd/1.0"),
    ("codecs.zarr", "data/tiles/1.1.1"),
    ("dp3.zarr", "data/img/0.0.0.0"),
    ("dp3.zarr", "meta/episode_ends/0"),
];

#[test]
fn chunks_that_are_cut_anywhere_are_errors_that_name_them() {
    let dir = tempfile::tempdir().unwrap();
    for (set, file) in CHUNKS {
        let set = copied(set, dir.path());
        let file = set.join(file);
        let bytes = fs::read(&file).unwrap();
        for cut in (0..bytes.len()).step_by(bytes.len().div_ceil(40)).chain([bytes.len() - 1]) {
            fs::write(&file, &bytes[..cut]).unwrap();
            let error = read(&set).err().unwrap_or_else(|| panic!("{file:?} cut at {cut}"));
            assert!(error.to_string().contains(file.to_str().unwrap()), "{error}");
        }
        fs::write(&file, &bytes).unwrap();
        assert!(read(&set).is_ok());
    }
}

#[test]
fn chunks_that_are_damaged_anywhere_never_panic() {
    let dir = tempfile::tempdir().unwrap();
    for (set, file) in CHUNKS {
        let set = copied(set, dir.path());
        let file = set.join(file);
        let bytes = fs::read(&file).unwrap();
        let places = (0..32).chain((32..bytes.len()).step_by(bytes.len().div_ceil(30)));
        for at in places.filter(|&at| at < bytes.len()) {
            for value in [0xff, bytes[at] ^ 1] {
                let mut spoilt = bytes.clone();
                spoilt[at] = value;
                fs::write(&file, &spoilt).unwrap();
                drop(read(&set));
            }
        }
        fs::write(&file, &bytes).unwrap();
    }
}

#[test]
fn absurd_sizes_are_refused_by_file_and_field_before_anything_is_allocated() {
    let dir = tempfile::tempdir().unwrap();
    let set = copied("codecs.zarr", dir.path());
    let file = set.join("data/zstd_bytes/0.0");
    let bytes = fs::read(&file).unwrap();
    let fields = [(4, "nbytes"), (8, "blocksize"), (12, "cbytes"), (16, "bstarts")];
    for (at, field) in fields {
        for value in [u32::MAX, i32::MAX as u32, 0] {
            let mut spoilt = bytes.clone();
            spoilt[at..at + 4].copy_from_slice(&value.to_le_bytes());
            fs::write(&file, &spoilt).unwrap();
            let error = read(&set).unwrap_err().to_string();
            assert!(error.contains("zstd_bytes/0.0") && error.contains(field), "{error}");
        }
    }
    fs::write(&file, &bytes).unwrap();
    let spoil = [
        ("zstd_bytes", "\"blosc\"", "\"bz2\"", "compressor"),
        ("zstd_bytes", "\"<f4\"", "\">f4\"", "dtype"),
        ("zstd_bytes", "\"<f4\"", "\"|O\"", "dtype"),
        ("zstd_bytes", "601,\n    31\n  ],\n  \"dtype\"", "99999999999,\n31],\"dtype\"", "chunks"),
        ("zstd_bytes", "31\n  ],\n  \"dtype\"", "31,1],\"dtype\"", "chunks"),
        ("tiles", "3,\n    4\n  ],\n  \"dtype\"", "1,\n0],\"dtype\"", "chunks"),
        ("tiles", "5,\n    7", "5000,\n700", "chunks"),
        ("tiles", "5,\n    7", "5000000000,\n7000000000", "shape"),
    ];
    for (array, from, to, field) in spoil {
        let file = set.join("data").join(array).join(".zarray");
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{text} has no {from}");
        fs::write(&file, text.replacen(from, to, 1)).unwrap();
        let error = read(&set).unwrap_err().to_string();
        assert!(error.contains(array) && error.contains(&format!("`{field}`")), "{error}");
        fs::write(&file, text).unwrap();
    }
    assert!(read(&set).is_ok());
}

#[test]
fn chunks_without_files_hold_the_fill_value_and_others_are_of_no_episode() {
    let dir = tempfile::tempdir().unwrap();
    let set = copied("codecs.zarr", dir.path());
    let whole = read(&set).unwrap();
    let array = set.join("data/tiles");
    fs::remove_file(array.join("0.1.1")).unwrap();
    let text = fs::read_to_string(array.join(".zarray")).unwrap();
    fs::write(array.join(".zarray"), text.replace("\"fill_value\": 0.0", "\"fill_value\": 2.5"))
        .unwrap();
    let names =
        open(&set).unwrap().1.schema().features.iter().position(|f| f.name == "tiles").unwrap();
    for (i, (now, then)) in read(&set).unwrap()[0][names].iter().zip(&whole[0][names]).enumerate() {
        let (row, column, last) = (i / 35, i % 35 / 7, i % 7);
        let gone = row < 400 && column >= 3 && last >= 4;
        assert_eq!(*now, if gone { 2.5 } else { *then }, "{row} {column} {last}");
    }
    let error = Format::Zarr.append(&set, &schema()).err().unwrap().to_string();
    assert!(error.contains("codecs.zarr"), "{error}");
}
