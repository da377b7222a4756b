# %% [markdown]
# # A tour of dextra in Python
# A clip, a robot hand that follows it, and worlds to learn in. `python make_notebook.py` makes the notebook of this file.

# %%
import dextra
import numpy as np

clip = dextra.load_clip("cube")
print(clip.name, clip.fps_hz, "Hz,", clip.hands[0].side, "hand,", clip.licence)
cube = clip.objects[0]
print(f"{cube.name}: {len(cube.faces)} faces, lifted by {100 * np.ptp(cube.pos_m[:, 2]):.1f} cm")

# %% [markdown]
# A robot hand follows, without physics. `dextra.transfer(clip, hand, out)` goes on to a checked rollout.

# %%
motion = dextra.retarget("cube", "allegro")
hand = motion.hands["right"]
print(hand.joints_rad.shape[0], "frames of", hand.joints_rad.shape[1], "joints at", motion.fps_hz, "Hz")

# %% [markdown]
# Worlds in which a policy corrects that motion. Here nobody corrects it.

# %%
worlds = dextra.VectorEnv(clip="cube", hand="allegro", num_envs=8)
seen, info = worlds.reset(seed=0)
total = np.zeros(worlds.num_envs)
for _ in range(20):
    seen, reward, terminated, truncated, info = worlds.step(np.zeros(worlds.action_space.shape))
    total += reward
print("reward over 20 control steps:", total.round(2))
print({name: round(float(values.mean()), 3) for name, values in info["reward_terms"].items() if values.any()})
worlds.close()
