"""Writing whole files: links, pipes, devices, modes, and what is said where it cannot be."""

import os
import stat
import threading
from pathlib import Path

import pytest

from golden_model.files import check_writable, read_arrays, replace_file
from golden_model.spec.errors import SpecError


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_has_the_mode_of_any_other(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    replace_file(tmp_path / "new", b"new")
    assert (tmp_path / "new").read_bytes() == b"new"
    assert mode(tmp_path / "new") == mode(tmp_path / "plain")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["new", "plain"]


def test_a_file_keeps_its_mode(tmp_path: Path) -> None:
    file = tmp_path / "weights"
    for bits in (0o600, 0o664):
        file.write_bytes(b"old")
        file.chmod(bits)
        replace_file(file, b"new")
        assert (file.read_bytes(), mode(file)) == (b"new", bits)


def test_links_stay_links(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    real, link = tmp_path / "store" / "real", tmp_path / "link"
    real.write_bytes(b"old")
    link.symlink_to("store/real")
    check_writable(link)
    replace_file(link, b"new")
    assert link.is_symlink()
    assert real.read_bytes() == b"new"
    real.unlink()
    replace_file(link, b"again")  # leads to a file that is to be made
    assert link.is_symlink()
    assert real.read_bytes() == b"again"


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    pipe, read = tmp_path / "pipe", bytearray()
    content = bytes(range(256)) * 1000  # more than a pipe holds at once
    os.mkfifo(pipe)
    end = os.open(pipe, os.O_RDWR)  # with a writer of its own, so that it never comes to an end

    def read_all() -> None:
        while len(read) < len(content):
            read.extend(os.read(end, 1 << 16))

    reader = threading.Thread(target=read_all, daemon=True)
    reader.start()
    check_writable(pipe)
    replace_file(pipe, content)
    reader.join(10)
    assert bytes(read) == content
    os.close(end)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert list(tmp_path.iterdir()) == [pipe]


def test_a_pipe_of_the_shell_is_written_to() -> None:
    end, other = os.pipe()
    replace_file(Path(f"/dev/fd/{other}"), b"text")
    os.close(other)
    assert os.read(end, 10) == b"text"
    os.close(end)


def test_a_pipe_that_nobody_reads_is_no_wait_without_end(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    check_writable(tmp_path / "pipe")  # its reader may come until then
    with pytest.raises(SpecError, match="a pipe that nobody reads"):
        replace_file(tmp_path / "pipe", b"text")


def test_devices_stay_devices(tmp_path: Path) -> None:
    # By a link: if this fails, the link is replaced and not the machine's own device.
    for name in ("null", "full"):
        (tmp_path / name).symlink_to(f"/dev/{name}")
        check_writable(tmp_path / name)
    replace_file(tmp_path / "null", b"text")
    with pytest.raises(SpecError, match="No space left"):
        replace_file(tmp_path / "full", b"text")
    for name in ("null", "full"):
        assert (tmp_path / name).is_symlink()
        assert (tmp_path / name).is_char_device()


def test_names_of_drafts_are_unique(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second writer comes in between a first one's draft and its move."""
    file, replaced = tmp_path / "weights", os.replace

    def second_first(source: object, target: object) -> None:
        monkeypatch.setattr(os, "replace", replaced)
        replace_file(file, b"second")
        replaced(source, target)  # type: ignore[call-overload]

    monkeypatch.setattr(os, "replace", second_first)
    replace_file(file, b"first")
    assert file.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [file]


def test_content_is_on_the_disk_before_the_name_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, seen = tmp_path / "weights", []

    def fsync(number: int) -> None:
        seen.append((os.fstat(number).st_size, file.exists()))

    monkeypatch.setattr(os, "fsync", fsync)
    replace_file(file, b"content")
    assert seen == [(7, False)]


def test_a_name_as_long_as_names_may_be(tmp_path: Path) -> None:
    replace_file(tmp_path / ("n" * 255), b"text")
    assert (tmp_path / ("n" * 255)).read_bytes() == b"text"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("absent/file", "there is no directory '.*absent'. Make the directory first"),
        ("file/below", "there is no directory '.*file'"),
        ("file/below/file", "there is no directory '.*file/below'"),
        ("dangling", "there is no directory '.*/gone'"),
        ("folder", "it is a directory. Name a file in it"),
        ("link-to-folder", "it is a directory"),
        ("round", "it cannot be written .*symbolic links"),
        ("n" * 300, r"it cannot be written \(File name too long\)"),
    ],
)
def test_where_nothing_can_be_written(name: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link-to-folder").symlink_to("folder")
    (tmp_path / "dangling").symlink_to("gone/file")
    (tmp_path / "round").symlink_to("round")
    before = sorted(tmp_path.rglob("*"))
    for write in (check_writable, lambda path: replace_file(path, b"new")):
        with pytest.raises(SpecError, match=message) as caught:
            write(tmp_path / name)
        assert caught.value.value == f"file {str(tmp_path / name)!r}"
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "file").read_bytes() == b"old"


@pytest.mark.parametrize("locked", ["file", "."])
def test_what_is_read_only_stays(
    locked: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"old")

    def access(path: Path, mode: int) -> bool:  # root, as whom tests may run, may everything
        return path != tmp_path / locked

    monkeypatch.setattr(os, "access", access)
    for write in (check_writable, lambda path: replace_file(path, b"new")):
        with pytest.raises(SpecError, match=r"it cannot be written \(Permission denied\)"):
            write(file)
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]


def test_checking_changes_nothing(tmp_path: Path) -> None:
    before = tmp_path.stat()
    check_writable(tmp_path / "new")
    assert not list(tmp_path.iterdir())
    assert tmp_path.stat().st_mtime_ns == before.st_mtime_ns


def test_arrays_are_read_from_no_device() -> None:
    """It might never end."""
    with pytest.raises(SpecError, match="it is no regular file"):
        read_arrays(Path("/dev/null"), "Name a file")
