"""What is asked of the pages of inputs, and of their flags."""

from amaranth import Cat, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden_model.spec.formats import ACTIVATION_BITS
from hdl.passes.sharing import FLAGS, EngineTable, SharedFolding


def sides(folding: SharedFolding) -> int:
    """Rows, and columns, of banks."""
    return 2 if folding.places > 1 else 1


def operands(folding: SharedFolding, *, taps: int = 1) -> data.ArrayLayout:
    """x of each place; of several taps one after the other."""
    return data.ArrayLayout(signed(ACTIVATION_BITS + 1), taps * folding.places)


def inside(outside, odd):
    """Which of two rows or columns of banks to read.

    The second row of places is in the bank of the other parity than the first, which is `odd`; it
    may be `outside` the map.
    """
    return Cat(~(outside & odd), ~(outside & ~odd))


def page_read(table: EngineTable, folding: SharedFolding) -> data.StructLayout:
    """Which bytes a word meets. Bank ``(p, q)``, number ``2 * p + q``, is read at
    ``8 * row[p] + column[q]`` if ``rows[p] & columns[q]``; else it keeps what it gave before.

    Members
    -------
    row, column
        Parts of the addresses, the first in units of 8 bytes with the page's base in it.
        PIXELS, PACKED: see :class:`~hdl.passes.sharing.Layout`. FLAT, input ``n``: row is the base,
        column ``n >> 2`` for all banks, ``n`` for the only one.
    rows, columns
        A bit each: inside the map.
    row_parity, column_parity
        Of the bank that has place 0: place ``(dy, dx)`` gets the byte of bank
        ``(row_parity ^ dy, column_parity ^ dx)``. FLAT: bits 1 and 0 of ``n``.
    bias
        Places get the layer's bias input instead, and nothing is read.
    """
    side = sides(folding)
    return data.StructLayout(
        {
            "row": data.ArrayLayout(range(-(-table.page_depth // FLAGS)), side),
            "column": data.ArrayLayout(range(table.page_depth), side),
            "rows": side,
            "columns": side,
            "row_parity": 1,
            "column_parity": 1,
            "bias": 1,
        }
    )


def flag_port(table: EngineTable, folding: SharedFolding) -> wiring.Signature:
    """Flags as their reader sees them.

    Members
    -------
    address, read
        Of each bank.
    grant
        `read` is answered; else it has to be repeated.
    words
        One clock later, out of the memories; for one clock only, where copies are shared.
    """
    return wiring.Signature(
        {
            "address": Out(data.ArrayLayout(range(table.flag_depth), folding.places)),
            "read": Out(folding.places),
            "grant": In(1),
            "words": In(data.ArrayLayout(FLAGS, folding.places)),
        }
    )


def head_write(table: EngineTable, folding: SharedFolding) -> data.StructLayout:
    """Activations of a place, of consecutive filters, the first one's number divisible by `heads`.

    Members
    -------
    layer, parity
        Whose page it is: the layer that is fed, and its sample's.
    bank, address
        Of the first one's byte. The second follows at the next address, or, FLAT in four banks,
        at the same one of the next bank.
    enable, data
        Of each; filters beyond the layer's are not enabled.
    """
    return data.StructLayout(
        {
            "layer": range(len(table.rows)),
            "parity": 1,
            "bank": range(folding.places),
            "address": range(table.page_depth),
            "enable": folding.heads,
            "data": data.ArrayLayout(ACTIVATION_BITS, folding.heads),
        }
    )


def host_write(table: EngineTable, folding: SharedFolding) -> data.StructLayout:
    """One input of a sample, and the word of flags as far as it has come; the rest of it is 0."""
    return data.StructLayout(
        {
            "bank": range(folding.places),
            "address": range(table.page_depth),
            "data": ACTIVATION_BITS,
            "flag_bank": range(folding.places),
            "flag_address": range(table.flag_depth),
            "flags": FLAGS,
        }
    )
