"""Faults put into the RTL on purpose are noticed; ``python -m sim.mutations`` tries all of them."""

import sys

import pytest

from hdl.rtl.core import Core
from sim.mutations import MUTATIONS, Mutation, first_sign, mutated, sign_of, tiny_schedule

TRIED = ("update applied to the newest sample's inputs", "ties go to the highest class")
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


def test_sound_core_shows_nothing():
    assert first_sign(tiny_schedule()) is None


@pytest.mark.parametrize("name", TRIED)
def test_it_is_noticed(name):
    (mutation,) = [mutation for mutation in MUTATIONS if mutation.name == name]
    assert sign_of(mutation, tiny_schedule()) is not None
