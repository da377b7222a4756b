"""One contestant of ppo_bench: PPO of rsl_rl. Argument: the folder of the task."""

import sys
from importlib.metadata import version

import numpy as np
import torch
from rsl_rl.env import VecEnv
from rsl_rl.runners import OnPolicyRunner
from tensordict import TensorDict
from worlds import Worlds, converse, write_path


class Vectorised(VecEnv):
    """All worlds behind one call; tensors share their memory with NumPy's arrays."""

    def __init__(self, worlds):
        self.worlds = worlds
        self.num_envs, self.num_actions = worlds.count, worlds.actions
        self.max_episode_length = worlds.length
        self.episode_length_buf = torch.zeros(worlds.count, dtype=torch.long)
        self.device, self.cfg = "cpu", {}
        self.seen = worlds.reset()

    def _wrapped(self):
        return TensorDict({"policy": torch.from_numpy(self.seen)}, batch_size=[self.num_envs])

    def get_observations(self):
        return self._wrapped()

    def step(self, actions):
        actions = np.clip(actions.numpy(), -1, 1)
        self.seen, rewards, ended = self.worlds.step(actions)
        return self._wrapped(), torch.from_numpy(rewards), torch.from_numpy(ended), {}


folder = sys.argv[1]
worlds = Worlds(folder)
write_path(worlds, folder)
task = worlds.task
network = {"class_name": "MLPModel", "hidden_dims": task["hidden"], "activation": "elu"}
config = {
    "num_steps_per_env": task["horizon"],
    "save_interval": 10**9,
    "obs_groups": {"actor": ["policy"], "critic": ["policy"]},
    "actor": network
    | {
        "distribution_cfg": {
            "class_name": "GaussianDistribution",
            "init_std": float(np.exp(task["log_std"])),
            "std_type": "log",
        }
    },
    "critic": dict(network),
    "algorithm": {
        "class_name": "PPO",
        "num_learning_epochs": task["epochs"],
        "num_mini_batches": task["minibatches"],
        "clip_param": task["clip"],
        "gamma": task["gamma"],
        "lam": task["lambda"],
        "entropy_coef": 0.0,
        "learning_rate": task["rate"],
        "max_grad_norm": task["gradient_norm"],
        "schedule": "adaptive",
        "desired_kl": task["target_kl"],
    },
}
torch.manual_seed(0)
# What the library prints about its networks must not reach the conversation.
answers, sys.stdout = sys.stdout, sys.stderr
runner = OnPolicyRunner(Vectorised(worlds), config, log_dir=None, device="cpu")
sys.stdout = answers
converse("rsl_rl", version("rsl-rl-lib"), worlds, runner.learn, torch.set_num_threads)
