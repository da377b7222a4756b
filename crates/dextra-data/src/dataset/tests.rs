#[path = "../../tests/it/episodes.rs"]
mod episodes;

use super::stage::crash;
use super::*;
use episodes::{episode, schema};
use std::fs;

/// All episodes of a dataset.
fn read(path: &Path) -> Result<Vec<Episode>, DataError> {
    let (_, mut source) = open(path)?;
    (0..source.entries().len()).map(|index| source.episode(index)).collect()
}

fn write(format: Format, path: &Path, episodes: &[Episode]) -> Result<(), DataError> {
    let mut sink = format.append(path, &schema())?;
    for episode in episodes {
        sink.push(episode)?;
    }
    sink.commit()
}

/// Lengths below, at and above those of chunks.
fn some(range: std::ops::Range<usize>) -> Vec<Episode> {
    let steps = [3, 997, 1, 1500, 999, 2600, 2];
    range.map(|index| episode(index, steps[index % steps.len()])).collect()
}

#[test]
fn what_was_written_in_parts_is_read_back_whole() {
    for format in Format::ALL {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out/set");
        for part in [0..1, 1..2, 2..6, 6..7] {
            write(format, &path, &some(part)).unwrap();
        }
        let (found, source) = open(&path).unwrap();
        assert_eq!(found, format);
        assert_eq!(*source.schema(), schema());
        assert_eq!(source.entries()[4].task, "lift the box");
        assert_eq!(source.entries()[4].record.as_ref().unwrap().licence(), "CC-BY-4.0");
        assert!(read(&path).unwrap() == some(0..7), "{format:?}");
        assert_eq!(fs::read_dir(dir.path().join("out")).unwrap().count(), 1, "{format:?}");
    }
}

#[test]
fn a_kill_at_any_step_leaves_the_old_dataset_or_the_new_one() {
    for format in Format::ALL {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("set");
        let (mut begun, mut added, mut kills) = (false, 0, 0);
        // First from nothing, then onto what is there.
        while added < 2 {
            crash::after(Some(kills));
            let result = write(format, &path, &some(added * 3..added * 3 + 3));
            let ended = crash::happened();
            crash::after(None);
            assert_eq!(result.is_err(), ended, "{result:?}");
            let now = if path.exists() { read(&path).unwrap() } else { Vec::new() };
            if now == some(0..added * 3 + 3) {
                added += 1;
                kills = 0;
                begun = true;
                continue;
            }
            assert!(ended && now == some(0..added * 3), "{format:?}, step {kills}");
            assert!(begun || !path.exists());
            kills += 1;
            assert!(kills < 1000);
        }
    }
}

#[test]
fn a_dataset_has_one_writer_at_a_time() {
    for format in Format::ALL {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("set");
        let first = format.append(&path, &schema()).unwrap();
        let error = format.append(&path, &schema()).err().unwrap().to_string();
        assert!(error.contains("another process"), "{error}");
        drop(first);
        write(format, &path, &some(0..2)).unwrap();
        let mut first = format.append(&path, &schema()).unwrap();
        first.push(&episode(2, 1)).unwrap();
        let error = format.append(&path, &schema()).err().unwrap().to_string();
        assert!(error.contains("another process"), "{error}");
        first.commit().unwrap();
        assert_eq!(read(&path).unwrap().len(), 3);
    }
}

#[test]
fn only_what_was_accepted_and_fits_enters() {
    for format in Format::ALL {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("set");
        let mut sink = format.append(&path, &schema()).unwrap();
        let mut wrong = vec![episode(0, 4); 5];
        wrong[0].record = None;
        wrong[1].values[1][3] = f32::NAN;
        wrong[2].values[1].pop();
        wrong[3].values.pop();
        wrong[4].values.iter_mut().for_each(Vec::clear);
        let told = ["acceptance", "`action` at frame 1", "`action`", "1 arrays", "`state`"];
        for (episode, told) in wrong.iter().zip(told) {
            let error = sink.push(episode).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
        sink.push(&episode(0, 4)).unwrap();
        sink.commit().unwrap();
        assert!(read(&path).unwrap() == [episode(0, 4)]);
        let mut other = schema();
        other.features[0].elements[1] = "z_m".to_owned();
        let error = format.append(&path, &other).err().unwrap().to_string();
        assert!(error.contains("`state`") && error.contains("z_m"), "{error}");
    }
}

#[test]
fn a_folder_of_something_else_is_left_alone() {
    for format in Format::ALL {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("notes.txt"), "mine").unwrap();
        assert!(format.append(dir.path(), &schema()).is_err());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        let error = open(dir.path()).err().unwrap().to_string();
        assert!(error.contains("no dataset"), "{error}");
    }
}

#[test]
fn a_schema_that_no_format_can_hold_is_refused() {
    let spoil: [fn(&mut Schema); 6] = [
        |s| s.fps_hz = None,
        |s| s.features[0].name = "a/b".to_owned(),
        |s| s.features[0].name = "action".to_owned(),
        |s| s.features[1].name = "other".to_owned(),
        |s| s.features[0].elements.clear(),
        |s| s.features[0].elements[1] = "x_m".to_owned(),
    ];
    for spoil in spoil {
        let mut schema = schema();
        spoil(&mut schema);
        assert!(schema.check(Path::new("x")).is_err(), "{schema:?}");
    }
}
