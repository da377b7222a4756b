from ._native import DextraError as DextraError
from .envs import Env as Env, VectorEnv as VectorEnv
from .files import (
    Clip as Clip,
    Hand as Hand,
    HandMotion as HandMotion,
    Motion as Motion,
    Object as Object,
    Rollout as Rollout,
    clip_names as clip_names,
    load_clip as load_clip,
    load_motion as load_motion,
    load_rollout as load_rollout,
)
from .verbs import retarget as retarget, transfer as transfer

__version__: str
__all__ = [
    "Clip", "DextraError", "Env", "Hand", "HandMotion", "Motion", "Object", "Rollout", "VectorEnv", "__version__",
    "clip_names", "load_clip", "load_motion", "load_rollout", "retarget", "transfer",
]
