"""The verbs. They leave Python's lock free, report to `progress`, and Ctrl-C ends them politely."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from . import _native
from .files import Motion, load_motion

Progress = Callable[[str], object]


def fields(**given: Any) -> str:
    """A request as JSON; what is None is left to the library."""
    return json.dumps({key: value for key, value in given.items() if value is not None}, default=os.fspath)


def retarget(
    clip: str | os.PathLike[str],
    hand: str,
    out: str | os.PathLike[str] | None = None,
    *,
    seed: int = 0,
    options: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Motion:
    """The motion of a robot hand that follows a clip, without physics; also written to the file `out`."""
    asked = fields(clip=os.fspath(clip), hand=hand, seed=seed, options=options)
    if out is not None:
        _native.retarget(asked, os.fspath(out), progress)
        return load_motion(out)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "motion.npz"
        _native.retarget(asked, path, progress)
        return load_motion(path)


def transfer(
    clip: str | os.PathLike[str],
    hand: str,
    out: str | os.PathLike[str],
    *,
    seed: int = 0,
    policy: str | None = None,
    settings: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
    threads: int | None = None,
    film: bool = False,
    video: bool = False,
    robustness_trials: int = 100,
    human_weight: float = 1.0,
    robust: bool = False,
    reuse: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """`dextra transfer`: the report as a dictionary, files in the folder `out`.

    A rejected trajectory is a report with a cause, not an exception. Interrupted by Ctrl-C, the same call goes on
    where it was.
    """
    asked = fields(
        clip=os.fspath(clip), hand=hand, out=out, seed=seed, policy=policy, settings=list(settings), options=options,
        threads=threads, film=film, video=video, robustness_trials=robustness_trials, human_weight=human_weight, robust=robust,
        reuse=reuse,
    )
    report: dict[str, Any] = json.loads(_native.transfer(asked, progress))
    return report
