"""Files as users have them: compressed, with a stray byte in them, or not a file of text at all.

The parsers behind want plain text in UTF-8; here is what makes it of a file, or says why not.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from helpers import paths
from helpers.errors import Unfit

#: endings of names that say how a file is compressed; its first bytes decide
SUFFIXES = (".gz", ".bz2", ".xz", ".lzma", ".zst", ".zip", ".Z", ".7z")
_OPEN = {
    b"\x1f\x8b": gzip.open, b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open, b"\x5d\x00\x00": lzma.open,
}  # fmt: skip
_REFUSED = {
    b"\x28\xb5\x2f\xfd": ("compressed by zstd", "zstd -d"),
    b"PK\x03\x04": ("an archive (zip)", "unzip"),
    b"\x1f\x9d": ("compressed by compress", "gunzip"),
    b"7z\xbc\xaf": ("an archive (7z)", "7z x"),
}
#: what reading a compressed file raises that was damaged or cut off
DAMAGE = (OSError, EOFError, zlib.error, lzma.LZMAError)


class Unreadable(Unfit):
    """A file that no text comes out of."""


def plain_name(path: Path) -> str:
    """Name of a file without the ending of a compression: ``OUTCAR.gz`` is an ``OUTCAR``.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    str
        The name, without folder.
    """
    path = Path(path)
    return path.name[: -len(path.suffix)] if path.suffix in SUFFIXES else path.name


def head(path: Path, size: int = 20_000) -> str:
    """The beginning of a file as text, unpacked.

    Parameters
    ----------
    path : Path
        The file.
    size : int
        Number of bytes.

    Returns
    -------
    str
        Text; a byte that is not valid UTF-8 becomes a replacement character.

    Raises
    ------
    Unreadable
        The file is an archive, of a compression that is not known here, or damaged.
    """
    with opened(path) as file:
        try:
            start = file.read(size)
        except DAMAGE as error:
            raise _damaged(path, error) from error
    if start[257:262] == b"ustar":
        raise Unreadable(f"{paths.relative(path)} is an archive (tar); unpack it first (tar -xf)")
    return _decoded(start, "replace")


def text(path: Path) -> str:
    """All of a file as text: unpacked, UTF-8 or, where it is none, Latin-1.

    Programs that wrote a host's or a user's name in Latin-1 are read as they meant it.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    str
        Text with line ends of Unix.

    Raises
    ------
    Unreadable
        The file is an archive, compressed twice or in a way that is not known here, or damaged.
    """
    return _text(_content(path))


def _content(path: Path) -> bytes:
    head(path, 1000)
    with opened(path) as file:
        try:
            content = file.read()
        except DAMAGE as error:
            raise _damaged(path, error) from error
    if content.startswith((*_OPEN, *_REFUSED)):
        raise Unreadable(f"{paths.relative(path)} is compressed twice; unpack it first")
    return content


def _text(content: bytes) -> str:
    try:
        return _decoded(content)
    except UnicodeDecodeError:
        return _lines(content.decode("latin-1"))


def _is_binary(content: bytes) -> bool:
    """By its beginning: a text that a crash left zeros in is none."""
    return b"\0" in content[:1000] and not content.startswith((b"\xff\xfe", b"\xfe\xff"))


def number(word: str) -> float:
    """The number of a word, in Fortran's way of writing it too.

    >>> number("-1.5D-02")
    -0.015
    >>> number("0.25-101")  # an exponent of three digits leaves no room for its letter
    2.5e-102

    Parameters
    ----------
    word : str
        The word.

    Returns
    -------
    float
        The number.

    Raises
    ------
    ValueError
        It is none.
    """
    if "_" in word:  # which Python takes for a separator of digits
        raise ValueError(f"could not convert string to float: {word!r}")
    if without_letter := re.fullmatch(r"([-+]?\d*\.\d+)([-+]\d{3})", word):
        word = "e".join(without_letter.groups())
    return float(word.lower().replace("d", "e"))


def _decoded(content: bytes, errors: str = "strict") -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _lines(content.decode("utf-16", errors))
    return _lines(content.decode("utf-8-sig", errors))


def _lines(text: str) -> str:
    """The same with line ends of Unix, whichever system wrote them."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


@contextmanager
def as_text(path: Path) -> Iterator[Path]:
    """A path under which a parser finds a file unpacked, text as UTF-8 and binary as it is.

    Parameters
    ----------
    path : Path
        The file.

    Yields
    ------
    Path
        The file itself if it is plain, else a copy, which is removed at the end of the context.

    Raises
    ------
    Unreadable
        As `text`.
    """
    path = Path(path)
    content = path.read_bytes()
    packed = content.startswith((*_OPEN, *_REFUSED))
    if _is_binary(content) and not packed:
        yield path
        return
    try:
        if b"\r" not in content and not packed and not content.startswith(b"\xef\xbb\xbf"):
            content.decode()
            yield path
            return
    except UnicodeDecodeError:
        pass
    folder = Path(tempfile.mkdtemp(prefix="zif4-text-"))
    try:
        copy = folder / plain_name(path)
        content = _content(path)
        copy.write_bytes(content if _is_binary(content) else _text(content).encode())
        yield copy
    finally:
        shutil.rmtree(folder)


def opened(path: Path) -> BinaryIO:
    """Open a file for reading, unpacked on the way.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    BinaryIO
        The open file.

    Raises
    ------
    Unreadable
        The file is an archive, or of a compression that is not known here.
    """
    with open(path, "rb") as file:
        start = file.read(6)
    for magic, (what, remedy) in _REFUSED.items():
        if start.startswith(magic):
            raise Unreadable(f"{paths.relative(path)} is {what}; unpack it first ({remedy})")
    for magic, opener in _OPEN.items():
        if start.startswith(magic):
            return opener(path, "rb")  # ty: ignore[invalid-explicit-return]
    return open(path, "rb")


def _damaged(path: Path, error: Exception) -> Unreadable:
    return Unreadable(
        f"{paths.relative(path)} is compressed and damaged ({error}); copy it again, or unpack "
        f"what is left of it"
    )
