"""What benches of the layer engine share: wrappers, port access, formats of single layers."""

from amaranth import Cat, Module
from amaranth.hdl import Fragment
from amaranth.lib import wiring
from amaranth.lib.wiring import Out, flipped

from golden_model.spec.formats import infer_formats
from golden_model.spec.network import Dense, Learning, Network, Readout
from hdl.passes.stages import Folding
from hdl.rtl.ports import WRITES_OR_READS


def _join(m: Module, own, component, name: str) -> None:
    """Connect a port of a wrapper to the component's port that it stands for."""
    member, port = component.signature.members[name], getattr(component, name)
    if member.is_signature:
        wiring.connect(m, flipped(own), port)
    elif member.flow is Out:
        m.d.comb += own.eq(port)
    else:
        m.d.comb += port.eq(own)


class Group(wiring.Component):
    """Several components side by side, so that one build serves them all.

    Parameters
    ----------
    parts
        Components by name.

    Members
    -------
    ``NAME_PORT`` for every port of every part.
    """

    def __init__(self, **parts) -> None:
        self.parts = parts
        super().__init__(
            {
                f"{name}_{port}": member
                for name, part in parts.items()
                for port, member in part.signature.members.items()
            }
        )

    def elaborate(self, platform):
        m = Module()
        for name, part in self.parts.items():
            m.submodules[name] = part
            for port in part.signature.members:
                _join(m, getattr(self, f"{name}_{port}"), part, port)
        return m


class Recorder:
    """Stands for a platform and notes every memory that a component makes."""

    def __init__(self) -> None:
        self.memories = []

    def get_memory(self, memory):
        """Called by each memory as it is elaborated."""
        self.memories.append(memory)
        return memory.elaborate(None)


class Watched(wiring.Component):
    """A component with a watch on all memories inside it.

    Tools are told that no memory's answer is used when it reads the address that is written in
    the same clock; here stronger: no enabled port reads it, but for one that writes as well. That
    one has a single address: a word read while one is written would be written to a wrong place.

    Parameters
    ----------
    component
        What is watched.

    Members
    -------
    Those of `component`, and

    collision : Out(1)
        1 from the clock behind the first read during write on.
    """

    def __init__(self, component) -> None:
        self.component = component
        self.memories = []
        """All memories inside, once elaborated."""
        super().__init__({**component.signature.members, "collision": Out(1)})

    def elaborate(self, platform):
        m = Module()
        recorder = Recorder()
        m.submodules.component = Fragment.get(self.component, recorder)
        self.memories = recorder.memories
        for port in self.component.signature.members:
            _join(m, getattr(self, port), self.component, port)
        pairs = (
            write.en.any() & read.en & (write.addr == read.addr)
            for memory in self.memories
            for write in memory.write_ports
            for read in memory.read_ports[: -1 if WRITES_OR_READS in memory.attrs else None]
        )
        with m.If(Cat(pairs).any()):
            m.d.sync += self.collision.eq(1)
        return m


def put(handle, value: int) -> None:
    """Drive a port, whatever its sign and width."""
    handle.value = value & ((1 << len(handle)) - 1)


def signed_of(handle) -> int:
    """Value of a signed port."""
    return handle.value.to_signed()


def lanes_of(handle, lanes: int, *, signed: bool = False) -> list[int]:
    """Elements of an array port, the first in the lowest bits."""
    raw, bits = int(handle.value), len(handle) // lanes
    values = [raw >> (bits * lane) & ((1 << bits) - 1) for lane in range(lanes)]
    return [value - (value >> (bits - 1) << bits) if signed else value for value in values]


def packed(values, bits: int) -> int:
    """The reverse: elements of an array port as one number."""
    return sum((int(value) & ((1 << bits) - 1)) << (bits * n) for n, value in enumerate(values))


def tag(format, label: int, learn: int) -> int:
    """A sample's tag, see :func:`hdl.rtl.ports.tag_layout`, as one number."""
    return label | learn << (format.classes - 1).bit_length()


def dense(inputs: int, units: int, classes: int, *, readout: bool = False, **settings):
    """Format of one layer; `settings` are of its learning table, or its ``weight_bits``, or
    ``seed`` and ``coding`` of its network.

    A readout of `classes` units is asked for with `readout`; `units` is then of no effect.
    """
    bits = settings.pop("weight_bits", 16)
    of_network = {key: settings.pop(key) for key in ("seed", "coding") if key in settings}
    network = Network(
        name="bench",
        inputs=1 if readout else inputs,
        classes=classes,
        layers=(Dense(units=inputs if readout else units, weight_bits=bits),),
        readout=Readout(weight_bits=bits) if readout else None,
        learning=Learning(**settings),
        **of_network,
    )
    return infer_formats(network).answer


def folding(pe: int = 1, simd: int = 1, **settings) -> Folding:
    """A folding, onto no memory in particular."""
    chosen = {"single_port": False, "weight_memory": "any", **settings}
    return Folding(pe=pe, simd=simd, **chosen)
