//! Zarr v2 folders of others, as `fixtures/zarr/make.py` leaves them: compressed, with pictures and point
//! clouds.

use crate::episodes::{episode, schema};
use crate::support::{copy, python};
use dextra_data::DataError;
use dextra_data::dataset::{Episode, Feature, Format, Schema, Source, open};
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

/// Writes `.zarray` of an array of bare bytes, whose chunks have no files.
fn array(set: &Path, name: &str, shape: &[usize], chunks: &[usize], dtype: &str) -> PathBuf {
    let folder = set.join(name);
    fs::create_dir_all(&folder).unwrap();
    let text = format!(
        "{{\"zarr_format\":2,\"shape\":{shape:?},\"chunks\":{chunks:?},\"dtype\":\"{dtype}\",\
         \"compressor\":null,\"fill_value\":0,\"order\":\"C\",\"filters\":null}}"
    );
    fs::write(folder.join(".zarray"), text).unwrap();
    folder
}

/// An empty set of one episode of `rows`.
fn one_episode(set: &Path, rows: usize) {
    let ends = array(set, "meta/episode_ends", &[1], &[1], "<i8");
    fs::write(ends.join("0"), (rows as i64).to_le_bytes()).unwrap();
    fs::write(set.join(".zgroup"), "{\"zarr_format\":2}").unwrap();
}

#[test]
fn rows_without_files_take_no_time() {
    let dir = tempfile::tempdir().unwrap();
    let set = dir.path().join("pictures");
    let rows = 10usize.pow(15);
    one_episode(&set, rows);
    let img = array(&set, "data/img", &[rows, 1], &[1, 1], "|u1");
    let (_, mut source) = open(&set).unwrap();
    source.examine(0).unwrap();
    // Files are looked at wherever they are; what is no chunk is none.
    fs::write(img.join("7.notes"), "mine").unwrap();
    fs::write(img.join("999999999999998.0"), "ab").unwrap();
    let (_, mut source) = open(&set).unwrap();
    let error = source.examine(0).unwrap_err().to_string();
    assert!(error.contains("999999999999998.0") && error.contains("a chunk has 1"), "{error}");

    let set = dir.path().join("floats");
    let rows = 1 << 24;
    one_episode(&set, rows);
    let action = array(&set, "data/action", &[rows, 1], &[1, 1], "<f4");
    for (chunk, value) in [(3, 0.5f32), (rows - 1, 2.0)] {
        fs::write(action.join(format!("{chunk}.0")), value.to_le_bytes()).unwrap();
    }
    let values = read(&set).unwrap().remove(0).remove(0);
    assert_eq!((values.len(), values[3], values[rows - 1]), (rows, 0.5, 2.0));
    assert_eq!(values.iter().filter(|&&x| x != 0.0).count(), 2);
}

#[test]
fn chunks_that_are_together_larger_than_their_array_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    one_episode(dir.path(), 1);
    array(dir.path(), "data/action", &[1, 1, 4096], &[1, 1 << 25, 1], "<f4");
    let error = read(dir.path()).unwrap_err().to_string();
    assert!(
        error.contains("data/action/.zarray") && error.contains("`chunks`: 4096 of"),
        "{error}"
    );
    // Nor may one chunk be above 192 MiB.
    array(dir.path(), "data/action", &[1, 1], &[(48 << 20) + 1, 1], "<f4");
    let error = read(dir.path()).unwrap_err().to_string();
    assert!(error.contains("is above 201326592 bytes"), "{error}");
    // A chunk may be longer than what is left of its array, as the last ones are.
    array(dir.path(), "data/action", &[1, 1, 5], &[10, 3, 4], "<f4");
    assert_eq!(read(dir.path()).unwrap(), [[[0.0; 5]]]);
}

#[test]
fn names_are_made_for_so_many_numbers_and_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let many = dir.path().join("many");
    one_episode(&many, 1);
    for index in 0..257 {
        array(&many, &format!("data/a{index}"), &[1, 1], &[1, 1], "<f4");
    }
    let error = open(&many).err().unwrap().to_string();
    assert!(error.contains("257 features; at most 256"), "{error}");
    fs::remove_dir_all(many.join("data/a7")).unwrap();
    assert_eq!(open(&many).unwrap().1.schema().features.len(), 256);
    let wide = dir.path().join("wide");
    one_episode(&wide, 1);
    for index in 0..5 {
        array(&wide, &format!("data/a{index}"), &[1, 1 << 20], &[1, 1 << 20], "<f4");
    }
    let error = open(&wide).err().unwrap().to_string();
    assert!(error.contains("5242880 numbers per step"), "{error}");
    // Of LeRobot too.
    let columns = dir.path().join("columns");
    let mut sink = Format::LeRobot.append(&columns, &schema()).unwrap();
    sink.push(&episode(0, 3)).unwrap();
    sink.commit().unwrap();
    let info = columns.join("meta/info.json");
    let text = fs::read_to_string(&info).unwrap();
    let column = |i: usize| format!("\"a{i}\":{{\"dtype\":\"float32\",\"shape\":[1048576]}},");
    let more = (0..5).map(column).collect::<String>() + "\"action\": {";
    fs::write(&info, text.replacen("\"action\": {", &more, 1)).unwrap();
    let error = open(&columns).err().unwrap().to_string();
    assert!(error.contains("info.json") && error.contains("5242880 numbers"), "{error}");
}

/// Appends an episode of `steps`, with a third feature.
fn append(path: &Path, schema: &Schema, index: usize, steps: usize) -> Result<Episode, DataError> {
    let mut sink = Format::Zarr.append(path, schema)?;
    let mut episode = episode(index, steps);
    let width = schema.features[2].width();
    episode.values.push((0..steps * width).map(|i| (index * 5000 + i) as f32 * 0.25).collect());
    sink.push(&episode)?;
    sink.commit()?;
    Ok(episode)
}

/// [`schema`] with a third feature, `cloud`.
fn with_cloud(width: usize, axes: &[usize]) -> Schema {
    let mut schema = schema();
    let names = (0..width).map(|index| format!("cloud_{index}")).collect();
    schema.features.push(Feature { axes: axes.to_vec(), ..Feature::new("cloud", names) });
    schema
}

#[test]
fn a_feature_of_other_axes_is_not_added_to_one_that_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let (list, axes) = (with_cloud(6, &[]), with_cloud(6, &[2, 3]));
    for (name, there, other) in [("list", &list, &axes), ("axes", &axes, &list)] {
        let set = dir.path().join(name);
        let first = append(&set, there, 0, 1500).unwrap();
        let error = append(&set, other, 1, 3).unwrap_err().to_string();
        assert!(error.contains("`cloud`") && error.contains("[2, 3]"), "{error}");
        assert_eq!(read(&set).unwrap(), [first.values]);
    }
    // What is stated of an array must be true of it.
    let attributes = dir.path().join("axes/.zattrs");
    let text = fs::read_to_string(&attributes).unwrap();
    let text = text.replacen("2,\n          3", "3,\n          2", 1);
    fs::write(&attributes, text).unwrap();
    let error = open(&dir.path().join("axes")).err().unwrap().to_string();
    assert!(error.contains("`cloud`: the axes [3, 2], but the array has [2, 3]"), "{error}");
}

#[test]
fn chunks_of_a_wide_feature_have_fewer_rows_and_those_that_are_there_stay() {
    let dir = tempfile::tempdir().unwrap();
    let set = dir.path().join("wide");
    let schema = with_cloud(3 << 14, &[1 << 14, 3]);
    let episodes = [append(&set, &schema, 0, 171).unwrap().values];
    let chunks = fs::read_dir(set.join("data/cloud")).unwrap().flatten();
    let sizes: Vec<u64> = chunks.map(|file| file.metadata().unwrap().len()).collect();
    assert!(sizes.iter().filter(|&&size| size > 20 << 20).count() == 2, "{sizes:?}");
    assert!(sizes.iter().all(|&size| size <= 32 << 20), "{sizes:?}");
    assert!(read(&set).unwrap() == episodes);

    let set = dir.path().join("other");
    let schema = with_cloud(6, &[2, 3]);
    let mut episodes = vec![append(&set, &schema, 0, 3).unwrap().values];
    // Chunks of four rows of one feature, of a thousand of the others.
    let array = set.join("data/cloud/.zarray");
    let text = fs::read_to_string(&array).unwrap();
    assert!(text.contains("1000"), "{text}");
    fs::write(&array, text.replacen("1000", "4", 1)).unwrap();
    let chunk = set.join("data/cloud/0.0.0");
    let bytes = fs::read(&chunk).unwrap();
    fs::write(&chunk, &bytes[..4 * 6 * 4]).unwrap();
    for (index, steps) in [(1, 1), (2, 2000), (3, 2)] {
        episodes.push(append(&set, &schema, index, steps).unwrap().values);
        assert!(read(&set).unwrap() == episodes, "{steps}");
    }
    assert_eq!(fs::metadata(set.join("data/cloud/501.0.0")).unwrap().len(), 96);
}
