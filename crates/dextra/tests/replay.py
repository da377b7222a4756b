"""Plays the result of a transfer again in stock MuJoCo and compares the objects' poses.

    pip install mujoco==3.17.0
    python crates/dextra/tests/replay.py out/cube/mjcf

The folder holds scene.xml and replay.npz; docs/formats.md describes them. Prints the largest
difference over all steps and objects and exits with status 1 when one is above 1e-6 (metres, or
components of a quaternion), 2 when the files are not what the formats promise.
"""

import sys
from pathlib import Path

import mujoco
import numpy

TOLERANCE = 1e-6
# Everything a replay needs, and the provenance that every archive of dextra carries.
NUMBERS = {"qpos0", "qvel0", "ctrl", "object_pos", "object_quat_wxyz"}
TEXTS = {"object_body", "mujoco_version", "source", "licence", "inputs_sha256", "dextra_version"}
INTEGERS = {"seed"}


def check(condition, problem):
    if not condition:
        print(problem, file=sys.stderr)
        sys.exit(2)


def load(path):
    with numpy.load(path, allow_pickle=False) as archive:
        replay = {key: archive[key] for key in archive.files}
    check(set(replay) == NUMBERS | TEXTS | INTEGERS, f"{path}: the keys are {sorted(replay)}")
    for key in NUMBERS:
        array = replay[key]
        check(array.dtype == numpy.dtype("<f8"), f"{path}: {key} is {array.dtype}")
        check(numpy.isfinite(array).all(), f"{path}: {key} is not finite")
    for key in TEXTS:
        check(replay[key].dtype.kind == "U", f"{path}: {key} is {replay[key].dtype}")
    for key in INTEGERS:
        check(replay[key].dtype == numpy.dtype("<i8"), f"{path}: {key} is {replay[key].dtype}")
    return replay


def check_shapes(replay, model):
    steps, objects = len(replay["ctrl"]), len(replay["object_body"])
    check(steps > 0 and objects > 0, f"{steps} steps, {objects} objects")
    expected = {
        "qpos0": (model.nq,),
        "qvel0": (model.nv,),
        "ctrl": (steps, model.nu),
        "object_body": (objects,),
        "object_pos": (steps + 1, objects, 3),
        "object_quat_wxyz": (steps + 1, objects, 4),
        "mujoco_version": (),
        "seed": (),
        "inputs_sha256": (len(replay["inputs_sha256"]), 2),
    }
    for key, shape in expected.items():
        check(replay[key].shape == shape, f"{key}: shape {replay[key].shape}, not {shape}")


def difference(replay, model):
    """Largest difference of a coordinate, over every state from the first to the last."""
    bodies = [model.body(str(name)).id for name in replay["object_body"]]
    data = mujoco.MjData(model)
    data.qpos[:] = replay["qpos0"]
    data.qvel[:] = replay["qvel0"]
    # Poses are read from a second state, so that nothing but mj_step touches the one that plays.
    shown = mujoco.MjData(model)
    worst = 0.0
    for state in range(len(replay["ctrl"]) + 1):
        if state > 0:
            data.ctrl[:] = replay["ctrl"][state - 1]
            mujoco.mj_step(model, data)
        shown.qpos[:] = data.qpos
        mujoco.mj_kinematics(model, shown)
        quat, saved = shown.xquat[bodies], replay["object_quat_wxyz"][state]
        # A quaternion and its negative are the same rotation.
        turned = numpy.minimum(abs(quat - saved).max(axis=1), abs(quat + saved).max(axis=1))
        moved = abs(shown.xpos[bodies] - replay["object_pos"][state])
        worst = max(worst, turned.max(), moved.max())
    return worst


def main():
    folder = Path(sys.argv[1])
    replay = load(folder / "replay.npz")
    version = str(replay["mujoco_version"])
    check(version == mujoco.__version__, f"made by MuJoCo {version}, this is {mujoco.__version__}")
    model = mujoco.MjModel.from_xml_path(str(folder / "scene.xml"))
    check_shapes(replay, model)
    worst = difference(replay, model)
    lifted = numpy.ptp(replay["object_pos"][:, :, 2], axis=0).max()
    print(f"steps {len(replay['ctrl'])} difference {worst:.3e} lifted_m {lifted:.3f}")
    sys.exit(0 if worst <= TOLERANCE else 1)


if __name__ == "__main__":
    main()
