"""Clips, motions and rollouts as NumPy arrays. Arrays are read-only views: copy them to change them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _native

Floats = npt.NDArray[np.float64]


def array(values: tuple[Any, ...]) -> npt.NDArray[Any]:
    """What the native module returns, as an array."""
    if isinstance(values[0], list):
        texts, shape = values
        made = np.array(texts, dtype=str).reshape(shape)
        made.flags.writeable = False
        return made
    data, dtype, shape = values
    return np.frombuffer(data, dtype=dtype).reshape(shape)


def _told(value: Any) -> str:
    """A value in a few words: arrays by type and shape."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{list(value.shape)}"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key!r}: {_told(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list) and len(value) > 8:
        return f"list of {len(value)}"
    if isinstance(value, list):
        return "[" + ", ".join(_told(item) for item in value) + "]"
    return repr(value)


class _Told:
    """What is printed of a record: its fields, without the numbers of arrays."""

    def __repr__(self) -> str:
        told = ", ".join(f"{field.name}={_told(getattr(self, field.name))}" for field in fields(self))  # type: ignore[arg-type]
        return f"{type(self).__name__}({told})"


@dataclass(frozen=True, repr=False)
class Hand(_Told):
    """A hand of a clip."""

    side: str
    """`"right"` or `"left"`."""
    keypoints_m: Floats
    """21 keypoints in the world, [T, 21, 3]."""


@dataclass(frozen=True, repr=False)
class Object(_Told):
    """An object of a clip: its surface in its own frame, and where it is."""

    name: str
    mass_kg: float | None
    pos_m: Floats
    """[T, 3]."""
    quat_wxyz: Floats
    """[T, 4]."""
    vertices_m: Floats
    """[V, 3]."""
    faces: npt.NDArray[np.int64]
    """[F, 3]."""


@dataclass(frozen=True, repr=False)
class Clip(_Told):
    """A demonstration: metres, z up."""

    name: str
    fps_hz: float
    gravity_m_s2: tuple[float, float, float]
    hands: list[Hand]
    objects: list[Object]
    source: str
    licence: str
    inputs_sha256: list[tuple[str, str]]
    notes: list[str]
    """What the reader inferred or found contradictory."""


@dataclass(frozen=True, repr=False)
class HandMotion(_Told):
    """A robot hand over time."""

    root_pos_m: Floats
    """[T, 3]."""
    root_quat_wxyz: Floats
    """[T, 4]."""
    joints_rad: Floats
    """[T, J]."""
    joint_names: list[str]


@dataclass(frozen=True, repr=False)
class Motion(_Told):
    """A kinematic reference; makes no claim of physics."""

    fps_hz: float
    hands: dict[str, HandMotion]
    """By side."""
    arrays: dict[str, npt.NDArray[Any]]
    """The archive as it is, by the keys of docs/formats.md."""


@dataclass(frozen=True, repr=False)
class Rollout(_Told):
    """What the simulator measured: states [N + 1], controls [N]."""

    timestep_s: float
    qpos: Floats
    ctrl: Floats
    object_pos: Floats
    object_quat_wxyz: Floats
    arrays: dict[str, npt.NDArray[Any]]
    """The archive as it is, by the keys of docs/formats.md."""


def clip_names() -> list[str]:
    """Names of the built-in clips."""
    return _native.clip_names()


def load_clip(clip: str | os.PathLike[str], *, seed: int = 0, options: Mapping[str, Any] | None = None) -> Clip:
    """A clip file (`.npz`), or a built-in clip whose noise `seed` draws.

    `options` are what is stated about a file: mesh, fps, unit, mesh_unit, up_axis, quat_order, side, mass_kg, licence, source.
    Raises DextraError with file, field and frame.
    """
    found = _native.load_clip(os.fspath(clip), seed, json.dumps(dict(options or {}), default=os.fspath))
    hands = [Hand(side=h["side"], keypoints_m=array(h["keypoints_m"])) for h in found.pop("hands")]
    objects = []
    for stated in found.pop("objects"):
        parts: dict[str, Any] = {k: array(v) if isinstance(v, tuple) else v for k, v in stated.items()}
        objects.append(Object(**parts))
    return Clip(hands=hands, objects=objects, **{**found, "gravity_m_s2": tuple(found["gravity_m_s2"])})


def _archive(path: str | os.PathLike[str], kind: str) -> dict[str, npt.NDArray[Any]]:
    return {key: array(values) for key, values in _native.load_archive(os.fspath(path), kind).items()}


def load_motion(path: str | os.PathLike[str]) -> Motion:
    """`motion.npz` of a transfer."""
    arrays = _archive(path, "motion")
    hands = {}
    for side in ("right", "left"):
        if f"{side}_joints_rad" not in arrays:
            continue
        try:
            parts = {key: arrays[f"{side}_{key}"] for key in ("root_pos_m", "root_quat_wxyz", "joints_rad")}
            names = [str(name) for name in arrays[f"{side}_joint_names"]]
        except KeyError as missing:
            raise _native.DextraError(f"{os.fspath(path)}: {missing} is missing") from None
        hands[side] = HandMotion(joint_names=names, **parts)
    return Motion(fps_hz=float(arrays["fps_hz"].item()), hands=hands, arrays=arrays)


def load_rollout(path: str | os.PathLike[str]) -> Rollout:
    """`rollout.npz` of a transfer or of a collection, checked as `dextra export` checks it."""
    arrays = _archive(path, "rollout")
    keys = ("qpos", "ctrl", "object_pos", "object_quat_wxyz")
    return Rollout(timestep_s=float(arrays["timestep_s"].item()), arrays=arrays, **{key: arrays[key] for key in keys})
