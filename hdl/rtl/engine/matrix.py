"""The matrix of a layer's weights: sums of products and the fused update, in one pass."""

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import ceil_log2

from golden_model.spec.formats import ACTIVATION_BITS, FullyConnected
from hdl.passes.stages import Folding
from hdl.rtl.engine.lane import Lane
from hdl.rtl.engine.sample_buffer import SampleBuffer
from hdl.rtl.engine.sweep import DenseSweep, SparseSweep
from hdl.rtl.engine.visit_map import VisitMap
from hdl.rtl.engine.weight_access import ROW_REQUEST, VALUE_LATENCY, WeightAccess
from hdl.rtl.engine.weight_change import WeightChange
from hdl.rtl.parts.delay import delayed
from hdl.rtl.parts.draws import ACCESS, Generator
from hdl.rtl.parts.weight_memory import WeightMemory
from hdl.rtl.ports import SAMPLE, tag_layout

NAME_TO_READ, CHANGE, NAME_TO_WRITE = 1, 3, 4
"""Clocks from naming a word to reading it, to its change and to writing it, see
:class:`~hdl.rtl.engine.lane.Lane`. In slow memory all that follows the reading comes a clock later;
where halves take turns everything does for the second one."""


def name_to_sum(folding: Folding) -> int:
    """Clocks from naming a group's last word to the sums of its lanes, at least the first half."""
    return (7 if folding.learns else 5) + folding.slow_memory


class Matrix(wiring.Component):
    """``acc[j] = sum_i W[j,i] * x[i]`` over all units, each weight updated just before it is used.

    The fused pass: while weights stream past for the newest sample's sums, the pending update of
    the sample before, ``W[j,i] -= round(d[j] * x[i] / 2**r)``, is applied on their way and they are
    written back. A word takes one clock; name_to_sum clocks later its sums stand.

    In single-port memory the halves of a word take turns: while one is read the other is written,
    see :attr:`~hdl.passes.stages.Folding.takes_turns`.

    Parameters
    ----------
    format, folding
        The layer and its folding.

    Members
    -------
    i, full, empty, tag
        The sample buffer's; the tag is of the sample that waits.
    start
        Pulse: sweep. With `forward` the waiting sample is taken and summed; with `update` the
        pending update of the newest before it is applied. One of the two at least.
    busy
        The sweep has words to name or to write.
    blocked, read, written
        The sweep waits for `release` alone; a word is read, one is written.
    i_gradient
        d of each unit in order of unit, padded to whole groups, for a sweep with `update`; taken
        ahead of the sweep.
    rate
        Rate shift r of the update.
    rounding : Out(ACCESS)
        The stream of stochastic rounding; written only while no sweep runs and `update` is 0.
    sums, sums_valid
        Accumulators of PE units, valid for one clock; where halves take turns the second half of
        them is valid one clock later.
    release
        Pulse: the sums have been worked off, the next may come.
    i_weight, o_weight, initialised
        Access to single weights, while no sweep runs and `update` is 0.

    `update`, `i_gradient` and `rate` are there only if the layer learns, `rounding` only if it
    learns with stochastic rounding.

    Throughput: one visited word per clock, groups x words in a dense sweep; in single-port memory
    each word that is written back takes one clock more.
    Cost: PE x SIMD lanes, the sample buffer and the memory.
    """

    def __init__(self, format: FullyConnected, folding: Folding) -> None:
        self.format, self.folding = format, folding
        sums = data.ArrayLayout(signed(format.accumulator_bits), folding.pe)
        learning = {
            "update": In(1),
            "i_gradient": In(stream.Signature(signed(format.gradient_bits))),
            "rate": In(range(format.rate_shift_max + 1)),
        }
        if folding.dithers(format):
            learning["rounding"] = Out(ACCESS)
        super().__init__(
            {
                "i": In(stream.Signature(SAMPLE)),
                "full": Out(1),
                "empty": Out(1),
                "tag": Out(tag_layout(format)),
                "start": In(1),
                "forward": In(1),
                "busy": Out(1),
                "blocked": Out(1),
                "read": Out(1),
                "written": Out(1),
                "sums": Out(sums),
                "sums_valid": Out(1),
                "release": In(1),
                "i_weight": In(stream.Signature(ROW_REQUEST)),
                "o_weight": Out(stream.Signature(signed(16))),
                "initialised": Out(1),
            }
            | (learning if folding.learns else {})
        )

    def elaborate(self, platform):
        m = Module()
        layer, fold = self.format, self.folding
        m.submodules.buffer = buffer = SampleBuffer(
            inputs=layer.inputs,
            simd=fold.simd,
            bias=layer.bias_input,
            pages=3 if fold.learns else 2,
            signed=layer.signed_input,
        )
        m.submodules.sweep = sweep = self._sweep(m, buffer)
        m.submodules.access = access = WeightAccess(layer, fold)
        connect(m, flipped(self.i), buffer.i)
        connect(m, flipped(self.i_weight), access.i)
        connect(m, access.o, flipped(self.o_weight))
        m.d.comb += [
            self.full.eq(buffer.full),
            self.empty.eq(buffer.empty),
            self.tag.label.eq(buffer.label),
            self.tag.learn.eq(buffer.learn),
            self.initialised.eq(access.initialised),
            buffer.advance.eq(self.start & self.forward),
            sweep.start.eq(self.start),
            sweep.forward.eq(self.forward),
            buffer.address.eq(sweep.word),
            self.blocked.eq(sweep.blocked),
            self.read.eq(sweep.issue),
        ]
        if fold.learns:
            m.d.comb += [
                buffer.repeat.eq(self.start & ~self.forward),
                sweep.update.eq(self.update),
            ]
        to_write = NAME_TO_WRITE + fold.slow_memory
        named = delayed(m, sweep.issue & sweep.write, to_write, name="named")
        m.d.comb += [
            self.busy.eq(sweep.busy | Cat(named[1:]).any()),
            self.written.eq(named[to_write]),
            # The word named now would be read while that one is written, or two words in a row
            # would want the multiplier that two lanes share.
            sweep.hold.eq(
                (named[to_write - NAME_TO_READ] & fold.single_port)
                | (named[1] & sweep.write & fold.takes_turns)
            ),
        ]
        lanes = self._lanes(m, sweep, buffer)
        if fold.learns:
            self._update(m, sweep, buffer, lanes, named)
        self._share_memory(m, sweep, access, lanes)
        self._collect_sums(m, sweep, lanes)
        return m

    def _sweep(self, m, buffer):
        """The sweep through all words, or through those of a visit map."""
        layer, fold = self.format, self.folding
        shape = {"groups": fold.groups(layer), "words": fold.words(layer), "pause": fold.pauses}
        if not fold.skip_zeros:
            return DenseSweep(**shape)
        sweep = SparseSweep(**shape)
        m.submodules.visits = visits = VisitMap(words=fold.words(layer))
        m.d.comb += [
            visits.group_valid.eq(buffer.group_valid),
            visits.group.eq(buffer.group),
            visits.group_nonzero.eq(buffer.group_nonzero),
            visits.advance.eq(buffer.advance),
            visits.index.eq(sweep.index),
            visits.next.eq(sweep.next),
            sweep.entry.eq(visits.entry),
            sweep.count.eq(visits.count),
        ]
        return sweep

    def _lanes(self, m, sweep, buffer):
        """The lanes, unit by unit, fed with activations; the second half, if need be, later."""
        layer, fold = self.format, self.folding
        clocks, lag = name_to_sum(fold), fold.takes_turns
        # The newest activations wait until their weights are updated; no word, no activation.
        summed = delayed(m, sweep.issue & self.forward, clocks - 3, name="summed")[-1]
        operands = []
        for place in range(fold.simd):
            newest = delayed(m, buffer.newest[place], clocks - 4, name=f"newest{place}")[-1]
            operand = Signal(signed(ACTIVATION_BITS + 1), name=f"newest{place}_operand")
            m.d.sync += operand.eq(Mux(summed, newest, 0))
            operands.append(delayed(m, operand, lag, name=f"newest{place}_operand"))
        first = delayed(m, sweep.issue & sweep.first, clocks - 1 + lag, name="first")
        clear = delayed(m, sweep.issue & sweep.last, clocks + lag, name="clear")
        lanes = [Lane(layer, fold) for _ in range(fold.lanes)]
        for number, lane in enumerate(lanes):
            unit, place = divmod(number, fold.simd)
            late = lag and number >= len(lanes) // 2
            m.submodules[f"lane{unit}_{place}"] = lane
            m.d.comb += [
                lane.newest.eq(operands[place][late]),
                lane.first.eq(first[clocks - 1 + late]),
                lane.clear.eq(clear[clocks + late] | ~self.initialised),
            ]
        return lanes

    def _update(self, m, sweep, buffer, lanes, named):
        """Feeds the lanes what they learn from; one operand is scaled, see `Folding`."""
        layer, fold = self.format, self.folding
        scale, slow = Signal(range(layer.rate_shift_max + 1)), fold.slow_memory
        m.d.comb += scale.eq(layer.rate_shift_max - self.rate)
        to_load = 0 if fold.takes_turns else NAME_TO_READ + slow
        load = delayed(m, sweep.issue & sweep.first, to_load, name="load")
        gradients = self._gradients(m, sweep, scale, Cat(load[1:-1]).any())
        if fold.dithers(layer):
            self._dither(m, sweep, lanes)
        previous = [
            delayed(m, x, slow, name=f"previous{place}")[-1]
            for place, x in enumerate(buffer.previous)
        ]
        products = fold.lanes // (1 + fold.takes_turns)
        for number in range(products):
            m.submodules[f"change{number}"] = change = WeightChange(layer, fold)
            x = previous[number % fold.simd]
            m.d.comb += [
                change.load.eq(load[-1]),
                change.previous.eq(x << (0 if fold.hard_update else scale)),
            ]
            if fold.takes_turns:
                m.d.comb += change.learn.eq(named[NAME_TO_READ])
            for turn, lane in enumerate(range(number, fold.lanes, products)):
                m.d.comb += [
                    change.gradients[turn].eq(gradients[lane // fold.simd]),
                    lanes[lane].change.eq(change.o),
                    lanes[lane].learn.eq(named[CHANGE + slow + turn]),
                ]

    def _dither(self, m, sweep, lanes):
        """Random bits for the rounding of each lane's change: of the update, and of its place."""
        layer, fold = self.format, self.folding
        bits = layer.rate_shift_max + layer.rate_offset
        m.submodules.generator = generator = Generator(
            seed=layer.rounding_seed, bits=bits, access=True
        )
        connect(m, flipped(self.rounding), generator.access)
        m.d.comb += generator.next.eq(self.start & self.update)
        group = Signal(range(fold.groups(layer)))
        with m.If(sweep.issue & sweep.last):
            m.d.sync += group.eq(Mux(group == fold.groups(layer) - 1, 0, group + 1))
        place = Signal(bits)
        # unit ^ input but for the low bits, in which the lanes of a word differ.
        m.d.comb += place.eq((group << ceil_log2(fold.pe)) ^ (sweep.word << ceil_log2(fold.simd)))
        clocks = CHANGE + fold.slow_memory
        places = delayed(m, place, clocks + fold.takes_turns, name="place")
        for number, lane in enumerate(lanes):
            unit, column = divmod(number, fold.simd)
            late = fold.takes_turns and number >= len(lanes) // 2
            named = places[clocks + late] ^ (unit ^ column)
            m.d.comb += lane.dither.eq(generator.draw ^ named[:bits][::-1])

    def _gradients(self, m, sweep, scale, in_use):
        """Gradients of the group to come; they stay while `in_use`, until the lanes take them."""
        layer, pe = self.format, self.folding.pe
        operand = signed(self.folding.gradient_operand_bits(layer))
        queue = Signal(data.ArrayLayout(operand, pe), reset_less=True)
        count = Signal(range(pe + 1))
        scaled = Signal(operand)
        m.d.comb += [
            scaled.eq(self.i_gradient.payload << (scale if self.folding.hard_update else 0)),
            sweep.gradients.eq(count[-1]),  # count == pe
            self.i_gradient.ready.eq(~(sweep.gradients | in_use)),
        ]
        with m.If(self.i_gradient.valid & self.i_gradient.ready):
            m.d.sync += [
                queue.eq(Cat(queue.as_value()[scaled.shape().width :], scaled)),
                count.eq(count + 1),
            ]
        with m.If(sweep.issue & sweep.first & self.update):
            m.d.sync += count.eq(0)
        return queue

    def _share_memory(self, m, sweep, access, lanes):
        """The sweep has the memory while it is busy, single accesses have it otherwise.

        Both name a word; what is written, be it drawn or learnt, passes through the lanes.
        """
        layer, fold = self.format, self.folding
        learns, slow, lag = fold.learns, fold.slow_memory, fold.takes_turns
        to_value = VALUE_LATENCY + slow
        to_write = NAME_TO_WRITE + slow if learns else to_value
        word = Mux(sweep.busy, sweep.address, access.address)
        address = delayed(m, word, to_write + lag, name="address")
        learnt = (sweep.issue & sweep.write).replicate(len(lanes))
        write = delayed(m, access.write | learnt, to_write + lag, name="write")
        read = delayed(m, sweep.issue | access.read, NAME_TO_READ + lag, name="read")
        replace = delayed(m, access.write.any(), to_value + lag, name="replace")
        value = delayed(m, access.value, lag, name="value")
        width = len(lanes) // (1 + lag)
        for half in range(1 + lag):
            first = half * width
            m.submodules[f"memory{half}"] = memory = WeightMemory(
                depth=fold.weight_words(layer),
                lanes=width,
                weight_bits=layer.weight_bits,
                single_port=fold.single_port,
                slice_bits=fold.slice_bits,
            )
            m.d.comb += [
                memory.read_address.eq(address[NAME_TO_READ + half]),
                memory.read_enable.eq(read[NAME_TO_READ + half]),
                memory.write_address.eq(address[to_write + half]),
                memory.write_enable.eq(write[to_write + half][first : first + width]),
            ]
            weights = delayed(m, memory.read_data, slow, name=f"weights{half}")[-1]
            for place, lane in enumerate(lanes[first : first + width]):
                written = lane.new_weight if learns else value[half]
                m.d.comb += [
                    lane.weight.eq(weights[place].as_signed()),
                    memory.write_data[place].eq(written),
                    # Through the lanes too, whose registers are nearer than the memory's.
                    access.read_data[first + place].eq(
                        lane.new_weight if learns else memory.read_data[place]
                    ),
                ]
                if learns:
                    m.d.comb += [
                        lane.replace.eq(replace[to_value + half]),
                        lane.value.eq(value[half].as_signed()),
                    ]

    def _collect_sums(self, m, sweep, lanes):
        """Adds the lanes of each unit in a tree, a register behind each level."""
        simd, depth = self.folding.simd, ceil_log2(self.folding.simd)
        for unit in range(self.folding.pe):
            level = [lane.sum for lane in lanes[unit * simd : (unit + 1) * simd]]
            for floor in range(depth):
                pairs = zip(level[::2], level[1::2], strict=True)
                sums = [left + right for left, right in pairs]
                level = [
                    Signal(s.shape(), name=f"sum{unit}_{floor}_{n}") for n, s in enumerate(sums)
                ]
                m.d.sync += [held.eq(s) for held, s in zip(level, sums, strict=True)]
            m.d.comb += self.sums[unit].eq(level[0])
        last = sweep.issue & sweep.last & self.forward
        m.d.comb += self.sums_valid.eq(
            delayed(m, last, name_to_sum(self.folding) + depth, name="last")[-1]
        )
        outstanding = Signal()
        m.d.comb += sweep.credit.eq(~outstanding)
        with m.If(last):
            m.d.sync += outstanding.eq(1)
        with m.Elif(self.release):
            m.d.sync += outstanding.eq(0)
