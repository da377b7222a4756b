"""The worlds of ppo_bench and its conversation, without a learning library.

`Worlds` steps all worlds with MuJoCo's own batch, on as many threads as the other side.
"""

import json
import sys
import time

import mujoco
import numpy as np
from mujoco.batch import Batch


class Rules:
    """The task: actions are residuals round one row of targets; an episode ends after a fixed time."""

    def __init__(self, folder):
        with open(f"{folder}/task.json") as file:
            task = json.load(file)
        self.model = model = mujoco.MjModel.from_xml_path(f"{folder}/scene.xml")
        self.count, self.substeps, self.length = task["worlds"], task["substeps"], task["length"]
        self.base, self.scale = np.array(task["base"]), np.array(task["scale"])
        self.target, self.rate = np.array(task["target_m"]), task["rate_per_m"]
        self.start, self.object = np.array(task["start"]), task["object_qpos"]
        self.actions = model.nu
        self.size = model.nq + model.nv + model.nu
        self.task = task


class Worlds(Rules):
    """N worlds in one batch."""

    def __init__(self, folder):
        super().__init__(folder)
        model = self.model
        self.batch = Batch(model, self.count, self.task["threads"])
        self.qpos, self.qvel = self.batch.bind("qpos"), self.batch.bind("qvel")
        self.ctrl = self.batch.bind("ctrl")
        self.wall = self.cpu = 0.0
        self.action = np.zeros((self.count, model.nu), np.float32)
        self.age = 0

    def reset(self):
        """Starts all worlds anew; returns observations, [count, size] float32."""
        self.batch.state[:] = self.start
        self.action = np.zeros_like(self.action)
        self.age = 0
        return self._look()

    def step(self, action):
        """Plays actions, [count, actions] float32 within ±1. Returns observations, rewards, ended."""
        wall, cpu = time.perf_counter(), time.process_time()
        self.action = action
        self.ctrl[:] = self.base + self.scale * action
        self.batch.step(nstep=self.substeps)
        way = self.qpos[:, self.object : self.object + 3] - self.target
        rewards = np.exp(-self.rate * np.sqrt((way * way).sum(1))).astype(np.float32)
        self.age += 1
        ended = self.age == self.length
        seen = self.reset() if ended else self._look()
        self.wall += time.perf_counter() - wall
        self.cpu += time.process_time() - cpu
        return seen, rewards, np.full(self.count, ended)

    def _look(self):
        return np.concatenate([self.qpos, self.qvel, self.action], axis=1, dtype=np.float32)


def write_path(worlds, folder):
    """Plays actions.f32 from the start and writes positions, velocities and rewards after each step."""
    actions = np.fromfile(f"{folder}/actions.f32", np.float32)
    worlds.reset()
    rows = []
    for action in actions.reshape(-1, worlds.count, worlds.actions):
        _, rewards, _ = worlds.step(action)
        rows.append(np.concatenate([worlds.qpos, worlds.qvel, rewards[:, None]], axis=1))
    np.concatenate(rows).tofile(f"{folder}/path.f64")


def converse(name, version, worlds, learn, set_threads, spent=time.process_time):
    """Says who it is, then answers every "THREADS ITERATIONS" on stdin.

    `spent` tells processor seconds. An answer is "WALL_S CPU_S", of learning and stepping together, then those of the worlds alone.
    What `learn` prints goes to stderr.
    """
    answers, sys.stdout = sys.stdout, sys.stderr
    print(mujoco.__version__, name, version, file=answers, flush=True)
    for line in sys.stdin:
        threads, iterations = map(int, line.split())
        set_threads(threads)
        worlds.wall = worlds.cpu = 0.0
        wall, cpu = time.perf_counter(), spent()
        learn(iterations)
        wall, cpu = time.perf_counter() - wall, spent() - cpu
        print(wall, cpu, worlds.wall, worlds.cpu, file=answers, flush=True)
