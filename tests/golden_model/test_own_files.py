"""Samples as people have them: .csv, pairs of .npy, .npz without parts, labels of any kind."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from golden_model.data import table_file
from golden_model.data.classes import as_classes
from golden_model.data.dataset import load_data
from golden_model.data.own_files import RawData, read_own, read_samples
from golden_model.data.table_file import read_table
from golden_model.files import Arrays
from golden_model.spec.errors import SpecError
from golden_model.spec.network import Coding, Dense, Network

NETWORK = Network(
    name="own", inputs=4, classes=3, layers=(Dense(units=2),), coding=Coding.TWO_CHANNELS
)
"""Of two features."""

FLOWERS = "width,length,species\n1.5,2,setosa\n-3,4e1,virginica\n5, 6.25,setosa\n"


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_table(delimiter: str, mark: str, end: str, tmp_path: Path) -> None:
    text = mark + FLOWERS.replace(",", delimiter).replace("\n", end) + end
    (tmp_path / "own.csv").write_bytes(text.encode())
    table = read_table(tmp_path / "own.csv")
    assert table.columns == ("width", "length")
    assert table.features.tolist() == [[1.5, 2], [-3, 40], [5, 6.25]]
    assert table.features.dtype == np.float64
    assert table.labels is not None
    assert table.labels.tolist() == ["setosa", "virginica", "setosa"]
    assert table.parts is None


@pytest.mark.parametrize(
    ("names", "label", "columns"),
    [
        ("a,b,c", None, ("a", "b")),
        ("Class,b,c", None, ("b", "c")),
        ("a,b,c", "b", ("a", "c")),
        ("a,target,c", "c", ("a", "target")),
        ("0,1,2", "0", None),
        ("0,1,label", None, ("0", "1")),
        ('"a,b",c,d', None, ("a,b", "c")),
    ],
)
def test_which_column_is_the_label(
    names: str, label: str | None, columns: tuple[str, ...] | None, tmp_path: Path
) -> None:
    file = written(tmp_path / "own.csv", f"{names}\n1,2,3\n4,5,6\n")
    if columns is None:
        with pytest.raises(SpecError, match="holds numbers, and should name the columns"):
            read_table(file, label)
    else:
        table = read_table(file, label)
        assert table.columns == columns
        assert table.labels is not None
        assert sorted([*table.features[0].astype(int).astype(str), table.labels[0]]) == [*"123"]


def test_bytes_stay_bytes(tmp_path: Path) -> None:
    """Pixels as a table: what a network of unsigned inputs takes."""
    table = read_table(written(tmp_path / "own.csv", "label,a,b\n7,0,255\n2,13,1.0\n"))
    assert table.features.dtype == np.uint8
    table = read_table(written(tmp_path / "own.csv", "label,a,b\n7,0,256\n"))
    assert table.features.dtype == np.float64


WRONG_TABLES = {
    "an empty cell": ("a,b,y\n1,2,0\n\n3,,1\n", r"line 4 of .*, column 'b': ''.*not measured"),
    "nan": ("a,b,y\nnan,2,0\n", r"line 2 of .*, column 'a': 'nan'.*leave the line out"),
    "inf": ("a,b,y\n1,inf,0\n", r"column 'b': 'inf'.*not measured"),
    "a text": (
        "a,b,y\n1,red,0\n",
        r"line 2 of .*, column 'b': 'red': features are numbers.*--label",
    ),
    "a decimal comma": ("a;b;y\n1,5;2;0\n", r"'1,5': numbers have a decimal point"),
    "an underscore": ("a,b,y\n1_0,2,0\n", r"'1_0': features are numbers"),
    "no header": ("1,2,0\n3,4,1\n", "first line .*holds numbers, and should name the columns"),
    "no header before names": ("5.1,3.5,setosa\n4.9,3,setosa\n", "holds numbers, and should name"),
    "nothing": ("", "it is empty"),
    "row numbers": (",a,y\n0,1,2\n", r"column 1 of .*has no name.*index=False"),
    "twice": ("a,a,y\n1,1,2\n", r"two columns of .*'a'"),
    "a short line": ("a,b,y\n1,2,0\n1,2\n", r"line 3 of .*has 2 values: the first line names 3"),
    "no delimiter": ("a b y\n1 2 0\n", r"the column 'a b y' alone"),
    "two labels": ("a,class,target\n1,2,0\n", r"'class' and 'target': either may be the label"),
    "no label": ("a,b,y\n1,2,\n", r"line 2 of .*, column 'y': ''.*each sample has a label"),
    "a third part": ("a,split,y\n1,valid,0\n", r"line 2 of .*of the part 'valid'"),
    "an open quote": ('a,b,y\n1,"2,0\n', r"line 2 of .*breaks off there.*quotation mark"),
    "names alone": ("a,b,y\n", r"has no samples: the first line only names"),
}


@pytest.mark.parametrize("what", WRONG_TABLES)
def test_what_a_wrong_table_gets(what: str, tmp_path: Path) -> None:
    text, message = WRONG_TABLES[what]
    with pytest.raises(SpecError, match=message):
        read_table(written(tmp_path / "own.csv", text))


def test_what_is_no_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own.csv").write_bytes("a,b,größe\n1,2,3\n".encode("cp1252"))
    with pytest.raises(
        SpecError, match=r"no table of UTF-8 text.*Name a .csv file, saved in UTF-8"
    ):
        read_table(tmp_path / "own.csv")
    with pytest.raises(SpecError, match="No such file"):
        read_table(tmp_path / "absent.csv")
    file = written(tmp_path / "own.csv", FLOWERS)
    with pytest.raises(SpecError, match=r"has no such column\. Did you mean 'species'"):
        read_table(file, "specie")
    monkeypatch.setattr(table_file, "check_size", lambda path, size: sizes.append(size))
    sizes: list[int] = []
    read_table(file)
    assert sizes == [len(FLOWERS), 8 * 6]


def test_a_table_says_what_is_for_test(tmp_path: Path) -> None:
    text = "a,Split,b,y\n1,train,2,x\n3,test,4,y\n5,train,6,z\n"
    raw = read_own(written(tmp_path / "own.csv", text))
    assert raw.columns == ("a", "b")
    assert raw.rows is not None
    assert raw.rows.tolist() == [1]
    assert {key: array.tolist() for key, array in raw.arrays.items()} == {
        "x_train": [[1, 2], [5, 6]],
        "y_train": ["x", "z"],
        "x_test": [[3, 4]],
        "y_test": ["y"],
    }
    with pytest.raises(SpecError, match="no sample for test"):
        read_own(written(tmp_path / "own.csv", text.replace("test", "train")))


def test_samples_without_labels(tmp_path: Path) -> None:
    file = written(tmp_path / "own.csv", "a,b\n1,2\n")
    assert read_samples(file, features=2).arrays.keys() == {"x"}
    assert read_samples(file, features=1).arrays["y"].tolist() == ["2"]
    labelled = read_samples(written(tmp_path / "own.csv", FLOWERS), features=2)
    assert labelled.arrays["y"].tolist() == ["setosa", "virginica", "setosa"]
    for name in ("any.npy", "x.npy"):
        np.save(tmp_path / name, np.ones((2, 3)))
        assert read_samples(tmp_path / name).arrays.keys() == {"x"}
    np.save(tmp_path / "y.npy", np.ones(2))
    assert read_samples(tmp_path / "x.npy").arrays.keys() == {"x", "y"}
    np.savez(tmp_path / "own.npz", x_test=np.ones((2, 3)), y_test=np.ones(2), x_train=np.ones(5))
    assert read_samples(tmp_path / "own.npz").arrays["x"].shape == (2, 3)
    np.savez(tmp_path / "own.npz", z=np.ones(2))
    with pytest.raises(SpecError, match=r"neither: samples of an \.npz file are named x"):
        read_samples(tmp_path / "own.npz")


def test_a_label_that_is_read_as_a_feature_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One feature is missing, perhaps, and then the columns are as many as the features."""
    file = written(tmp_path / "own.csv", "a,Label\n1,2\n")
    assert read_samples(file, features=1).arrays.keys() == {"x", "y"}
    assert not capsys.readouterr().err
    assert read_samples(file, features=2).arrays.keys() == {"x"}
    assert capsys.readouterr().err == (
        f"Note: column 'Label' of {str(file)!r} is read as a feature: "
        "the network has 2, and the file no more columns.\n"
    )
    with pytest.raises(SpecError, match="'moss': features are numbers"):
        read_samples(written(file, "a,Label\n1,moss\n"), features=2)
    assert not capsys.readouterr().err


@pytest.mark.parametrize(("x", "y"), [("x", "y"), ("X", "y"), ("plants_x", "plants_y")])
def test_pairs_of_npy(x: str, y: str, tmp_path: Path) -> None:
    np.save(tmp_path / f"{x}.npy", np.ones((2, 3)))
    with pytest.raises(SpecError, match=rf"{y}\.npy': it cannot be read"):
        read_own(tmp_path / f"{x}.npy")
    np.save(tmp_path / f"{y}.npy", np.array([4, 5]))
    arrays = read_own(tmp_path / f"{x}.npy").arrays
    assert arrays["x"].shape == (2, 3)
    assert arrays["y"].tolist() == [4, 5]


def test_what_is_no_pair_of_npy(tmp_path: Path) -> None:
    np.save(tmp_path / "max.npy", np.ones(3))
    with pytest.raises(SpecError, match=r"named x\.npy beside y\.npy"):
        read_own(tmp_path / "max.npy")
    (tmp_path / "x.npy").write_bytes(b"text")
    with pytest.raises(SpecError, match=r"not an \.npy file of a plain array"):
        read_own(tmp_path / "x.npy")
    np.save(tmp_path / "x.npy", np.array([{}], object))
    with pytest.raises(SpecError, match=r"x\.npy': it holds Python objects"):
        read_own(tmp_path / "x.npy")
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1099511627776,), }"
    size = len(header).to_bytes(2, "little")
    (tmp_path / "x.npy").write_bytes(b"\x93NUMPY\x01\x00" + size + header)
    with pytest.raises(SpecError, match="announces 8796093022208 bytes"):
        read_own(tmp_path / "x.npy")
    np.savez(tmp_path / "own.npz", x=np.ones((2, 3)), y=np.ones(2))
    with pytest.raises(SpecError, match=r"only columns of a \.csv"):
        read_own(tmp_path / "own.npz", "species")


@pytest.mark.parametrize(
    ("keys", "lacking"), [("x", "y"), ("y", "x"), ("z", "x_train, y_train, x_test, y_test")]
)
def test_what_an_npz_file_lacks(keys: str, lacking: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "own.npz", **{keys: np.ones(2)})  # type: ignore[arg-type]
    with pytest.raises(SpecError, match=rf"own\.npz has no {lacking}: "):
        read_own(tmp_path / "own.npz")


NAMED = replace(NETWORK, labels=("no", "maybe", "yes"))
NUMBERED = replace(NETWORK, labels=("10", "5", "-1"))


@pytest.mark.parametrize(
    ("network", "labels", "classes", "names"),
    [
        (NETWORK, [2, 0, 1, 1], [2, 0, 1, 1], ()),
        (NETWORK, [1, 0, 1, 1], [1, 0, 1, 1], ()),
        (NETWORK, [1, 2, 3, 2], [0, 1, 2, 1], ("1", "2", "3")),
        (NETWORK, [-1, 10, 5, 5], [0, 2, 1, 1], ("-1", "5", "10")),
        (NETWORK, [1.0, 2.0, 0.0, 2.0], [1, 2, 0, 2], ()),
        (NETWORK, ["10", "9", "11", "9"], [1, 0, 2, 0], ("9", "10", "11")),
        (NETWORK, ["b", "c", "a", "c"], [1, 2, 0, 2], ("a", "b", "c")),
        (NETWORK, [b"b", b"c", b"a", b"c"], [1, 2, 0, 2], ("a", "b", "c")),
        (NETWORK, [[1], [2], [0], [0]], [1, 2, 0, 0], ()),
        (NETWORK, [["b"], ["a"], ["c"], ["c"]], [1, 0, 2, 2], ("a", "b", "c")),
        (NETWORK, [[0, 1, 0], [0, 0, 1], [1, 0, 0], [0, 1, 0]], [1, 2, 0, 1], ()),
        (NETWORK, [[0, 1.0], [1.0, 0], [0, 1], [0, 1]], [1, 0, 1, 1], ()),
        (NETWORK, [True, False, True, True], [1, 0, 1, 1], ()),
        (NAMED, ["yes", "no", "no", "yes"], [2, 0, 0, 2], NAMED.labels),
        (NAMED, [2, 0, 1, 1], [2, 0, 1, 1], NAMED.labels),
        (NUMBERED, [10, -1, 5, 5], [0, 2, 1, 1], NUMBERED.labels),
        (NUMBERED, ["-1.0", "5", "5", "5"], [2, 1, 1, 1], NUMBERED.labels),
    ],
)
def test_labels_become_classes(
    network: Network, labels: list[object], classes: list[int], names: tuple[str, ...]
) -> None:
    """The last one stands for a test set: its labels count too."""
    y = np.array(labels)
    found, found_names = as_classes({"train": y[:3], "test": y[3:]}, network)
    assert [*found["train"].tolist(), *found["test"].tolist()] == classes
    assert found["train"].dtype == np.uint8
    assert found_names == names


@pytest.mark.parametrize(
    ("network", "labels", "message"),
    [
        (NETWORK, ["a", "b"], r"y: 2 different labels \(a, b\): this network has 3 classes"),
        (NETWORK, [5, 6, 7, 8], r"4 different labels.*Write classes = 4"),
        (NAMED, ["no", "yess"], r"label 'yess' in y: the network has no class.*mean 'yes'"),
        (NAMED, [0, 3], r"label '3' in y"),
        (NUMBERED, [0, 1], r"label '0' in y"),
        (NETWORK, [[1, 1, 0], [0, 0, 1]], r"y\[0\] is \[1, 1, 0\].*a row with a 1"),
        (NETWORK, [[1, 0, 0], [0, 0, 0]], r"y\[1\] is \[0, 0, 0\]"),
        (NETWORK, [[1, 0, 0], [0, 0.5, 1]], r"y\[1, 1\] is 0.5"),
        (NETWORK, [[0, 1, 2], [2, 1, 0]], r"y\[0\] is \[0, 1, 2\]"),
        (NETWORK, [1j, 2], r"y is complex128"),
        (NETWORK, [["a", "b"], ["c", "d"]], r"y is <U1 of shape \(2, 2\)"),
        (NETWORK, [0, 1, np.inf], r"y\[2\] is inf"),
    ],
)
def test_labels_that_are_none(network: Network, labels: list[object], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        as_classes({"y": np.array(labels)}, network)


def test_training_and_test_labels_of_two_kinds() -> None:
    both = {"train": np.array(["a", "b"]), "test": np.array([1])}
    found, names = as_classes(both, NETWORK)
    assert names == ("1", "a", "b")
    assert found["test"].tolist() == [0]


def arrays_of(counts: dict[str, int]) -> Arrays:
    y = np.repeat([*counts], [*counts.values()])
    return {"x": np.arange(2.0 * len(y)).reshape(-1, 2), "y": y}


@pytest.mark.parametrize(
    ("counts", "shares"),
    [
        ({"a": 50, "b": 20, "c": 30}, [10, 4, 6]),
        ({"a": 9, "b": 1, "c": 1}, [2, 0, 0]),
        ({"a": 2, "b": 1, "c": 1}, [1, 0, 0]),
    ],
)
def test_a_fifth_of_every_class_is_for_test(
    counts: dict[str, int], shares: list[int], tmp_path: Path
) -> None:
    arrays = arrays_of(counts)
    np.savez(tmp_path / "own.npz", **arrays)  # type: ignore[arg-type]
    data, other = (
        load_data(str(tmp_path / "own.npz"), replace(NETWORK, seed=seed)) for seed in (1, 2)
    )
    assert np.bincount(data.y_test, minlength=3).tolist() == shares
    assert len(data.x_train) + len(data.x_test) == sum(counts.values())
    assert data.rows_test is not None
    assert data.labels == ("a", "b", "c")
    assert [data.labels[n] for n in data.y_test] == arrays["y"][data.rows_test].tolist()
    assert other.rows_test is not None
    if sum(shares) > 2:
        assert data.rows_test.tolist() != other.rows_test.tolist()


def test_one_sample_of_each_class_is_not_split(tmp_path: Path) -> None:
    np.savez(tmp_path / "own.npz", **arrays_of({"a": 1, "b": 1, "c": 1}))  # type: ignore[arg-type]
    with pytest.raises(SpecError, match=r"3 samples of 3 classes.*Record more.*are classes"):
        load_data(str(tmp_path / "own.npz"), NETWORK)


def test_features_in_the_order_of_their_names() -> None:
    x, y = np.arange(6.0).reshape(2, 3), np.arange(2)
    raw = RawData(arrays={"x": x, "y": y}, columns=("a", "b", "c"))
    turned = raw.in_order("own.csv", ("c", "a", "b"))
    assert turned.arrays["x"].tolist() == [[2, 0, 1], [5, 3, 4]]
    assert turned.arrays["y"].tolist() == [0, 1]
    assert turned.columns == ("c", "a", "b")
    assert raw.in_order("own.csv", ()) is raw.in_order("own.csv", raw.columns) is raw
    for names, message in (
        (("a", "b", "d"), "own.csv has no 'd': the network learnt with that column"),
        (("a", "b"), "own.csv has a column 'c': the network has no feature of that name"),
    ):
        with pytest.raises(SpecError, match=message):
            raw.in_order("own.csv", names)
