"""PPO of Stable-Baselines3 with the task's numbers."""

import torch
from stable_baselines3 import PPO


def agent(env, task):
    """An agent for any of that library's vectorised environments, and what one turn of it does."""
    samples = task["worlds"] * task["horizon"]
    widths = task["hidden"]
    ppo = PPO(
        "MlpPolicy",
        env,
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
        ppo.learn(iterations * samples, log_interval=None, reset_num_timesteps=False)

    return learn
