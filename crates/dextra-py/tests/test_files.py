"""Files and verbs, against numpy's own reading and stock MuJoCo."""

import json
import os
import signal
import threading
import time

import dextra
import mujoco
import numpy as np
import pytest


def test_a_built_in_clip_is_whole():
    clip = dextra.load_clip("cube")
    frames = len(clip.objects[0].pos_m)
    assert clip.hands[0].keypoints_m.shape == (frames, 21, 3)
    cube = clip.objects[0]
    assert np.allclose(np.linalg.norm(cube.quat_wxyz, axis=1), 1)
    assert np.allclose(np.ptp(cube.vertices_m, axis=0), 0.06)
    assert cube.faces.min() == 0 and cube.faces.max() == len(cube.vertices_m) - 1
    assert not cube.pos_m.flags.writeable
    # A closed surface has every edge twice, once in each direction.
    edges = np.concatenate([cube.faces[:, [0, 1]], cube.faces[:, [1, 2]], cube.faces[:, [2, 0]]])
    assert {tuple(e) for e in edges} == {tuple(e[::-1]) for e in edges}


def test_what_is_printed_is_short():
    clip = dextra.load_clip("cube")
    told = repr(clip)
    frames = len(clip.objects[0].pos_m)
    assert f"pos_m=float64[{frames}, 3]" in told and "name='cube'" in told and len(told) < 1500
    assert {"Env", "VectorEnv", "load_clip"} <= set(dir(dextra))


def test_a_clip_file_is_read_as_numpy_reads_it(tmp_path):
    rng = np.random.default_rng(0)
    built_in = dextra.load_clip("cube")
    points, cube = built_in.hands[0].keypoints_m, built_in.objects[0]
    mesh = tmp_path / "cube.obj"
    lines = [f"v {x:.9f} {y:.9f} {z:.9f}" for x, y, z in cube.vertices_m]
    mesh.write_text("\n".join(lines + ["f " + " ".join(str(i + 1) for i in face) for face in cube.faces]))
    path = tmp_path / "mine.npz"
    shifted = points + rng.normal(scale=1e-4, size=points.shape)
    np.savez(path, joints21=shifted, obj_pos=cube.pos_m, obj_quat_wxyz=cube.quat_wxyz, fps=60.0)
    clip = dextra.load_clip(path, options={"mesh": mesh, "unit": "m", "side": "right", "up_axis": "z"})
    assert np.allclose(clip.hands[0].keypoints_m, shifted, atol=1e-6)
    assert np.allclose(clip.objects[0].pos_m, cube.pos_m, atol=1e-6)
    assert clip.fps_hz == 60 and clip.name == "mine"
    with pytest.raises(dextra.DextraError, match="mine.npz"):
        path.write_bytes(path.read_bytes()[:200])
        dextra.load_clip(path)


def test_errors_have_the_words_of_the_command():
    with pytest.raises(dextra.DextraError, match="cannot use the clip cub: .*handover"):
        dextra.load_clip("cub")
    with pytest.raises(dextra.DextraError, match="cannot use the hand hook"):
        dextra.retarget("cube", "hook")


def test_archives_are_read_as_numpy_reads_them(result):
    out, report, said = result
    assert report["status"] == "accepted" and report == {**json.loads((out / "report.json").read_text())}
    assert said == ["read", "objects", "retarget", "refine", "evaluate", *report["details"]["notes"]]
    for read, name in ((dextra.load_motion, "motion.npz"), (dextra.load_rollout, "rollout.npz")):
        ours = read(out / name).arrays
        with np.load(out / name) as theirs:
            assert set(ours) == set(theirs.files)
            for key in ours:
                assert ours[key].shape == theirs[key].shape, key
                gaps = theirs[key].dtype.kind == "f"  # NaN where the motion was planned
                assert np.array_equal(ours[key], theirs[key], equal_nan=gaps), key


def test_retargeting_is_the_one_of_the_transfer(result):
    out, _, _ = result
    alone, within = dextra.retarget("cube", "allegro"), dextra.load_motion(out / "motion.npz")
    assert np.array_equal(alone.hands["right"].joints_rad, within.hands["right"].joints_rad)
    assert alone.hands["right"].joint_names == within.hands["right"].joint_names


def test_stock_mujoco_replays_the_rollout(result):
    out, _, _ = result
    rollout = dextra.load_rollout(out / "rollout.npz")
    model = mujoco.MjModel.from_xml_path(str(out / "mjcf" / "scene.xml"))
    data = mujoco.MjData(model)
    data.qpos[:] = rollout.qpos[0]
    with np.load(out / "mjcf" / "replay.npz") as replay:
        data.qvel[:] = replay["qvel0"]
    assert model.opt.timestep == rollout.timestep_s
    for row, wanted in zip(rollout.ctrl, rollout.qpos[1:]):
        data.ctrl[:] = row
        mujoco.mj_step(model, data)
        assert np.allclose(data.qpos, wanted, atol=1e-6)


def test_a_damaged_rollout_is_refused(result, tmp_path):
    out, _, _ = result
    with np.load(out / "rollout.npz") as whole:
        arrays = {key: whole[key] for key in whole.files}
    arrays["ctrl"] = arrays["ctrl"][:-1]
    np.savez(tmp_path / "short.npz", **arrays)
    with pytest.raises(dextra.DextraError, match="short.npz.*ctrl"):
        dextra.load_rollout(tmp_path / "short.npz")


def test_other_threads_run_and_ctrl_c_ends_a_transfer(tmp_path):
    turns = []

    def interrupt(stage):
        if stage == "refine":
            threading.Thread(target=turn).start()

    def turn():
        for _ in range(20):
            turns.append(time.monotonic())
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        dextra.transfer("cube", "shadow", tmp_path, progress=interrupt)
    assert len(turns) == 20
    assert not (tmp_path / "report.json").exists()
