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

/// What `lerobot` sees of the dataset of [`write`].
const LEROBOT: &str = "
from lerobot.datasets.lerobot_dataset import LeRobotDataset
from torch.utils.data import DataLoader
TASKS = ['lift the box', 'größer: push \"it\"'] * 2
def check(root):
    data = LeRobotDataset('local/set', root=root)
    assert data.fps == 50 and data.meta.robot_type == 'toy', data
    assert data.num_episodes == 4 and len(data) == sum(STEPS), data
    assert data.meta.features['action']['names'] == ['x_target_m', 'yaw_target_rad']
    assert list(data.meta.tasks.index) == TASKS[:2] and data.meta.tasks.loc[TASKS[1]].task_index == 1
    states = numpy.concatenate([numbers(i, 0, 3) for i in range(4)])
    actions = numpy.concatenate([numbers(i, 1, 2) for i in range(4)])
    stats = data.meta.stats['observation.state']
    assert numpy.allclose(stats['mean'], states.mean(0), rtol=1e-6), stats
    assert numpy.allclose(stats['std'], states.std(0), rtol=1e-6), stats
    assert (stats['min'] == states.min(0)).all() and (stats['max'] == states.max(0)).all()
    assert list(stats['count']) == [len(states)]
    starts = numpy.concatenate([[0], numpy.cumsum(STEPS)])
    row = 0
    for batch in DataLoader(data, batch_size=256):
        n = len(batch['index'])
        assert (batch['observation.state'].numpy() == states[row:row + n]).all()
        assert (batch['action'].numpy() == actions[row:row + n]).all()
        assert (batch['index'].numpy() == numpy.arange(row, row + n)).all()
        for k in range(n):
            episode = int(batch['episode_index'][k])
            frame = row + k - starts[episode]
            assert 0 <= frame < STEPS[episode] and batch['frame_index'][k] == frame
            assert batch['timestamp'][k] == numpy.float32(frame / 50)
            assert batch['task'][k] == TASKS[episode], batch['task'][k]
        row += n
    assert row == len(states)
    part = LeRobotDataset('local/set', root=root, episodes=[2], delta_timestamps={'action': [0, 0.02]})
    assert len(part) == 20 and part[19]['action_is_pad'].tolist() == [False, True]
    return data
";

#[test]
fn lerobot_loads_and_iterates_what_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("set");
    write(Format::LeRobot, &path);
    let script = format!("{NUMBERS}{LEROBOT}check(sys.argv[1])\nprint('same')");
    if let Some(printed) = python(&["lerobot.datasets.lerobot_dataset"], &script, &[&path]) {
        assert_eq!(printed.trim(), "same");
    }
}

#[test]
fn what_lerobot_wrote_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("set");
    let script = format!(
        "{NUMBERS}{LEROBOT}
data = LeRobotDataset.create('local/set', 50, {{
    'observation.state': {{'dtype': 'float32', 'shape': (3,), 'names': ['x_m', 'y_m', 'yaw_rad']}},
    'next.reward': {{'dtype': 'float32', 'shape': (1,), 'names': None}},
    'next.done': {{'dtype': 'bool', 'shape': (1,), 'names': None}},
    'action': {{'dtype': 'float32', 'shape': (2,), 'names': {{'motors': ['x_target_m', 'yaw_target_rad']}}}},
}}, root=sys.argv[1], robot_type='toy', use_videos=False)
for i in range(4):
    for state, action in zip(numbers(i, 0, 3), numbers(i, 1, 2)):
        data.add_frame({{'observation.state': state.astype('f4'), 'action': action.astype('f4'),
            'next.reward': numpy.array([state[0]], 'f4'), 'next.done': numpy.array([False]), 'task': TASKS[i]}})
    data.save_episode()
data.finalize()
print('written')
"
    );
    if python(&["lerobot.datasets.lerobot_dataset"], &script, &[&path]).is_none() {
        return;
    }
    let (format, mut source) = open(&path).unwrap();
    assert_eq!(format, Format::LeRobot);
    let features: Vec<_> =
        source.schema().features.iter().map(|f| (f.name.clone(), f.elements[0].clone())).collect();
    let expected = [("state", "x_m"), ("next.reward", "next.reward_0"), ("action", "x_target_m")];
    assert_eq!(features, expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
    for (index, steps) in STEPS.into_iter().enumerate().rev() {
        let (found, ours) = (source.episode(index).unwrap(), episode(index, steps));
        assert!(found.values[0] == ours.values[0] && found.values[2] == ours.values[1]);
        assert_eq!(found.values[1].len(), steps);
        assert_eq!((found.task, found.record), (ours.task, None));
    }
    let error = Format::LeRobot.append(&path, &schema()).err().unwrap().to_string();
    assert!(error.contains("`features`"), "{error}");
}

/// The files themselves, for machines without `lerobot`.
#[test]
fn lerobot_files_have_the_columns_that_pyarrow_expects() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("set");
    write(Format::LeRobot, &path);
    let script = format!(
        "{NUMBERS}
import pyarrow.parquet as pq, json
root = sys.argv[1]
for k, part in enumerate([range(0, 2), range(2, 4)]):
    data = pq.ParquetFile(f'{{root}}/data/chunk-000/file-00{{k}}.parquet')
    assert data.num_row_groups == 2
    table = data.read()
    assert [(f.name, str(f.type)) for f in table.schema] == [
        ('observation.state', 'list<element: float>'), ('action', 'list<element: float>'), ('timestamp', 'float'),
        ('frame_index', 'int64'), ('episode_index', 'int64'), ('index', 'int64'), ('task_index', 'int64')], table.schema
    expected = numpy.concatenate([numbers(i, 0, 3) for i in part])
    assert (numpy.array(table['observation.state'].to_pylist()) == expected).all()
    assert table['task_index'].to_pylist() == [i % 2 for i in part for _ in range(STEPS[i])]
    rows = pq.read_table(f'{{root}}/meta/episodes/chunk-000/file-00{{k}}.parquet').to_pylist()
    assert [row['length'] for row in rows] == [STEPS[i] for i in part]
    assert [row['data/file_index'] for row in rows] == [k, k]
    assert rows[1]['stats/action/max'] == list(numbers(part[1], 1, 2).max(0))
tasks = pq.read_table(f'{{root}}/meta/tasks.parquet')
assert json.loads(tasks.schema.metadata[b'pandas'])['index_columns'] == ['task']
print('same')
"
    );
    if let Some(printed) = python(&["pyarrow", "numpy"], &script, &[&path]) {
        assert_eq!(printed.trim(), "same");
    }
}

/// Many strangers compress with zstd.
#[test]
fn lerobot_files_that_pyarrow_compressed_with_zstd_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("set");
    write(Format::LeRobot, &path);
    let expected = read(&path).unwrap();
    let script = "
import pyarrow.parquet as pq, pathlib, sys
for file in sorted(pathlib.Path(sys.argv[1]).rglob('*.parquet')):
    table = pq.read_table(file)
    pq.write_table(table, file, compression='zstd')
    assert pq.ParquetFile(file).metadata.row_group(0).column(0).compression == 'ZSTD'
print('done')
";
    if let Some(printed) = python(&["pyarrow"], script, &[&path]) {
        assert_eq!(printed.trim(), "done");
        assert!(read(&path).unwrap() == expected, "other numbers");
    }
}

/// Damaged anywhere, a file gives numbers or an error.
#[test]
fn damaged_lerobot_files_never_panic() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("set");
    let mut sink = Format::LeRobot.append(&path, &schema()).unwrap();
    sink.push(&episode(0, 3)).unwrap();
    sink.push(&episode(1, 4)).unwrap();
    sink.commit().unwrap();
    let files = [
        "data/chunk-000/file-000.parquet",
        "meta/episodes/chunk-000/file-000.parquet",
        "meta/tasks.parquet",
    ];
    for file in files {
        let tasks = file == "meta/tasks.parquet";
        let file = path.join(file);
        let bytes = fs::read(&file).unwrap();
        let touch = || match tasks {
            true => drop(Format::LeRobot.append(&path, &schema())),
            false => drop(read(&path)),
        };
        for at in (0..bytes.len()).step_by(bytes.len().div_ceil(150)) {
            for value in [0, 0xff, bytes[at] ^ 1, bytes[at].wrapping_add(0x40)] {
                let mut spoilt = bytes.clone();
                spoilt[at] = value;
                fs::write(&file, &spoilt).unwrap();
                touch();
            }
            fs::write(&file, &bytes[..at]).unwrap();
            touch();
        }
        fs::write(&file, bytes).unwrap();
    }
    assert_eq!(read(&path).unwrap(), [episode(0, 3), episode(1, 4)]);
}

#[test]
fn hostile_lerobot_metadata_are_errors() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("set");
    write(Format::LeRobot, &path);
    let spoil = [
        ("meta/info.json", "v3.0", "v2.1"),
        ("meta/info.json", "\"fps\": 50", "\"fps\": 0"),
        ("meta/info.json", "\"fps\": 50", "\"fps\": 1e300"),
        ("meta/info.json", "\"total_episodes\": 4", "\"total_episodes\": 5"),
        ("meta/info.json", "\"total_frames\": 2723", "\"total_frames\": 27"),
        ("meta/info.json", "\"chunks_size\": 1000", "\"chunks_size\": 0"),
        ("meta/info.json", "data/chunk", "../chunk"),
        ("meta/info.json", "        3\n", "        99999999999\n"),
        ("meta/info.json", "        3\n", "        0\n"),
        ("meta/info.json", "        3\n", "        4\n"),
        ("meta/info.json", "observation.state", "observation.other"),
        ("meta/dextra.jsonl", "lift", "drop"),
    ];
    for (file, from, to) in spoil {
        let file = path.join(file);
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{file:?} has no {from}");
        fs::write(&file, text.replacen(from, to, 1)).unwrap();
        let error = read(&path).err().unwrap_or_else(|| panic!("{file:?}: {to} is taken"));
        assert!(error.to_string().contains("set"), "{error}");
        fs::write(&file, text).unwrap();
    }
    assert_eq!(read(&path).unwrap().len(), 4);
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

#[test]
fn h5py_sees_the_same_numbers_where_robomimic_looks() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("set.hdf5");
    write(Format::Hdf5, &path);
    let script = format!(
        "{NUMBERS}
import h5py, json
file = h5py.File(sys.argv[1], 'r')
data = file['data']
environment = json.loads(data.attrs['env_args'])
assert environment['env_name'] == 'dextra' and environment['type'] == 2 and 'env_kwargs' in environment
assert data.attrs['total'] == sum(STEPS) and len(data) == 4
for i in range(4):
    demo, states = data[f'demo_{{i}}'], numbers(i, 0, 3)
    assert demo.attrs['num_samples'] == STEPS[i]
    assert demo['actions'].dtype == numpy.float32 and (demo['actions'][:] == numbers(i, 1, 2)).all()
    assert (demo['obs/state'][:] == states).all()
    assert (demo['next_obs/state'][:] == numpy.concatenate([states[1:], states[-1:]])).all()
    done = [0] * (STEPS[i] - 1) + [1]
    assert demo['dones'][:].tolist() == done and demo['rewards'][:].tolist() == done
assert json.loads(file['dextra/episodes'][1])['task'] == 'größer: push \"it\"'
print('same')
"
    );
    if let Some(printed) = python(&["h5py", "numpy"], &script, &[&path]) {
        assert_eq!(printed.trim(), "same");
    }
}

#[test]
fn what_h5py_wrote_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("demo.hdf5");
    let script = format!(
        "{NUMBERS}
import h5py
with h5py.File(sys.argv[1], 'w') as file:
    data = file.create_group('data')
    data.attrs['total'] = sum(STEPS)
    for i in range(3, -1, -1):
        demo = data.create_group(f'demo_{{i}}')
        demo.attrs['num_samples'] = STEPS[i]
        demo.create_dataset('actions', data=numbers(i, 1, 2))
        demo.create_dataset('obs/state', data=numbers(i, 0, 3).astype('f4'), chunks=True, compression='gzip')
        demo.create_dataset('obs/image', data=numpy.zeros((STEPS[i], 2, 2, 3), 'u1'))
print('written')
"
    );
    if python(&["h5py", "numpy"], &script, &[&path]).is_none() {
        return;
    }
    let (_, mut source) = open(&path).unwrap();
    for (index, steps) in STEPS.into_iter().enumerate() {
        let (found, ours) = (source.episode(index).unwrap(), episode(index, steps));
        assert!(found.values[0] == ours.values[1] && found.values[1] == ours.values[0]);
        assert_eq!((found.values.len(), found.record), (2, None));
    }
}

#[test]
fn damaged_hdf5_files_never_panic() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("set.hdf5");
    let mut sink = Format::Hdf5.append(&path, &schema()).unwrap();
    sink.push(&episode(0, 3)).unwrap();
    sink.push(&episode(1, 4)).unwrap();
    sink.commit().unwrap();
    let bytes = fs::read(&path).unwrap();
    for at in (0..bytes.len()).step_by(bytes.len().div_ceil(300)) {
        for value in [0, 0xff, bytes[at] ^ 1, bytes[at].wrapping_add(0x40)] {
            let mut spoilt = bytes.clone();
            spoilt[at] = value;
            fs::write(&path, &spoilt).unwrap();
            drop(read(&path));
        }
        fs::write(&path, &bytes[..at]).unwrap();
        drop(read(&path));
    }
    fs::write(&path, bytes).unwrap();
    assert_eq!(read(&path).unwrap(), [episode(0, 3), episode(1, 4)]);
}

/// In a process of its own, as [`a_killed_writer_leaves_a_readable_dataset`] starts it.
#[test]
fn a_writer_that_goes_on_until_it_is_killed() {
    let Some(path) = std::env::var_os("DEXTRA_TEST_KILLED_WRITER") else { return };
    let path = Path::new(&path);
    let format = Format::ALL.into_iter().find(|f| path.ends_with(f.name())).unwrap();
    for index in open(path).map_or(0, |(_, source)| source.entries().len()).. {
        let mut sink = format.append(path, &schema()).unwrap();
        sink.push(&episode(index, 300 + index)).unwrap();
        sink.commit().unwrap();
    }
}

#[cfg(unix)]
#[test]
fn a_killed_writer_leaves_a_readable_dataset() {
    let dir = tempfile::tempdir().unwrap();
    for format in Format::ALL {
        let path = dir.path().join(format.name());
        let mut count = 0;
        // Longer ones where a busy machine lets no writer come to a commit in those.
        let longer = (0..7).map(|doublings| 400 << doublings);
        for (round, delay) in
            [20, 35, 50, 90, 140, 210, 80, 60].into_iter().chain(longer).enumerate()
        {
            if round >= 8 && count > 0 {
                break;
            }
            let mut writer = std::process::Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "datasets::a_writer_that_goes_on_until_it_is_killed"])
                .env("DEXTRA_TEST_KILLED_WRITER", &path)
                .stdout(std::process::Stdio::null())
                .spawn()
                .unwrap();
            std::thread::sleep(std::time::Duration::from_millis(delay));
            writer.kill().unwrap();
            assert!(!writer.wait().unwrap().success(), "the writer ended by itself");
            let episodes = if path.exists() { read(&path).unwrap() } else { Vec::new() };
            assert!(episodes.len() >= count, "{format:?}");
            count = episodes.len();
            for (index, found) in episodes.iter().enumerate() {
                assert!(*found == episode(index, 300 + index), "{format:?}");
            }
        }
        assert!(count > 0, "{format:?}: no writer came to a commit");
    }
}
