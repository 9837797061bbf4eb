"""Faults that :mod:`sim.mutations` puts into the RTL, one at a time."""

from dataclasses import dataclass

from golden_model.spec.network import Coding, Rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """One fault: text in a module of hdl.rtl, and what stands there instead.

    Members
    -------
    name
        What goes wrong.
    module
        Within hdl.rtl.
    old, new
        `old` must occur exactly once.
    rounding, coding, images
        Of the network that the fault is tried in; `images` is that of :func:`images_schedule`.
    """

    name: str
    module: str
    old: str
    new: str
    rounding: Rounding = Rounding.NEAREST
    coding: Coding = Coding.UNSIGNED
    images: bool = False


OWN_ENGINES = (
    Mutation(
        name="activation rounds down, not half up",
        module="head.activation",
        old="return (value >> shift) + value[shift - 1]",
        new="return value >> shift",
    ),
    Mutation(
        name="activation saturates at 254",
        module="head.activation",
        old="rounded > ACTIVATION_MAX, ACTIVATION_MAX,",
        new="rounded > ACTIVATION_MAX, ACTIVATION_MAX - 1,",
    ),
    Mutation(
        name="activation without ReLU",
        module="head.activation",
        old="self.o.eq(Mux(rounded[-1], 0, positive))",
        new="self.o.eq(positive)",
    ),
    Mutation(
        name="update rounds the other way",
        module="parts.weight_update",
        old="Mux(carry, 0, 1)",
        new="1",
    ),
    Mutation(
        name="stochastic rounding takes the dither's complement",
        module="parts.weight_update",
        old="> ~self.dither",
        new="> self.dither",
        rounding=Rounding.STOCHASTIC,
    ),
    Mutation(
        name="dither of a place not in reverse order",
        module="engine.matrix",
        old="named[:bits][::-1]",
        new="named[:bits]",
        rounding=Rounding.STOCHASTIC,
    ),
    Mutation(
        name="dither goes on with every sweep",
        module="engine.matrix",
        old="generator.next.eq(self.start & self.update)",
        new="generator.next.eq(self.start)",
        rounding=Rounding.STOCHASTIC,
    ),
    Mutation(
        name="weight saturates one early at the lower bound",
        module="parts.weight_update",
        old="other.replicate(self.weight_bits - 1)",
        new="1, other.replicate(self.weight_bits - 2)",
    ),
    Mutation(
        name="weight wraps instead of saturating",
        module="parts.weight_update",
        old="beyond.any() & ~beyond.all()",
        new="0",
    ),
    Mutation(
        name="forward sum sees weights one update late",
        module="engine.lane",
        old="weight = self.new_weight if fold.learns else self.weight",
        new='weight = registered(m, self.weight, name="stale")',
    ),
    Mutation(
        name="classifier signs inverted in the scores",
        module="head.classifier",
        old="write.data.eq(Mux(sign, before - h, before + h))",
        new="write.data.eq(Mux(sign, before + h, before - h))",
    ),
    Mutation(
        name="parallel classifier signs inverted in the scores",
        module="head.classifier",
        old="score.eq(Mux(sign, before - h, before + h))",
        new="score.eq(Mux(sign, before + h, before - h))",
    ),
    Mutation(
        name="classifier signs inverted in the gradient",
        module="head.gradient",
        old="Mux(draw[-1], before - term, before + term)",
        new="Mux(draw[-1], before + term, before - term)",
    ),
    Mutation(
        name="parallel classifier signs inverted in the gradient",
        module="head.gradient",
        old="Mux(draw[-1], -term, term)",
        new="Mux(draw[-1], term, -term)",
    ),
    Mutation(
        name="silent units learn too",
        module="head.gradient",
        old="Mux(self.active, after, 0)",
        new="after",
    ),
    Mutation(
        name="silent units learn too, all classes at once",
        module="head.gradient",
        old="Mux(active, sum(held), 0)",
        new="sum(held)",
    ),
    Mutation(
        name="generator leaps a draw too far",
        module="parts.draws",
        old="parities(state, leap(self.at_a_time))",
        new="parities(state, leap(self.at_a_time + 1))",
    ),
    Mutation(
        name="margin reached counts as missed",
        module="head.error",
        old="positive = ~distance[-1] & distance.any()",
        new="positive = ~distance[-1]",
    ),
    Mutation(
        name="label's margin off by one",
        module="head.error",
        old="self.margin + Mux(is_label, ~self.score, self.score) + is_label",
        new="self.margin + Mux(is_label, ~self.score, self.score)",
    ),
    Mutation(
        name="last class gets the score of the one before",
        module="head.score_walk",
        old="self.address.eq(asked)",
        new="self.address.eq(Mux(asked == last, last - 1, asked))",
    ),
    Mutation(
        name="scores give way to the next sample's while they are read",
        module="head.layer_head",
        old="collector.o.ready.eq(~(first & walk.busy))",
        new="collector.o.ready.eq(1)",
    ),
    Mutation(
        name="sample judged by the label of the one behind it",
        module="engine.layer",
        old="tail.tag.eq(tag)",
        new="tail.tag.eq(matrix.tag)",
    ),
    Mutation(
        name="two words in a row want the multiplier that two lanes share",
        module="engine.matrix",
        old="(named[1] & sweep.write & fold.takes_turns)",
        new="0",
    ),
    Mutation(
        name="lanes that take turns get the same gradient",
        module="engine.weight_change",
        old="first.eq(second), second.eq(first)",
        new="second.eq(first)",
    ),
    Mutation(
        name="ties go to the highest class",
        module="core",
        old="lead.eq(highest - self.i.payload)",
        new="lead.eq(highest - self.i.payload - 1)",
    ),
    Mutation(
        name="bias one too small",
        module="engine.matrix",
        old="bias=layer.bias_input",
        new="bias=layer.bias_input - 1",
    ),
    Mutation(
        name="newest input without its sign",
        module="engine.matrix",
        old="buffer.newest[place]",
        new="buffer.newest[place].as_unsigned()",
        coding=Coding.SIGNED,
    ),
    Mutation(
        name="input of the update without its sign",
        module="engine.matrix",
        old="delayed(m, x, slow",
        new="delayed(m, x.as_unsigned(), slow",
        coding=Coding.SIGNED,
    ),
    Mutation(
        name="activations have a sign too",
        module="engine.matrix",
        old="signed=layer.signed_input",
        new="signed=True",
        coding=Coding.SIGNED,
    ),
    Mutation(
        name="visit map forgets the words of the sample before",
        module="engine.visit_map",
        old="entry.own.any() | entry.before.any()",
        new="entry.own.any()",
    ),
    Mutation(
        name="word of the bias is not visited",
        module="engine.sweep",
        old="visits.any() | is_bias",
        new="visits.any()",
    ),
    Mutation(
        name="word skipped where only its update is due is not written",
        module="engine.sweep",
        old="Mux(self.forward, entry.before, entry.own)",
        new="Mux(self.forward, entry.own, entry.own)",
    ),
    Mutation(
        name="memory of one port is read while it is written",
        module="engine.matrix",
        old="(named[to_write - NAME_TO_READ] & fold.single_port)",
        new="0",
    ),
    Mutation(
        name="initial weights drawn without sign",
        module="engine.weight_access",
        old="drawn.eq(Cat(1, generator.draw).as_signed())",
        new="drawn.eq(Cat(1, generator.draw))",
    ),
    Mutation(
        name="update applied to the newest sample's inputs",
        module="engine.sample_buffer",
        old="shown.append((self.previous, roles[2]))",
        new="shown.append((self.previous, newest))",
    ),
    Mutation(
        name="idle before the last update is drained",
        module="engine.layer",
        old="free & matrix.empty & ~pending &",
        new="free & matrix.empty &",
    ),
    Mutation(
        name="wide counter misses the narrow one's wrap",
        module="parts.register_file",
        old="before[len(count) :] + wrapped",
        new="read.data[len(count) :]",
    ),
    Mutation(
        name="samples without error leave an update",
        module="engine.layer",
        old="pending.eq(tail.any)",
        new="pending.eq(1)",
    ),
)
"""In engines of single layers, and in what a core has once."""
