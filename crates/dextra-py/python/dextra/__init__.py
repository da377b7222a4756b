"""dextra for Python: human hand-object demonstrations to robot-hand skills checked in MuJoCo physics.

Units are SI, quaternions are scalar first, frames are those of docs/conventions.md.
"""

from __future__ import annotations

import ctypes as _ctypes
import importlib.util as _util
import os as _os
from pathlib import Path as _Path


def _load_engine() -> None:
    """Loads the library that the native module was linked with, from the package `mujoco`."""
    name = "libmujoco.so.3.17.0"
    spec = _util.find_spec("mujoco")
    folders = [_Path(place) for place in (spec.submodule_search_locations or [])] if spec else []
    if _os.environ.get("MUJOCO_LIB_DIR"):
        folders.insert(0, _Path(_os.environ["MUJOCO_LIB_DIR"]))
    for folder in folders:
        if (folder / name).is_file():
            _ctypes.CDLL(str(folder / name), mode=_ctypes.RTLD_GLOBAL)
            return
    raise ImportError(f"dextra needs {name}: `pip install mujoco==3.17.0`, or set MUJOCO_LIB_DIR to its folder")


_load_engine()

from ._native import DextraError, __version__  # noqa: E402
from .files import Clip, Hand, Motion, HandMotion, Object, Rollout  # noqa: E402
from .files import clip_names, load_clip, load_motion, load_rollout  # noqa: E402
from .verbs import retarget, transfer  # noqa: E402

__all__ = [
    "Clip", "DextraError", "Env", "Hand", "HandMotion", "Motion", "Object", "Rollout", "VectorEnv", "__version__",
    "clip_names", "load_clip", "load_motion", "load_rollout", "retarget", "transfer",
]


def __getattr__(name: str) -> object:
    # Gymnasium is needed only by those who learn.
    if name in ("Env", "VectorEnv"):
        from . import envs

        return getattr(envs, name)
    raise AttributeError(f"module 'dextra' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
