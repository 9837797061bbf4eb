"""All boards, by name."""

from boards.board import Board
from boards.ecp5 import ULX3S_25F, ULX3S_85F
from boards.gowin import TANG_NANO_9K
from boards.ice40 import HX8K_B_EVN, ICEBREAKER
from golden_model.spec.errors import SpecError, nearest

BOARDS: dict[str, Board] = {
    board.name: board for board in (ICEBREAKER, HX8K_B_EVN, ULX3S_85F, ULX3S_25F, TANG_NANO_9K)
}


def find_board(name: str) -> Board:
    """The board of that name.

    Raises
    ------
    SpecError
        If there is none; the remedy is the nearest name.
    """
    if name not in BOARDS:
        raise SpecError(f"board {name!r}", "there is no such board", nearest(name, BOARDS))
    return BOARDS[name]
