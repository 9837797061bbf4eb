"""Faults put into the RTL on purpose are noticed; ``python -m sim.mutations`` tries all of them."""

import sys
from itertools import pairwise

import pytest

from golden_model.spec.network import Coding
from hdl.rtl.core import Core
from sim.faults import Mutation
from sim.mutations import (
    MUTATIONS,
    first_sign,
    images_schedule,
    mutated,
    sign_of,
    tiny_schedule,
    trial,
)

TRIED = (
    "update applied to the newest sample's inputs",
    "ties go to the highest class",
    "visit map forgets the words of the sample before",
    "newest input without its sign",
)
"""The rest takes a compilation each."""


def test_there_are_enough():
    assert len({mutation.name for mutation in MUTATIONS}) == len(MUTATIONS) >= 10


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_its_text_is_there_once(mutation):
    with mutated(mutation) as module:
        assert module.Core is not Core
    assert sys.modules["hdl.rtl.core"].Core is Core


def test_stale_text_is_refused():
    with (
        pytest.raises(ValueError, match="0 times, not once"),
        mutated(Mutation(name="stale", module="core", old="no such text", new="")),
    ):
        pass


def test_tiny_network_skips_zeros():
    """In memory of one port and of two; of some samples only the one before has a word's inputs."""
    schedule = tiny_schedule()
    kinds = {(folding.skip_zeros, folding.single_port) for folding in schedule.foldings}
    assert {(True, True), (True, False)} <= kinds
    x, _ = trial(schedule)
    simd = schedule.foldings[0].simd
    words = x[:, : x.shape[1] // simd * simd].reshape(len(x), -1, simd).any(axis=2)
    assert (words[:-1] & ~words[1:]).any()


def test_tiny_network_scores_in_both_ways():
    """Of its two hidden layers; some samples have no label, so that the next follows at once."""
    schedule = tiny_schedule()
    assert {folding.parallel_classes for folding in schedule.foldings[:2]} == {True, False}
    _, labels = trial(schedule)
    assert any(one is None and two is not None for one, two in pairwise(labels))


@pytest.mark.parametrize("coding", [Coding.UNSIGNED, Coding.SIGNED])
def test_sound_core_shows_nothing(coding):
    assert first_sign(tiny_schedule(coding=coding)) is None


def test_sound_shared_engine_shows_nothing():
    assert first_sign(images_schedule()) is None


@pytest.mark.parametrize("name", TRIED)
def test_it_is_noticed(name):
    (mutation,) = [mutation for mutation in MUTATIONS if mutation.name == name]
    assert sign_of(mutation) is not None
