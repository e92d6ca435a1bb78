"""Drawing from logits: shares, masks, temperature, top-p."""

from __future__ import annotations

import numpy as np
import pytest
from antiphon.models.generator import NothingAllowedError
from antiphon.models.sampling import draw, log_softmax
from hypothesis import given
from hypothesis import strategies as st

_LOGITS = st.lists(st.floats(-8, 8), min_size=1, max_size=20).map(lambda x: np.array(x, np.float32))


@given(_LOGITS, st.floats(0, 1, exclude_max=True), st.floats(0.05, 2), st.floats(0.05, 1))
def test_a_forbidden_class_is_never_drawn(
    logits: np.ndarray[tuple[int], np.dtype[np.float32]], uniform: float, temperature: float, top_p: float
) -> None:
    masked = logits.copy()
    masked[1:] = -np.inf
    assert draw(masked, uniform, temperature, top_p) == 0
    assert np.isfinite(logits[draw(logits, uniform, temperature, top_p)])


def test_everything_forbidden_is_an_error() -> None:
    with pytest.raises(NothingAllowedError, match="forbidden"):
        draw(np.full(4, -np.inf, np.float32), 0.5, 1.0, 1.0)


def test_logits_that_are_no_numbers_are_another_error() -> None:
    with pytest.raises(ValueError, match="logits: the greatest is nan") as raised:
        draw(np.array([0.0, np.nan, 1.0], np.float32), 0.5, 1.0, 1.0)
    assert not isinstance(raised.value, NothingAllowedError)


@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 1.0), (0.5, 1.0), (1.0, 0.6), (2.0, 0.9)])
def test_shares_are_those_of_the_distribution(temperature: float, top_p: float) -> None:
    logits = np.log(np.array([0.1, 0.5, 0.25, 0.15], np.float32))
    drawn = [draw(logits, (i + 0.5) / 4000, temperature, top_p) for i in range(4000)]
    share = np.bincount(drawn, minlength=4) / 4000
    wanted = np.exp(log_softmax((logits / temperature).astype(np.float32)))
    order = np.argsort(-wanted)
    kept = np.diff(np.minimum(np.cumsum(wanted[order]), top_p), prepend=0.0)  # the last with what is left of the share
    wanted[order] = kept / top_p
    np.testing.assert_allclose(share, wanted, atol=2e-3)


@given(_LOGITS, st.floats(0.05, 1))
def test_the_last_uniform_is_a_class_still(logits: np.ndarray[tuple[int], np.dtype[np.float32]], top_p: float) -> None:
    assert 0 <= draw(logits, float(np.nextafter(1.0, 0.0)), 1.0, top_p) < len(logits)


def test_no_temperature_takes_the_likeliest() -> None:
    assert {draw(np.array([0.0, 3.0, 1.0], np.float32), u / 10, 0.0, 1.0) for u in range(10)} == {1}
