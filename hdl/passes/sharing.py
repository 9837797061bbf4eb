"""An engine that layers share: its folding, and the table that tells it where each layer stands.

All kinds of layer read alike here: *filters* (units) slide over an input of ``height x width``
pixels of ``channels``; a dense layer has one window that sees every pixel. What an engine keeps of
each layer lies in memories that all layers share; a :class:`Row` says from where on.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

from golden_model.spec.conv import ConvFormat
from golden_model.spec.layer import LayerFormat

FLAGS = 8
"""Inputs whose zeros are looked at together."""
PLACES = 4
"""Places of a 2 x 2 block, which share each weight."""
PACKED_CHANNELS = 4
"""Of an image whose flags follow each other along a row."""
LONE_WORD = 8
"""Clocks of a word that an update changes, from its steps to the next one's; a power of two."""
HEAD_PERIOD = 4
"""Least clocks of a window in the head: what is added to is read again no sooner."""


class Layout(Enum):
    """How the inputs of a layer are spread over four banks, and their zero flags over four more.

    A bank of inputs has a byte, one of flags a word of eight bits at an address.

    PIXELS
        Convolution; channels padded to whole words of flags. Bank (row & 1, column & 1), address
        ``(row >> 1) * row_stride + (column >> 1) * stride + channel``; the flags' bank is the same,
        their address that one ``>> 3``.
    PACKED
        Convolution over at most four channels, the network's own image. Inputs as before; flags of
        a row of pixels follow each other, bit ``n & 7`` of word ``w = n >> 3`` for
        ``n = column * stride + channel``: bank (row & 1, w & 1), address
        ``(row >> 1) * (row_stride >> 3) + (w >> 1)``.
    FLAT
        Dense and readout. Input ``n = pixel * stride + channel`` in bank (n >> 1 & 1, n & 1) at
        ``n >> 2``, or, of one bank, at ``n``; flags in bank (0, 0) at ``n >> 3``.
    """

    PIXELS = 0
    PACKED = 1
    FLAT = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedFolding:
    """How layers that take turns on one engine are folded onto it.

    Members
    -------
    pe
        Filters at a time: 1, 2, 4 or a multiple of 8; a weight word holds one tap of each.
    places
        Places at a time: 4, or 1 where no layer is a convolution.
    heads
        Filters that the head takes in a clock, 1 or 2; divides pe.
    weight_memory, single_port, slow_memory
        Kind of memory block that holds the weights; it makes one access per clock; what is read
        from any memory passes through a register.
    single_port_winners
        Winners are in blocks that make one access per clock, too; not with slow memory. The update
        gives way to the head.
    lone_words
        A word that the update changes has the pipeline for itself; not with slow memory. Without
        convolutions that takes the longer.
    page_copies
        2: sweep and update read inputs from copies of their own; 1: the update gives way.
    clear_slot
        Sums begin empty, a clock behind the last word before; multiplier blocks add them up.
    hard_forward, hard_update
        Whether the products ``W * x`` and ``d * x`` use hard multipliers.
    classifier_rom
        The random classifier is read from a ROM; else it is generated again and again.
    parallel_classes
        All classes are scored, and all errors summed, at once; else one after the other.
    skip_zeros
        Blocks of inputs that are all zero are left out.
    learns
        False for an engine that only infers.
    update_port
        The update reads weights at the port at which it writes them, which is not single, and the
        sweep never waits for it.
    taps
        That an update visits at a time, 1 or 2. Two, of layers that are PIXELS, stand side by side
        in a word of a page: it wants two heads and two copies of pages.
    """

    pe: int
    places: int = PLACES
    heads: int = 1
    weight_memory: str
    single_port: bool = False
    slow_memory: bool = False
    single_port_winners: bool = False
    lone_words: bool = False
    page_copies: int = 2
    clear_slot: bool = False
    hard_forward: bool = True
    hard_update: bool = False
    classifier_rom: bool = True
    parallel_classes: bool = True
    skip_zeros: bool = True
    learns: bool = True
    update_port: bool = False
    taps: int = 1

    def taps_of(self, row: "Row") -> int:
        """Taps of a layer that an update visits at a time."""
        return self.taps if row.layout is Layout.PIXELS else 1

    @property
    def lanes(self) -> int:
        """Sums that are formed at a time."""
        return self.pe * self.places

    @property
    def head_clocks(self) -> int:
        """Clocks of a window in the head, for each place that is an output of its own."""
        return max(self.pe // self.heads, HEAD_PERIOD)

    @property
    def place_by_place(self) -> bool:
        """Whether the head takes the places of a window one after another.

        With one filter at a time that saves most of it; and their sums need not be held, as the
        sweep waits for it.
        """
        return self.places == HEAD_PERIOD and self.pe == 1 and not self.slow_memory

    def window_clocks(self, row: "Row") -> int:
        """Clocks that the head takes for a window.

        Place by place no word is named in so many behind a window's last one; else only no other
        last one.
        """
        return self.head_clocks * row.outputs_per_window + 2 * self.place_by_place

    @property
    def lookup_clocks(self) -> int:
        """Clocks from the place of a block of inputs to those of them that are visited.

        Where no flags are read and memories are fast, nothing needs a register on the way.
        """
        return 3 + self.slow_memory if self.skip_zeros else int(self.slow_memory)

    @property
    def word_period(self) -> int:
        """Clocks from a word that the update changes to the next one.

        Each word in the pipeline has registers of its own, `pe` steps wide. Devices whose memories
        want a register have plenty; on one port a read and a write take two clocks anyway.
        """
        if self.lone_words:
            return LONE_WORD
        return 1 if self.slow_memory and not self.one_port else 2

    @property
    def one_port(self) -> bool:
        """Whether the update reads and writes weights at one port."""
        return self.single_port or self.update_port


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One layer in an engine's table.

    Members
    -------
    format
        The layer.
    layout
        Of its inputs.
    height, width, channels, stride
        Of the input; bytes from a pixel to the next one in its bank (of a flat layer: anywhere).
    row_stride
        Bytes of a row of pixels in a bank, a multiple of 8; 0 for a flat layer.
    window_rows, window_columns
        Blocks of 2 x 2 places, hanging over the edge where the map is odd and not pooled; 1 x 1
        for a flat layer.
    outputs_per_window
        Activations of a filter in a window: 4 of a convolution without pooling, else 1.
    groups
        Of PE filters, the last one padded.
    taps
        Padded: weight word ``base + group * (taps + 1) + tap``, and the bias behind them. Tap
        ``(ky * kernel + kx) * stride + channel``, of a flat layer ``pixel * stride + channel``.
    flag_words
        Words of flags to look at: of a pixel (PIXELS), of a row of pixels (PACKED), of all (FLAT).
    banks
        Of the input, and as many of flags: the engine's places.
    weight_base, page_bases, flag_bases, winner_base, group_base, draw_base
        Where it begins: weight words; bytes and words of flags in each bank, for samples of even
        and of odd number; entries of winners; groups and rows of the classifier of all layers
        before it.
    """

    format: LayerFormat
    layout: Layout
    height: int
    width: int
    channels: int
    stride: int
    row_stride: int
    window_rows: int
    window_columns: int
    outputs_per_window: int
    groups: int
    taps: int
    flag_words: int
    banks: int
    weight_base: int = 0
    page_bases: tuple[int, int] = (0, 0)
    flag_bases: tuple[int, int] = (0, 0)
    winner_base: int = 0
    group_base: int = 0
    draw_base: int = 0

    @property
    def windows(self) -> int:
        """Of each group."""
        return self.window_rows * self.window_columns

    @property
    def words(self) -> int:
        """Weight words of a group, that of the bias among them."""
        return self.taps + 1

    @property
    def weight_words(self) -> int:
        """Weight words of the layer."""
        return self.groups * self.words

    @property
    def winners(self) -> int:
        """Entries of winners of a group, at most."""
        return self.windows * self.outputs_per_window

    @property
    def tap_pixels(self) -> int:
        """Pixels that a filter sees at a time."""
        return self.taps // self.stride

    @property
    def tap_channels(self) -> int:
        """Inputs of each of them, without padding."""
        return self.format.inputs // self.tap_pixels

    @property
    def page_depth(self) -> int:
        """Bytes of a sample in a bank, in whole units of 8, so that pages begin at such ones."""
        if self.layout is Layout.FLAT:
            return _padded(-(-self.taps // self.banks))
        return -(-self.height // 2) * self.row_stride

    @property
    def flag_depth(self) -> int:
        """Words of flags of a sample in a bank."""
        if self.layout is Layout.FLAT:
            return self.flag_words
        return -(-self.height // 2) * self.row_stride // FLAGS

    @property
    def scored(self) -> bool:
        """Whether a random classifier scores it."""
        return not self.format.reads_out


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineTable:
    """All layers of an engine, and how large its memories are.

    Members
    -------
    rows
        In order of layer.
    weight_words, page_depth, flag_depth, winners, groups, draws
        Words of the weight memory; bytes of a bank of inputs and words of one of flags; entries of
        winners, groups, and rows of the classifier, of all layers.
    """

    rows: tuple[Row, ...]
    weight_words: int
    page_depth: int
    flag_depth: int
    winners: int
    groups: int
    draws: int


def weight_depth(table: EngineTable, folding: SharedFolding) -> int:
    """Words of the weight memory.

    A power of two where the update has a port of its own: tools then take blocks that are deep
    enough, and no multiplexer stands behind them, whose inputs would come from all over the chip.
    """
    words = table.weight_words
    return 1 << (words - 1).bit_length() if folding.update_port else words


def table(layers: Sequence[LayerFormat], folding: SharedFolding) -> EngineTable:
    """Where each of `layers`, in order, stands on an engine folded so."""
    shapes: list[Row] = []
    for layer in layers:
        shapes.append(_row(layer, folding, shapes[-1] if shapes else None))
    pages, flags = sum(s.page_depth for s in shapes), sum(s.flag_depth for s in shapes)
    rows: list[Row] = []
    weights = page = flag = winner = group = draw = 0
    for shape in shapes:
        rows.append(
            replace(
                shape,
                weight_base=weights,
                page_bases=(page, page + pages),
                flag_bases=(flag, flag + flags),
                winner_base=winner,
                group_base=group,
                draw_base=draw,
            )
        )
        weights += shape.weight_words
        page, flag = page + shape.page_depth, flag + shape.flag_depth
        winner += shape.groups * shape.winners
        group += shape.groups
        if shape.scored:
            draw += shape.groups * folding.pe * shape.format.regions
    return EngineTable(
        rows=tuple(rows),
        weight_words=weights,
        page_depth=2 * pages,
        flag_depth=2 * flags,
        winners=winner,
        groups=group,
        draws=draw,
    )


def _row(layer: LayerFormat, folding: SharedFolding, below: Row | None) -> Row:
    """A layer's shape; `below` is the layer on the same engine that feeds it."""
    groups = -(-layer.units // folding.pe)
    if not isinstance(layer, ConvFormat):
        stride, taps = layer.inputs, layer.inputs
        if below is not None:
            # As the layer below leaves it, so that flags of one pixel fill whole words.
            pixels, units = math.prod(below.format.pooled_shape), below.format.units
            stride = _padded(units) if pixels > 1 else units
            taps = pixels * stride
        return Row(
            format=layer,
            layout=Layout.FLAT,
            height=1,
            width=1,
            channels=layer.inputs,
            stride=stride,
            row_stride=0,
            window_rows=1,
            window_columns=1,
            outputs_per_window=1,
            groups=groups,
            taps=taps,
            flag_words=-(-taps // FLAGS),
            banks=folding.places,
        )
    height, width, channels = layer.image
    packed = layer.index == 0 and channels <= PACKED_CHANNELS
    stride = 1 << (channels - 1).bit_length() if packed else _padded(channels)
    flag_words = -(-width * stride // FLAGS) if packed else stride // FLAGS
    row_stride = FLAGS * -(-flag_words // 2) if packed else -(-width // 2) * stride
    rows, columns = layer.pooled_shape if layer.pool == 2 else layer.map_shape
    hanging = layer.pool == 1
    return Row(
        format=layer,
        layout=Layout.PACKED if packed else Layout.PIXELS,
        height=height,
        width=width,
        channels=channels,
        stride=stride,
        row_stride=row_stride,
        window_rows=-(-rows // 2) if hanging else rows,
        window_columns=-(-columns // 2) if hanging else columns,
        outputs_per_window=PLACES if hanging else 1,
        groups=groups,
        taps=layer.kernel**2 * stride,
        flag_words=flag_words,
        banks=folding.places,
    )


def _padded(channels: int) -> int:
    """Channels in whole words of flags."""
    return FLAGS * -(-channels // FLAGS)
