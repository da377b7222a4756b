"""One short transfer for all tests."""

import dextra
import pytest


@pytest.fixture(scope="session")
def result(tmp_path_factory):
    out = tmp_path_factory.mktemp("result")
    said = []
    report = dextra.transfer("cube", "allegro", out, robustness_trials=0, progress=said.append)
    return out, report, said
