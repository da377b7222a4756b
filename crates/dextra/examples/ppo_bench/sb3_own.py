"""One contestant of ppo_bench: PPO of Stable-Baselines3 with its own vectorised environments.

Arguments: the folder of the task, and `dummy` (all worlds in turn) or `subproc` (a process per world).
"""

import os
import sys
import time

import gymnasium
import mujoco
import numpy as np
import stable_baselines3
import torch
from gymnasium import spaces
from sb3_agent import agent
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv
from worlds import Rules, converse, write_path


class World(gymnasium.Env):
    """One world of the task, as Gymnasium's users write one."""

    def __init__(self, folder):
        self.rules = Rules(folder)
        self.data = mujoco.MjData(self.rules.model)
        self.observation_space = spaces.Box(-np.inf, np.inf, (self.rules.size,), np.float32)
        self.action_space = spaces.Box(-1, 1, (self.rules.actions,), np.float32)

    def reset(self, seed=None, options=None):
        rules = self.rules
        mujoco.mj_setState(rules.model, self.data, rules.start, mujoco.mjtState.mjSTATE_INTEGRATION)
        self.data.ctrl[:] = 0
        self.action, self.age = np.zeros(rules.actions, np.float32), 0
        return self._look(), {}

    def step(self, action):
        rules = self.rules
        self.action = action
        self.data.ctrl[:] = rules.base + rules.scale * action
        mujoco.mj_step(rules.model, self.data, nstep=rules.substeps)
        way = self.data.qpos[rules.object : rules.object + 3] - rules.target
        reward = float(np.exp(-rules.rate * np.sqrt((way * way).sum())))
        self.age += 1
        return self._look(), reward, self.age == rules.length, False, {}

    def _look(self):
        return np.concatenate([self.data.qpos, self.data.qvel, self.action], dtype=np.float32)


class InTurn:
    """Worlds as `write_path` wants them."""

    def __init__(self, folder):
        self.rules = Rules(folder)
        self.count, self.actions = self.rules.count, self.rules.actions
        self.worlds = [World(folder) for _ in range(self.count)]

    def reset(self):
        for world in self.worlds:
            world.reset()

    def step(self, actions):
        steps = [world.step(action) for world, action in zip(self.worlds, actions)]
        ended = [step[2] for step in steps]
        for world in (world for world, end in zip(self.worlds, ended) if end):
            world.reset()
        return None, np.array([step[1] for step in steps], np.float32), np.array(ended)

    @property
    def qpos(self):
        return np.stack([world.data.qpos for world in self.worlds])

    @property
    def qvel(self):
        return np.stack([world.data.qvel for world in self.worlds])


def cpu(children):
    """Processor seconds of this process and of its children."""

    def of(pid):
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    return time.process_time() + sum(of(pid) for pid in children)


def timed(base):
    """The same environments with a watch."""

    class Timed(base):
        wall = cpu = 0.0
        children = ()

        def step(self, actions):
            wall, spent = time.perf_counter(), cpu(self.children)
            result = super().step(actions)
            self.wall += time.perf_counter() - wall
            self.cpu += cpu(self.children) - spent
            return result

    return Timed


if __name__ == "__main__":
    folder, kind = sys.argv[1:]
    write_path(InTurn(folder), folder)
    task = Rules(folder).task
    base = {"dummy": DummyVecEnv, "subproc": SubprocVecEnv}[kind]
    envs = timed(base)([lambda: World(folder)] * task["worlds"])
    envs.children = [process.pid for process in getattr(envs, "processes", [])]
    learn = agent(envs, task)
    name = f"Stable-Baselines3 with {base.__name__}"
    version = stable_baselines3.__version__
    spent = lambda: cpu(envs.children)
    converse(name, version, envs, learn, torch.set_num_threads, spent)
    envs.close()
