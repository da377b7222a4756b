"""Checks an export of a one-handed result with an FR3 in stock MuJoCo: python robot.py RESULT EXPORT.

The arm is written down here a second time, as the chain of joint origins of its published URDF and not by the table of
Denavit and Hartenberg that the export uses. At every state of the rollout the flange, at the joint angles of the table,
must be where the hand's root body was in the replayed scene. Prints the largest differences; exit status 1 when there is
one above 0.2 mm or 0.05 deg.
"""

import json
import pathlib
import sys

import mujoco
import numpy as np

ORIGINS = [  # position, and turn about x in right angles
    ((0, 0, 0.333), 0),
    ((0, 0, 0), -1),
    ((0, -0.316, 0), 1),
    ((0.0825, 0, 0), 1),
    ((-0.0825, 0.384, 0), -1),
    ((0, 0, 0), 1),
    ((0.088, 0, 0), 1),
]


def arm_xml(pos, yaw_deg):
    quat = (np.cos(np.radians(yaw_deg) / 2), 0, 0, np.sin(np.radians(yaw_deg) / 2))
    text = lambda numbers: " ".join(repr(float(n)) for n in numbers)
    inertia = '<inertial pos="0 0 0" mass="1" diaginertia="1 1 1"/>'
    xml = f'<mujoco><compiler angle="radian"/><worldbody><body pos="{text(pos)}" quat="{text(quat)}">{inertia}'
    for origin, turns in ORIGINS:
        half = turns * np.pi / 4
        xml += f'<body pos="{text(origin)}" quat="{text((np.cos(half), np.sin(half), 0, 0))}">{inertia}<joint axis="0 0 1"/>'
    return xml + '<site name="flange" pos="0 0 0.107"/>' + "</body>" * 8 + "</worldbody></mujoco>"


def rotation(quat):
    matrix = np.zeros(9)
    mujoco.mju_quat2Mat(matrix, np.asarray(quat, dtype=float))
    return matrix.reshape(3, 3)


def main(result, export):
    report = json.loads((export / "robot.json").read_text())
    (arm,) = report["arms"]
    side = arm["side"]
    table = np.genfromtxt(export / f"{side}_arm.csv", delimiter=",", comments="#", skip_header=0, names=None)
    table = table[~np.isnan(table[:, 0])]
    rollout = np.load(result / "rollout.npz")
    scene = mujoco.MjModel.from_xml_path(str(result / "mjcf" / "scene.xml"))
    data = mujoco.MjData(scene)
    wrist = scene.body(f"wrist/{side}").id
    root = next(b for b in range(scene.nbody) if scene.body_parentid[b] == wrist)
    chain = mujoco.MjModel.from_xml_string(arm_xml(arm["base_pos_m"], arm["base_yaw_deg"]))
    joints = mujoco.MjData(chain)
    mount_pos = np.array(arm["root_from_flange_pos_m"])
    mount = rotation(arm["root_from_flange_quat_wxyz"])
    worst_mm, worst_deg, moved = 0.0, 0.0, []
    for state, qpos in enumerate(rollout["qpos"]):
        data.qpos[:] = qpos
        mujoco.mj_kinematics(scene, data)
        root_matrix = data.xmat[root].reshape(3, 3)
        wanted = data.xpos[root] + root_matrix @ mount_pos
        time = (report["rest_s"] + state * float(rollout["timestep_s"])) * report["time_scale"]
        joints.qpos[:] = [np.interp(time, table[:, 0], table[:, 1 + j]) for j in range(7)]
        mujoco.mj_kinematics(chain, joints)
        site = joints.site("flange")
        worst_mm = max(worst_mm, 1000 * np.linalg.norm(site.xpos - wanted))
        off = site.xmat.reshape(3, 3).T @ root_matrix @ mount
        worst_deg = max(worst_deg, np.degrees(np.arccos(np.clip((np.trace(off) - 1) / 2, -1, 1))))
        moved.append(wanted)
    path_m = np.linalg.norm(np.diff(moved, axis=0), axis=1).sum()
    print(f"states {len(moved)} path_m {path_m:.3f} worst_mm {worst_mm:.5f} worst_deg {worst_deg:.5f}")
    return 0 if worst_mm < 0.2 and worst_deg < 0.05 else 1


if __name__ == "__main__":
    sys.exit(main(*map(pathlib.Path, sys.argv[1:3])))
