"""One contestant of ppo_bench: PPO of Stable-Baselines3 over our batch. Argument: the folder of the task."""

import sys

import numpy as np
import stable_baselines3
import torch
from gymnasium import spaces
from sb3_agent import agent
from stable_baselines3.common.vec_env import VecEnv
from worlds import Worlds, converse, write_path


class Vectorised(VecEnv):
    """All worlds behind one call: no process per world, no copies between processes."""

    def __init__(self, worlds):
        seen = spaces.Box(-np.inf, np.inf, (worlds.size,), np.float32)
        super().__init__(worlds.count, seen, spaces.Box(-1, 1, (worlds.actions,), np.float32))
        self.worlds = worlds
        self.infos = [{} for _ in range(worlds.count)]

    def reset(self):
        return self.worlds.reset()

    def step_async(self, actions):
        self.chosen = actions

    def step_wait(self):
        return *self.worlds.step(self.chosen), self.infos

    def close(self):
        pass

    def get_attr(self, attr_name, indices=None):
        return [getattr(self, attr_name, None)] * self.num_envs

    def set_attr(self, attr_name, value, indices=None):
        raise NotImplementedError

    def env_method(self, method_name, *args, indices=None, **kwargs):
        raise NotImplementedError

    def env_is_wrapped(self, wrapper_class, indices=None):
        return [False] * self.num_envs


folder = sys.argv[1]
worlds = Worlds(folder)
write_path(worlds, folder)
learn = agent(Vectorised(worlds), worlds.task)
name = "Stable-Baselines3 over MuJoCo's batch"
converse(name, stable_baselines3.__version__, worlds, learn, torch.set_num_threads)
