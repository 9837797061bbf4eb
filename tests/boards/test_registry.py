"""Boards: their clocks, budgets and names."""

import pytest

from boards.board import Board
from boards.clocks import Ecp5Pll, GowinPll, Ice40Pll
from boards.parts import CELLS
from boards.registry import BOARDS, find_board
from golden_model.spec.errors import SpecError

every_board = pytest.mark.parametrize("board", BOARDS.values(), ids=list(BOARDS))


@every_board
def test_oscillator_is_the_platforms(board: Board) -> None:
    assert board.platform().default_clk_frequency == board.oscillator_hz


@every_board
def test_device_is_the_platforms(board: Board) -> None:
    assert board.platform().device == board.budget.device


@every_board
def test_clock_can_make_the_baud_rate(board: Board) -> None:
    error = round(board.clock_hz / board.baud) * board.baud / board.clock_hz - 1
    assert abs(error) < 0.02


@every_board
def test_report_names_every_kind_of_the_budget(board: Board) -> None:
    kinds = {CELLS, *(memory.name for memory in board.budget.memories)}
    if board.budget.multiplier.count:
        kinds.add(board.budget.multiplier.name)
    assert set(board.family.resources) == kinds


@every_board
def test_shapes_fill_their_block(board: Board) -> None:
    for kind in board.budget.memories:
        assert kind.blocks_for(*kind.shapes[0]) == 1
        assert kind.blocks_for(kind.shapes[0][0] + 1, kind.shapes[0][1]) == 2
        for depth, width in kind.shapes:
            # ECP5 and Gowin blocks use their parity bits only in the wider shapes.
            assert kind.bits * 8 // 9 <= depth * width <= kind.bits


@every_board
def test_clock_is_within_the_limits_of_its_pll(board: Board) -> None:
    pll = board.clock
    if isinstance(pll, Ice40Pll):
        reference = board.oscillator_hz / (pll.divr + 1)
        inside, slowest, fastest = reference * (pll.divf + 1), 533e6, 1066e6
    elif isinstance(pll, Ecp5Pll):
        reference = board.oscillator_hz / pll.reference
        inside, slowest, fastest = board.clock_hz * pll.output, 400e6, 800e6
    else:
        assert isinstance(pll, GowinPll)
        reference = board.oscillator_hz / pll.reference
        inside, slowest, fastest = board.clock_hz * pll.output, 400e6, 1200e6
    assert (10e6 if isinstance(pll, Ice40Pll) else 3e6) <= reference <= 133e6
    assert slowest <= inside <= fastest


def test_clocks_that_the_engine_meets() -> None:
    megahertz = {name: board.clock_hz / 1e6 for name, board in BOARDS.items()}
    assert megahertz == {
        "icebreaker": 33,
        "hx8k-b-evn": 60,
        "ulx3s-85f": 90,
        "ulx3s-25f": 75,
        "tang-nano-9k": 54,
    }


def test_unknown_board_names_the_nearest() -> None:
    with pytest.raises(SpecError, match=r"icebraker.*Did you mean 'icebreaker'"):
        find_board("icebraker")


@every_board
def test_families_say_what_their_tool_does_not_time(board: Board) -> None:
    family = board.family
    assert family.untimed_ns >= 0
    assert bool(family.untimed) == (family.untimed_ns > 0)
