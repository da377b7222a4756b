"""Stable-Baselines3 learns in the worlds of dextra: `python train_sb3.py [CONTROL_STEPS]`.

Needs `pip install "dextra[gym]" stable-baselines3`.
"""

import sys

import dextra
import numpy as np
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecEnv


class Worlds(VecEnv):
    """dextra's batch as Stable-Baselines3 sees one: nothing but names differs."""

    def __init__(self, worlds: dextra.VectorEnv):
        super().__init__(worlds.num_envs, worlds.single_observation_space, worlds.single_action_space)
        self.worlds = worlds

    def reset(self):
        seed = next((seed for seed in self._seeds if seed is not None), None)
        self._reset_seeds()
        return self.worlds.reset(seed=seed)[0]

    def step_async(self, actions):
        self.chosen = actions

    def step_wait(self):
        seen, rewards, terminated, truncated, info = self.worlds.step(self.chosen)
        infos = [{} for _ in range(self.num_envs)]
        for i in np.flatnonzero(terminated | truncated):
            cut_off = bool(truncated[i] and not terminated[i])
            infos[i] = {"terminal_observation": info["final_obs"][i], "TimeLimit.truncated": cut_off}
        return seen, rewards, terminated | truncated, infos

    def close(self):
        self.worlds.close()

    def env_is_wrapped(self, wrapper_class, indices=None):
        return [False] * self.num_envs

    def get_attr(self, name, indices=None):
        return [getattr(self.worlds, name)] * self.num_envs

    def set_attr(self, name, value, indices=None):
        raise NotImplementedError("worlds have no attributes of their own")

    def env_method(self, name, *arguments, indices=None, **named):
        raise NotImplementedError("worlds have no methods of their own")


def main(steps: int) -> PPO:
    worlds = Worlds(dextra.VectorEnv(clip="cube", hand="allegro", num_envs=32))
    agent = PPO("MlpPolicy", worlds, n_steps=16, batch_size=256, gamma=0.98, seed=0, device="cpu", verbose=1)
    agent.learn(steps)
    worlds.close()
    return agent


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200_000)
