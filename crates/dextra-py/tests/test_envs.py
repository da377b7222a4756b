"""Worlds: Gymnasium's checker, sums, seeds, and the physics of a rollout that stock MuJoCo replays."""

import dextra
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode

TASK = {"clip": "cube", "hand": "allegro"}
# Worlds that do what was played: from the start, nothing varied, nothing followed.
PLAIN = [
    "track.from_start=1.0", "track.anchor={on=false}", "track.randomisation={}", "track.curriculum={}",
    "track.control_period=0.03",
]


def play(envs, steps, seed):
    rng = np.random.default_rng(seed)
    history = [envs.reset(seed=seed)[0]]
    for _ in range(steps):
        seen, reward, terminated, truncated, _ = envs.step(rng.uniform(-1, 1, envs.action_space.shape))
        history += [seen, reward, terminated, truncated]
    return np.concatenate([np.ravel(part) for part in history])


def test_gymnasium_checks_a_single_world():
    check_env(dextra.Env(**TASK), skip_render_check=True)


def test_the_batch_keeps_gymnasiums_promises():
    envs = dextra.VectorEnv(num_envs=6, **TASK)
    assert envs.metadata["autoreset_mode"] == AutoresetMode.SAME_STEP
    seen, info = envs.reset(seed=1)
    assert seen in envs.observation_space and info["qpos"].shape[0] == 6
    rng, ends = np.random.default_rng(0), 0
    for _ in range(80):
        before = info["step"]
        seen, reward, terminated, truncated, info = envs.step(rng.uniform(-1, 1, envs.action_space.shape))
        assert seen in envs.observation_space and seen.dtype == np.float32
        assert reward.shape == terminated.shape == truncated.shape == (6,) and terminated.dtype == bool
        whole = ~info["broken"]
        total = sum(info["reward_terms"].values())
        assert np.allclose(total[whole], reward[whole], rtol=1e-4, atol=1e-5)
        ended = terminated | truncated
        assert np.array_equal(info["step"][~ended], before[~ended] + 1)
        if ended.any():
            assert np.array_equal(info["_final_obs"], ended)
            for world in np.flatnonzero(ended):
                last = info["final_obs"][world]
                assert last in envs.single_observation_space and not np.array_equal(last, seen[world])
        ends += int(ended.sum())
    assert ends > 0
    with pytest.raises(ValueError, match="shape"):
        envs.step(np.zeros((5, envs.single_action_space.shape[0])))
    with pytest.raises(ValueError, match="finite"):
        envs.step(np.full(envs.action_space.shape, np.nan))


def test_the_seed_decides_everything_and_threads_nothing():
    one, two = (dextra.VectorEnv(num_envs=4, threads=threads, **TASK) for threads in (1, 2))
    assert np.array_equal(play(one, 30, 5), play(two, 30, 5))
    assert not np.array_equal(one.reset(seed=5)[0], one.reset(seed=6)[0])
    one.reset(seed=7)
    two.reset(seed=7)
    assert np.array_equal(one.reset()[0], two.reset()[0])


def test_without_corrections_a_result_is_played_as_it_was(result):
    out, _, _ = result
    envs = dextra.VectorEnv(out, 2, settings=PLAIN)
    rollout = dextra.load_rollout(out / "rollout.npz")
    every = round(envs.facts["control_period_s"] / rollout.timestep_s)
    _, info = envs.reset(seed=0)
    assert np.allclose(info["qpos"], rollout.qpos[0], atol=1e-9)
    steps = 0
    while True:
        _, _, terminated, truncated, info = envs.step(np.zeros(envs.action_space.shape))
        steps += 1
        assert not terminated.any()
        if truncated.all():
            break
        assert np.allclose(info["qpos"], rollout.qpos[steps * every], atol=1e-6)
    assert steps == envs.facts["steps"]


def test_what_makes_no_sense_is_refused(tmp_path):
    for wrong in ({}, {"clip": "cube"}, {"result": tmp_path, **TASK}, {"num_envs": 0, **TASK}):
        with pytest.raises(ValueError):
            dextra.VectorEnv(**wrong)
    with pytest.raises(dextra.DextraError, match="report.json"):
        dextra.VectorEnv(tmp_path)
    with pytest.raises(dextra.DextraError, match="imitator"):
        dextra.VectorEnv(recipe="maniptrans", **TASK)
    with pytest.raises(dextra.DextraError, match="track.nothing"):
        dextra.VectorEnv(settings=["track.nothing=1"], **TASK)
