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


def test_icebreaker_runs_at_24_mhz_within_the_limits_of_its_pll() -> None:
    board = find_board("icebreaker")
    pll = board.clock
    assert isinstance(pll, Ice40Pll)
    assert board.clock_hz == 24_000_000
    reference = board.oscillator_hz / (pll.divr + 1)
    assert 10e6 <= reference <= 133e6
    assert 533e6 <= reference * (pll.divf + 1) <= 1066e6


def test_ecp5_pll() -> None:
    assert Ecp5Pll(reference=1, feedback=2, output=12).output_hz(25_000_000) == 50_000_000


def test_gowin_board_runs_at_54_mhz_within_the_limits_of_its_pll() -> None:
    board = find_board("tang-nano-9k")
    pll = board.clock
    assert isinstance(pll, GowinPll)
    assert board.clock_hz == 54_000_000
    assert 3e6 <= board.oscillator_hz / pll.reference <= 400e6
    assert 400e6 <= board.clock_hz * pll.output <= 1200e6


def test_unknown_board_names_the_nearest() -> None:
    with pytest.raises(SpecError, match=r"icebraker.*Did you mean 'icebreaker'"):
        find_board("icebraker")
