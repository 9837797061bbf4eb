"""Network descriptions as TOML files."""

import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, fields
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from golden_model.spec.errors import SpecError, nearest
from golden_model.spec.network import LAYER_TYPES, Hidden, Learning, Network, Readout, field_names
from golden_model.spec.scaler import Scaler

Record = TypeVar("Record")

BYTE_ORDER_MARK = "\ufeff"
"""What some editors begin a file with."""

INTEGERS = range(-(2**63), 2**63)
"""Of TOML's integers. Errors show values, and Python does not print numbers without end."""

ELSEWHERE = {
    "activation": "Leave it out: hidden layers have ReLU, the readout has none",
    "batch_size": "Leave it out: each sample is learnt before the next one comes",
    "bias": "Leave it out: every unit has one",
    "epochs": "Write it under [learning], or say --epochs when you train",
    "learning_rate": "Write rate_shift: an update is divided by 2**rate_shift",
    "padding": "Leave it out: convolutions have none",
    "stride": "Leave it out: convolutions have stride 1",
}
"""Keys that other tools have: what to do here, where the nearest key would mislead."""


def known_networks() -> list[str]:
    """Names of the described networks that come with the package."""
    folder = resources.files("golden_model.networks")
    return sorted(item.name[:-5] for item in folder.iterdir() if item.name.endswith(".toml"))


def load_network(name_or_file: str) -> Network:
    """The network of that name, or of that file if the text ends in ``.toml``.

    Raises
    ------
    SpecError
        If there is no such network, the file cannot be read or breaks a rule.
    """
    return parse_network(network_text(name_or_file), name_or_file)


def network_text(name_or_file: str) -> str:
    """What the file says that :func:`load_network` would read, line ends kept; raises alike."""
    if name_or_file.endswith(".toml"):
        try:
            return Path(name_or_file).read_bytes().decode()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
            rule = f"it cannot be read ({reason})"
            raise SpecError(f"network file {name_or_file!r}", rule, "Name a TOML file") from error
    if name_or_file in known_networks():
        path = resources.files("golden_model.networks") / f"{name_or_file}.toml"
        return path.read_text(encoding="utf-8")
    rule = "it is neither a known network nor a .toml file"
    raise SpecError(f"network {name_or_file!r}", rule, nearest(name_or_file, known_networks()))


def parse_network(text: str, where: str = "the description") -> Network:
    """The network that a TOML text describes; see :func:`load_network` for what it raises."""
    try:
        table = tomllib.loads(text.removeprefix(BYTE_ORDER_MARK))
        _check_integers(table)
    except tomllib.TOMLDecodeError as error:
        raise SpecError(where, f"it is not TOML ({error})", "Correct that line") from error
    except RecursionError as error:
        rule = "its lists or tables are nested too deeply"
        raise SpecError(where, rule, "A description needs two levels of them") from error
    except ValueError as error:
        rule = "integers of TOML have 64 bits, and one has more"
        raise SpecError(where, rule, "Write a smaller number") from error
    table["learning"] = _record(Learning, table.get("learning", {}), "learning")
    layers = table.get("layers", [])
    if not isinstance(layers, list):
        raise SpecError(
            "layers", "layers are a list of tables", "Write [[layers]], twice bracketed"
        )
    table["layers"] = tuple(_layer(layer, f"layers[{n}]") for n, layer in enumerate(layers))
    if "scaler" in table:
        table["scaler"] = _record(Scaler, table["scaler"], "scaler")
    if "readout" in table:
        table["readout"] = _record(Readout, table["readout"], "readout")
    return _record(Network, table, "the description")


def _check_integers(value: object) -> None:
    """Raise a ValueError for what TOML does not have, as tomllib does for more than 4300 digits."""
    if isinstance(value, Mapping | list):
        for item in value.values() if isinstance(value, Mapping) else value:
            _check_integers(item)
    elif isinstance(value, int) and value not in INTEGERS:
        raise ValueError(f"an integer of {value.bit_length()} bits")


def _layer(table: Any, where: str) -> Hidden:
    kind = table.get("type", "dense") if isinstance(table, Mapping) else None
    if isinstance(kind, str) and kind not in LAYER_TYPES:
        rule = "there is no such layer type"
        raise SpecError(f"{where}.type = {kind!r}", rule, nearest(kind, LAYER_TYPES))
    if not isinstance(kind, str):
        rule = "a layer is a table and its type a name"
        raise SpecError(f"{where} = {table!r}", rule, 'Write [[layers]] and type = "dense"')
    return _record(LAYER_TYPES[kind], {k: v for k, v in table.items() if k != "type"}, where)


def _record(kind: type[Record], table: Any, where: str) -> Record:
    """`table` as a dataclass: unknown and missing keys become errors that name the key."""
    if not isinstance(table, Mapping):
        raise SpecError(f"{where} = {table!r}", "it must be a table", f"Write [{where}]")
    for key in table:
        if key not in field_names(kind):
            rule = f"{where} has no such key"
            remedy = ELSEWHERE.get(key) or nearest(key, field_names(kind))
            raise SpecError(f"key {key!r}", rule, remedy)
    for item in fields(kind):  # type: ignore[arg-type]  # a TypeVar cannot say "dataclass"
        required = item.default is MISSING and item.default_factory is MISSING
        if required and item.name not in table:
            rule = f"{where} must have it"
            raise SpecError(f"key {item.name!r} is missing", rule, f"Add {item.name} = ...")
    return kind(**table)
