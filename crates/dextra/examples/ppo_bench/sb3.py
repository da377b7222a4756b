"""One contestant of ppo_bench: PPO of Stable-Baselines3. Argument: the folder of the task."""

import sys

import numpy as np
import stable_baselines3
import torch
from gymnasium import spaces
from stable_baselines3 import PPO
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
task = worlds.task
samples = task["worlds"] * task["horizon"]
widths = task["hidden"]
agent = PPO(
    "MlpPolicy",
    Vectorised(worlds),
    learning_rate=task["rate"],
    n_steps=task["horizon"],
    batch_size=samples // task["minibatches"],
    n_epochs=task["epochs"],
    gamma=task["gamma"],
    gae_lambda=task["lambda"],
    clip_range=task["clip"],
    vf_coef=1.0,
    max_grad_norm=task["gradient_norm"],
    policy_kwargs={
        "net_arch": {"pi": widths, "vf": widths},
        "activation_fn": torch.nn.ELU,
        "log_std_init": task["log_std"],
    },
    seed=0,
    device="cpu",
)


def learn(iterations):
    agent.learn(iterations * samples, log_interval=None, reset_num_timesteps=False)


converse("Stable-Baselines3", stable_baselines3.__version__, worlds, learn, torch.set_num_threads)
