"""One contestant of step_bench: mujoco.rollout of the PyPI package.

Arguments: folder with scene.xml and ctrl.f64, worlds, steps, threads. Answers every line on stdin
with "WALL_S CPU_S" of one rollout; after the first, qpos.f64 holds the joint positions.
"""

import sys
import time

import mujoco
import numpy as np
from mujoco import rollout

folder, worlds, steps, threads = sys.argv[1], *map(int, sys.argv[2:5])
model = mujoco.MjModel.from_xml_path(f"{folder}/scene.xml")
ctrl = np.fromfile(f"{folder}/ctrl.f64").reshape(worlds, steps, model.nu)
data = [mujoco.MjData(model) for _ in range(threads)]
spec = mujoco.mjtState.mjSTATE_FULLPHYSICS
start = np.zeros((1, mujoco.mj_stateSize(model, spec)))
mujoco.mj_getState(model, data[0], start[0], spec)
states = np.zeros((worlds, steps, start.shape[1]))
sensors = np.zeros((worlds, steps, model.nsensordata))

with rollout.Rollout(nthread=threads) as pool:
    print(mujoco.__version__, flush=True)
    written = False
    for _ in sys.stdin:
        wall, cpu = time.perf_counter(), time.process_time()
        pool.rollout(model, data, start, ctrl, state=states, sensordata=sensors)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        if not written:
            # A state begins with the time, then the joint positions.
            np.ascontiguousarray(states[:, :, 1 : 1 + model.nq]).tofile(f"{folder}/qpos.f64")
            written = True
        print(wall, cpu, flush=True)
