"""The track environment for Gymnasium: many worlds of one scene in which a base motion is played and corrected."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from . import _native
from .files import array
from .verbs import fields

Array = npt.NDArray[Any]


class VectorEnv(gymnasium.vector.VectorEnv[Array, Array, Array]):
    """Worlds that step together on all cores.

    Round the result in the folder `result` (a finished `transfer`, accepted or not), or round the retargeted motion of
    `clip` and `hand`. `recipe` says what is seen, rewarded and varied; `settings` change it, such as
    `track.from_start=1.0`.

    Worlds that end begin anew within the same step (`AutoresetMode.SAME_STEP`); their last observation is in
    `info["final_obs"]`. `info["reward_terms"]` has every weighted term by name; their sum is the reward.
    `info["step"]` is the control step of the task at which each world is now, `info["qpos"]` its joint positions,
    and `info["broken"]` says whose state left the real numbers. The same seed gives the same bits on any number of
    threads; a reset starts all worlds.
    """

    metadata = {"render_modes": [], "autoreset_mode": AutoresetMode.SAME_STEP}

    def __init__(
        self,
        result: str | os.PathLike[str] | None = None,
        num_envs: int = 1,
        *,
        clip: str | os.PathLike[str] | None = None,
        hand: str | None = None,
        recipe: str | None = None,
        settings: Sequence[str] = (),
        seed: int = 0,
        options: Mapping[str, Any] | None = None,
        threads: int | None = None,
    ) -> None:
        if (result is None) == (clip is None or hand is None):
            raise ValueError("either the folder of a result, or a clip and a hand")
        if num_envs < 1:
            raise ValueError("num_envs must be at least 1")
        asked = fields(
            clip=None if clip is None else os.fspath(clip), hand=hand, seed=seed, settings=list(settings),
            options=options, threads=threads,
        )
        recipe = recipe or ("residual" if result is None else "dextra")
        self._worlds = _native.Worlds(asked, None if result is None else os.fspath(result), recipe, num_envs)
        self.facts: dict[str, Any] = json.loads(self._worlds.facts)
        """The contract (slices of the observation, actions with units), reward terms, control period, steps."""
        slices = self.facts["contract"]["observations"]
        bounds = [np.repeat([s["range"][side] for s in slices], [s["size"] for s in slices]) for side in (0, 1)]
        low, high = (side.astype(np.float32) for side in bounds)
        self.num_envs = num_envs
        self.single_observation_space = spaces.Box(low, high, dtype=np.float32)
        self.single_action_space = spaces.Box(-1.0, 1.0, (len(self.facts["contract"]["actions"]),), np.float32)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)

    def reset(  # type: ignore[override]
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        """Starts all worlds. Without a seed, the generator of the last one goes on."""
        super().reset(seed=seed)
        chosen = int(seed) if seed is not None else int(self.np_random.integers(2**63))
        given = self._worlds.reset(chosen)
        return array(given["observations"]).copy(), self._info(given)

    def step(self, actions: Array) -> tuple[Array, Array, Array, Array, dict[str, Any]]:
        """One control step of all worlds."""
        chosen = np.ascontiguousarray(actions, dtype=np.float32)
        if chosen.shape != self.action_space.shape:
            raise ValueError(f"actions have the shape {chosen.shape}, not {self.action_space.shape}")
        if not np.isfinite(chosen).all():
            raise ValueError("actions must be finite")
        given = self._worlds.step(chosen.tobytes())
        seen, rewards, terminated, truncated = (
            array(given[key]).copy() for key in ("observations", "rewards", "terminated", "truncated")
        )
        info = self._info(given)
        everyone = np.ones(self.num_envs, dtype=bool)
        terms = array(given["terms"])
        info["reward_terms"] = {name: terms[:, i] for i, name in enumerate(self.facts["reward_terms"])}
        info["_reward_terms"] = everyone
        info["broken"], info["_broken"] = array(given["broken"]), everyone
        ended = terminated | truncated
        if ended.any():
            last = array(given["final"])
            info["final_obs"], info["_final_obs"] = np.empty(self.num_envs, dtype=object), ended
            for world in np.flatnonzero(ended):
                info["final_obs"][world] = last[world]
        return seen, rewards, terminated, truncated, info

    def _info(self, given: dict[str, Any]) -> dict[str, Any]:
        everyone = np.ones(self.num_envs, dtype=bool)
        return {"step": np.array(given["step"]), "_step": everyone, "qpos": array(given["qpos"]), "_qpos": everyone}


class Env(gymnasium.Env[Array, Array]):
    """One world of [`VectorEnv`], with the same arguments but for `num_envs`; an episode ends until it is reset."""

    metadata = {"render_modes": []}

    def __init__(self, result: str | os.PathLike[str] | None = None, **arguments: Any) -> None:
        self.worlds = VectorEnv(result, 1, **arguments)
        self.observation_space = self.worlds.single_observation_space
        self.action_space = self.worlds.single_action_space

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        """Starts an episode."""
        super().reset(seed=seed)
        chosen = seed if seed is not None else int(self.np_random.integers(2**63))
        seen, info = self.worlds.reset(seed=chosen)
        return seen[0], {"step": int(info["step"][0]), "qpos": info["qpos"][0]}

    def step(self, action: Array) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        """One control step."""
        seen, reward, terminated, truncated, info = self.worlds.step(np.asarray(action)[None])
        ended = bool(terminated[0] or truncated[0])
        shown = info["final_obs"][0] if ended else seen[0]
        terms = {name: float(values[0]) for name, values in info["reward_terms"].items()}
        return shown, float(reward[0]), bool(terminated[0]), bool(truncated[0]), {"reward_terms": terms}
