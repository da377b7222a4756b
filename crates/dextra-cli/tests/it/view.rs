//! `dextra view`: a result as a recording, read back by Rerun's own library.

use crate::results::cube_on_allegro;
use crate::{assert_fails, dextra, python, stderr, stdout};

/// What is in the recording against the arrays of the result.
const READ: &str = r"
import sys
import numpy as np, pyarrow as pa
from rerun.chunk import RrdReader
recording, rollout = sys.argv[1], np.load(sys.argv[2])
found = {}
for chunk in RrdReader(recording).stream().to_chunks():
    batch = chunk.to_record_batch()
    times = batch['time'].cast(pa.int64()).to_pylist() if 'time' in batch.schema.names else None
    for field, column in zip(batch.schema, batch.columns):
        if field.metadata[b'rerun:kind'] == b'data':
            found[chunk.entity_path, field.metadata[b'rerun:component'].decode()] = times, column.to_pylist()
dt = float(rollout['timestep_s'])
def placed(entity, positions, at):
    times, cells = found[entity, 'Transform3D:translation']
    assert len(times) > 50, len(times)
    for time, cell in zip(times, cells):
        k = int(np.argmin(np.abs(at - time * 1e-9)))
        assert abs(at[k] - time * 1e-9) < 1e-6, (entity, time)
        assert np.allclose(cell[0], positions[k], atol=1e-5), (entity, time, cell, positions[k])
states = np.arange(len(rollout['qpos'])) * dt
# The object as simulated, and where the demonstration has it.
placed('/scene/objects/cube', rollout['object_pos'][:, 0], states)
[shadow] = {e for e, _ in found if e.startswith('/scene/demonstration/1')}
placed(shadow, rollout['reference_pos_m'][:, 0], rollout['judged_step'] * dt)
assert any(e.startswith('/scene/right\\ hand/') for e, _ in found), sorted(found)
# Arrows of 1 cm per newton.
times, arrows = found['/scene/contacts', 'Arrows3D:vectors']
for time, row in zip(times, arrows):
    force = rollout['touch_force_n'][rollout['touch_step'] == round(time * 1e-9 / dt)]
    lengths = sorted(np.linalg.norm(row or np.zeros((0, 3)), axis=1))
    assert np.allclose(lengths, sorted(force * 0.01), atol=1e-5), (time, lengths, force)
assert any(len(row) > 1 for row in arrows)
# Curves: the errors as anyone would compute them.
entity = '/plots/1/object'
times, values = found[entity, 'Scalars:scalars']
steps = rollout['judged_step']
error = np.linalg.norm(rollout['object_pos'][steps, 0] - rollout['reference_pos_m'][:, 0], axis=1) * 100
assert np.allclose([v[0] for v in values], error, atol=1e-4)
assert np.allclose(np.array(times) * 1e-9, steps * dt, atol=1e-6)
[text] = found['/verdict', 'TextDocument:text'][1][0]
assert 'accepted' in text, text
print('same')
";

#[test]
fn a_recording_shows_what_the_result_says() {
    let done = &cube_on_allegro().out;
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("cube.rrd");
    let output = dextra().arg("view").arg(done).arg("--out").arg(&out).output().unwrap();
    assert_eq!(stdout(&output), format!("{}\n", out.display()));
    assert!(std::fs::read(&out).unwrap().starts_with(b"RRF2"));
    let Some(mut python) = python(&["numpy", "pyarrow", "rerun.chunk"]) else { return };
    let read = python.args(["-c", READ]).arg(&out).arg(done.join("rollout.npz")).output().unwrap();
    assert!(read.status.success(), "{}", stderr(&read));
    assert_eq!(stdout(&read).trim(), "same");
}

#[test]
fn a_folder_without_a_result_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let output = dextra().arg("view").arg(dir.path()).output().unwrap();
    assert_fails(&output, &["report.json", dir.path().to_str().unwrap()]);
}
