"""Our retargeter beside dex-retargeting (PyPI), on one clip and on the same objective, in one run.

    pip install dex-retargeting torch
    cargo build --release -p dextra-motion --example retarget_clip
    python crates/dextra-motion/benches/retarget_vs_dex_retargeting.py CLIP.pkl [--hands allegro,shadow]

CLIP.pkl is a pickled list of float arrays [21, 3], wrist-centred in the MANO wrist frame (fingers along
+z, palm towards +x), metres; dex-retargeting's example clip is one. Only open pickles you trust.

Both sides get the kinematics of our built-in hands: ours from the model, theirs from a URDF that our
side writes. Both minimise dex-retargeting's objective: the smooth-L1 distance (radius 2 cm) between
robot and human points, plus 0.004 |q - q_previous|^2. `vector`: wrist-to-fingertip vectors, wrist fixed,
scaled so that stretched robot fingers are on average as long as the human's. `position`: fingertips and middle joints,
wrist free. The result of either side is judged by the same code: Pinocchio's forward kinematics and the
formula of dex-retargeting, with each side's own previous frame in the pull.
"""

import argparse
import json
import os
import pickle
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from xml.etree import ElementTree

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pinocchio as pin
import torch
from dex_retargeting.retargeting_config import RetargetingConfig

torch.set_num_threads(1)

ROOT = Path(__file__).resolve().parents[3]
TIPS = [4, 8, 12, 16, 20]
MIDDLE = [2, 6, 10, 14, 18]
HUBER, NORM_DELTA = 0.02, 0.004


# Where the build put the engine's library; an example, unlike the installed program, has no path to it.
LIBRARIES = ":".join(map(str, ROOT.glob("target/mujoco-*"))) + ":" + os.environ.get("LD_LIBRARY_PATH", "")


def ours(binary, *args):
    environment = os.environ | {"LD_LIBRARY_PATH": LIBRARIES}
    command = [binary, *map(str, args)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return json.loads(done.stdout) if done.stdout.strip() else None


def smooth_l1(d):
    d = np.abs(d)
    return np.where(d < HUBER, 0.5 * d * d / HUBER, d - 0.5 * HUBER)


class Judge:
    """Positions of links by Pinocchio."""

    def __init__(self, urdf, links):
        self.model = pin.buildModelFromUrdf(urdf)
        self.data = self.model.createData()
        self.names = [n for n in self.model.names if n != "universe"]
        self.links = [self.model.getFrameId(name) for name in links]

    def points(self, names, q):
        pin.forwardKinematics(self.model, self.data, np.array([q[names.index(n)] for n in self.names]))
        return np.stack([pin.updateFramePlacement(self.model, self.data, i).translation.copy() for i in self.links])


def compare(hand, mode, clip, binary, folder):
    urdf = str(folder / f"{hand}.urdf")
    root_from_palm = np.array(ours(binary, "urdf", hand, urdf)).reshape(3, 3)
    # MANO's palm frame has x (fingers) along +z and z (out of the palm) along +x.
    mano_from_palm = np.array([[0, 0, 1], [0, -1, 0], [1, 0, 0]], float)
    human = clip @ (root_from_palm @ mano_from_palm.T).T
    raw = folder / "clip.f64"
    human.astype("<f8").tofile(raw)

    model = pin.buildModelFromUrdf(urdf)
    names = [n for n in model.names if n != "universe"]
    present = [k for k in TIPS + MIDDLE if model.existFrame(f"kp{k}", pin.BODY)]
    vector = mode == "vector"
    used = [k for k in present if k in TIPS or not vector]
    tasks = [f"kp{k}" for k in used]
    scale = 1.0
    if vector:
        stretched = Judge(urdf, ["origin"] + tasks).points(names, np.zeros(len(names)))
        reach = np.linalg.norm(stretched[1:] - stretched[0], axis=1)
        scale = float(np.mean(reach / np.linalg.norm(human[:, used] - human[:, [0]], axis=2).max(0)))
    joints = [j for j in ElementTree.parse(urdf).getroot().iter("joint") if j.get("type") == "revolute"]
    active = [j.get("name") for j in joints if j.find("mimic") is None]
    config = dict(
        type=mode,
        urdf_path=urdf,
        target_joint_names=active,
        low_pass_alpha=1.0,
        huber_delta=HUBER,
        normal_delta=NORM_DELTA,
    )
    if vector:
        config |= dict(
            target_origin_link_names=["origin"] * len(used),
            target_task_link_names=tasks,
            target_link_human_indices=np.array([[0] * len(used), used]),
            scaling_factor=scale,
        )
    else:
        config |= dict(
            target_link_names=tasks,
            target_link_human_indices=np.array(used),
            add_dummy_free_joint=True,
        )
    theirs = RetargetingConfig.from_dict(config).build()
    # By default it may leave the joint limits by 1e-3 rad; both sides get the same box.
    theirs.optimizer.set_joint_limit(theirs.joint_limits, epsilon=0.0)
    references = human[:, used] - human[:, [0]] if vector else human[:, used]
    rows = []
    start = time.perf_counter()
    for reference in references:
        rows.append(theirs.retarget(reference))
    seconds_theirs = time.perf_counter() - start
    their_names, their_rows = theirs.joint_names, np.array(rows, float)

    out = folder / "out.f64"
    timing = ours(binary, "solve", hand, mode, scale, raw, out)
    our_rows = np.fromfile(out, "<f8").reshape(len(clip), -1)
    our_names = [j.get("name") for j in joints]

    judge = Judge(urdf, tasks)
    origin = Judge(urdf, ["origin"])
    dummies = [n for n in their_names if n.startswith("dummy")]

    def value(points, x, previous, target):
        gap = points - target
        data = smooth_l1(np.linalg.norm(gap, axis=1) if vector else gap).mean()
        return data, data + NORM_DELTA * np.sum((x - previous) ** 2), np.linalg.norm(gap, axis=1)[: len(TIPS)]

    def report(points, moving):
        """Mean over frames but the first, whose start differs."""
        targets = references * scale
        values = [value(points[t], moving[t], moving[t - 1], targets[t]) for t in range(1, len(clip))]
        data, total = (np.mean([v[i] for v in values]) for i in (0, 1))
        tips = sum(k in TIPS for k in used)
        return data, total, 1e3 * np.mean([v[2][:tips].mean() for v in values])

    def free_points(row):
        model_with_wrist = theirs.optimizer.robot
        model_with_wrist.compute_forward_kinematics(row)
        return np.stack(
            [model_with_wrist.get_link_pose(model_with_wrist.get_link_index(name))[:3, 3] for name in tasks]
        )

    def at_wrist(names, q):
        points = judge.points(names, q)
        return points - origin.points(names, q) if vector else points

    if vector:
        points_theirs = [at_wrist(their_names, q) for q in their_rows]
    else:
        points_theirs = [free_points(q) for q in their_rows]
    points_ours = []
    for row in our_rows:
        rotation = pin.Quaternion(*row[3:7]).toRotationMatrix()
        points = at_wrist(our_names, row[7:])
        points_ours.append(points if vector else points @ rotation.T + row[:3])

    independent = [our_names.index(n) for n in active]
    moving_ours = our_rows[:, [7 + i for i in independent]]
    moving_theirs = their_rows[:, [their_names.index(n) for n in active]]
    if not vector:
        # The wrist is part of both sides' pull; its rotation is theirs as Euler angles, ours as the
        # rotation vector between frames, so that sums of its steps stand for it here.
        moving_theirs = np.hstack([their_rows[:, [their_names.index(n) for n in dummies]], moving_theirs])
        turns = [np.zeros(3)]
        for a, b in zip(our_rows, our_rows[1:]):
            qa, qb = (pin.Quaternion(*r[3:7]) for r in (a, b))
            turns.append(turns[-1] + pin.log3((qa.inverse() * qb).toRotationMatrix()))
        moving_ours = np.hstack([our_rows[:, :3], np.array(turns), moving_ours])

    limit = np.array([[float(j.find("limit").get(s)) for s in ("lower", "upper")] for j in joints])
    angles = our_rows[:, 7:]
    assert np.all(angles >= limit[:, 0] - 1e-9) and np.all(angles <= limit[:, 1] + 1e-9), "limits"
    # Both from the same start: each frame of ours once more, from their previous angles.
    same = ""
    if vector:
        order = [their_names.index(n) for n in our_names]
        before = np.vstack([their_rows[:1], their_rows[:-1]])[:, order]
        before.astype("<f8").tofile(folder / "before.f64")
        ours(binary, "solve", hand, mode, scale, raw, out, folder / "before.f64")
        again = np.fromfile(out, "<f8").reshape(len(clip), -1)[:, 7:]
        gaps = []
        for t in range(1, len(clip)):
            last = before[t][independent]
            target = references[t] * scale
            at = value(at_wrist(our_names, again[t]), again[t][independent], last, target)[1]
            gaps.append(at - value(points_theirs[t], moving_theirs[t], last, target)[1])
        gaps = np.array(gaps)
        same = f"{1e3 * gaps.mean():+.4f}, lower in {100 * np.mean(gaps < 0):.0f} %"
    data_t, total_t, tip_t = report(points_theirs, moving_theirs)
    data_o, total_o, tip_o = report(points_ours, moving_ours)
    hz_t, hz_o = len(clip) / seconds_theirs, timing["frames"] / timing["seconds"]
    print(
        f"| {hand} | {mode} | {hz_t:.0f} | {hz_o:.0f} | {hz_o / hz_t:.0f} | {1e3 * data_t:.3f} | {1e3 * data_o:.3f} "
        f"| {1e3 * total_t:.3f} | {1e3 * total_o:.3f} | {tip_t:.2f} | {tip_o:.2f} | {same} |",
        flush=True,
    )
    return total_o <= total_t * 1.001


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--hands", default="allegro,leap,shadow,inspire")
    parser.add_argument("--binary", type=Path, default=ROOT / "target/release/examples/retarget_clip")
    args = parser.parse_args()
    if not args.binary.exists():
        sys.exit(f"{args.binary} is not there: build it as the first lines of this file say")
    with open(args.clip, "rb") as file:
        clip = np.array(pickle.load(file), float)
    binary = str(args.binary)
    print(f"{len(clip)} frames; load average before {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")
    print("| hand | objective | Hz dex-retargeting | Hz dextra | ratio | data term x1e3 theirs | ours "
          "| objective x1e3 theirs | ours | tip gap mm theirs | ours | x1e3 from the same start: ours - theirs |")
    print("|---|---|---|---|---|---|---|---|---|---|---|---|")
    good = True
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        for hand in args.hands.split(","):
            for mode in ("vector", "position"):
                good &= compare(hand, mode, clip, binary, folder)
        print("\nThe whole retargeter (all keypoints, palm, rest, limits, smoothness), Hz:\n")
        print("| hand | this clip, no object | bottle | mug |\n|---|---|---|---|")
        for hand in args.hands.split(","):
            root_from_palm = np.array(ours(binary, "urdf", hand, folder / "hand.urdf")).reshape(3, 3)
            clip.astype("<f8").tofile(folder / "clip.f64")
            runs = [ours(binary, "solve", hand, "full", 1, folder / "clip.f64", folder / "out.f64")]
            runs += [ours(binary, "clip", hand, name) for name in ("bottle", "mug")]
            print(f"| {hand} | " + " | ".join(f"{r['frames'] / r['seconds']:.0f}" for r in runs) + " |", flush=True)
    print(f"\nload average after {os.getloadavg()[0]:.1f}")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
