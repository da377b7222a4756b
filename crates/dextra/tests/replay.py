"""Plays the result of a transfer again in stock MuJoCo and compares the objects' poses.

    pip install mujoco==3.17.0
    python crates/dextra/tests/replay.py out/cube/mjcf

The folder holds scene.xml and replay.npz; docs/formats.md describes them. Where rollout.npz stands
beside the folder, its contacts between hands and objects are compared as well. Prints the largest
difference over all steps and exits with status 1 when one is above 1e-6 (metres, newtons, or
components of a quaternion or of a unit vector), 2 when the files are not what the formats promise.
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


def touches(data, model, objects):
    """Contacts of hands with objects in the last step: object, point, normal into it, force, friction."""
    table = model.body("table").id
    rows, force = [], numpy.zeros(6)
    for index, contact in enumerate(data.contact):
        if contact.exclude != 0 or contact.geom.min() < 0:
            continue
        # A part of an object is a body of its own under the one it belongs to.
        bodies = model.geom_bodyid[contact.geom]
        first, second = (b if b in objects else model.body_rootid[b] for b in bodies)
        if table in (first, second) or (first in objects) == (second in objects):
            continue
        body, sign = (second, 1) if second in objects else (first, -1)
        mujoco.mj_contactForce(model, data, index, force)
        friction = [contact.friction[0], contact.friction[2] if contact.dim > 3 else 0.0]
        row = [objects.index(body), *contact.pos, *(sign * contact.frame[:3]), force[0], *friction]
        rows.append(row)
    return numpy.array(rows).reshape(-1, 10)


def saved_touches(path):
    """The same columns from rollout.npz, and the step of each row; None without the file."""
    if not path.is_file():
        return None
    with numpy.load(path, allow_pickle=False) as archive:
        columns = ["object", "pos_m", "normal", "force_n", "friction", "torsion_m"]
        rows = numpy.column_stack([archive[f"touch_{name}"] for name in columns])
        return archive["touch_step"], rows


def difference(replay, model, kept):
    """Largest difference of a coordinate, over every state from the first to the last, and of a number
    of a contact with what was saved."""
    bodies = [model.body(str(name)).id for name in replay["object_body"]]
    data = mujoco.MjData(model)
    data.qpos[:] = replay["qpos0"]
    data.qvel[:] = replay["qvel0"]
    # Poses are read from a second state, so that nothing but mj_step touches the one that plays.
    shown = mujoco.MjData(model)
    worst, touched = 0.0, 0.0
    for state in range(len(replay["ctrl"]) + 1):
        if state > 0:
            data.ctrl[:] = replay["ctrl"][state - 1]
            mujoco.mj_step(model, data)
            if kept is not None:
                here, there = touches(data, model, bodies), kept[1][kept[0] == state - 1]
                counts = f"{len(there)} touches saved, {len(here)} found"
                check(here.shape == there.shape, f"step {state - 1}: {counts}")
                touched = max(touched, abs(here - there).max(initial=0.0))
        shown.qpos[:] = data.qpos
        mujoco.mj_kinematics(model, shown)
        quat, saved = shown.xquat[bodies], replay["object_quat_wxyz"][state]
        # A quaternion and its negative are the same rotation.
        turned = numpy.minimum(abs(quat - saved).max(axis=1), abs(quat + saved).max(axis=1))
        moved = abs(shown.xpos[bodies] - replay["object_pos"][state])
        worst = max(worst, turned.max(), moved.max())
    return worst, touched


def main():
    folder = Path(sys.argv[1])
    replay = load(folder / "replay.npz")
    version = str(replay["mujoco_version"])
    check(version == mujoco.__version__, f"made by MuJoCo {version}, this is {mujoco.__version__}")
    model = mujoco.MjModel.from_xml_path(str(folder / "scene.xml"))
    check_shapes(replay, model)
    saved = saved_touches(folder.parent / "rollout.npz")
    worst, touched = difference(replay, model, saved)
    lifted = numpy.ptp(replay["object_pos"][:, :, 2], axis=0).max()
    count = 0 if saved is None else len(saved[0])
    said = f"steps {len(replay['ctrl'])} difference {worst:.3e} lifted_m {lifted:.3f}"
    print(f"{said} touches {count} touch_difference {touched:.3e}")
    sys.exit(0 if max(worst, touched) <= TOLERANCE else 1)


if __name__ == "__main__":
    main()
