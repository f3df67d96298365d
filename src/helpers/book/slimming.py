"""What a rendered book need not carry: parts that no page loads, icons that none shows, pixels.

A reader sees no difference. The theme brings all of MathJax and of Font Awesome, matplotlib
writes pictures of a few colours with four channels, and in the reference every word of a signature
is an element of its own.
"""

from __future__ import annotations

import io
import re
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

_COLOURS = 256  # of a palette
_UNSEEN = 1.5  # root mean square of the change of a channel, of 255
#: an icon of Font Awesome's script: name, size, other names, character, paths
_ICON = re.compile(r'"?([\w-]+)"?:\[\d+,\d+,(\[[^\]]*\]),"[0-9a-f]*",(?:"[^"]*"|\[[^\]]*\])\],?')
_ICON_NAME = re.compile(r"\bfa-([a-z0-9-]+)")
_AS_IT_IS = re.compile(
    "(" + "|".join(rf"<{tag}\b.*?</{tag}>" for tag in ("pre", "script", "style", "textarea")) + ")",
    re.S,
)
_COMMENT = re.compile("<!--.*?-->", re.S)
_WORD = re.compile('<span class="pre">([^<]*)</span>')  # Sphinx: that no word is hyphenated
_BREAK = re.compile(r"[ \t]*\n\s*")


def slim(folder: Path) -> None:
    """Make a rendered book smaller where its readers lose nothing.

    Parameters
    ----------
    folder : Path
        The rendered book.
    """
    _leave_out_unused(folder)
    _leave_out_icons(folder)
    for file in folder.rglob("*.html"):
        file.write_text(short(file.read_text(encoding="utf-8")), encoding="utf-8")
    for file in (folder / "_images").glob("*.png"):
        packed = repacked(file.read_bytes())
        if len(packed) < file.stat().st_size:
            file.write_bytes(packed)


def short(page: str) -> str:
    """A page without indentation, empty lines, comments and marks of single words.

    What is preformatted, a script or a style sheet stays as it is.

    >>> short('<p>  <!-- a note --><span class="pre">x</span>  y</p><pre>  z</pre>')
    '<p>  x  y</p><pre>  z</pre>'

    Parameters
    ----------
    page : str
        HTML.

    Returns
    -------
    str
        HTML that is shown in the same way.
    """
    pieces = _AS_IT_IS.split(page)  # every second one is kept
    for k in range(0, len(pieces), 2):
        text = _COMMENT.sub("", pieces[k])
        pieces[k] = _BREAK.sub("\n", _WORD.sub(r"\1", text))
    return "".join(pieces)


def repacked(png: bytes) -> bytes:
    """A picture with a palette where that changes nothing to be seen.

    Parameters
    ----------
    png : bytes
        The picture.

    Returns
    -------
    bytes
        The same as PNG: with 256 colours where these are, in the root mean square, within 1.5 of
        255 of what they stand for, else with three channels; as it was if it is transparent.
    """
    picture = Image.open(io.BytesIO(png))
    if picture.mode == "RGBA" and picture.getchannel("A").getextrema() == (255, 255):
        picture = picture.convert("RGB")
    if picture.mode != "RGB":
        return png
    few = picture.quantize(_COLOURS, Image.Quantize.MEDIANCUT, kmeans=1, dither=Image.Dither.NONE)
    change = np.asarray(picture, float) - np.asarray(few.convert("RGB"), float)
    packed = io.BytesIO()
    unseen = np.sqrt(np.mean(change**2)) < _UNSEEN
    (few if unseen else picture).save(packed, "PNG", optimize=True)
    return packed.getvalue()


def _leave_out_icons(folder: Path) -> None:
    """Keep the icons that a page or a script of the theme names, of some two thousand."""
    script = folder / "_static" / "scripts" / "fontawesome.js"
    if not script.exists():
        return
    named: set[str] = set()
    for file in [*folder.rglob("*.html"), *folder.rglob("*.js")]:
        if file != script:
            named.update(_ICON_NAME.findall(file.read_text(encoding="utf-8")))

    def kept(icon: re.Match) -> str:
        names = {icon[1], *re.findall(r'"([\w-]+)"', icon[2])}
        return icon[0] if names & named else ""

    script.write_text(_ICON.sub(kept, script.read_text(encoding="utf-8")), encoding="utf-8")


def _leave_out_unused(folder: Path) -> None:
    """Remove what no page loads: parts of MathJax that its component holds, maps, translations.

    MathJax comes as a whole, 24 MB; the pages use one combined component and the fonts of that.
    Fonts come as woff2, too, which every browser with WebGL reads.
    """
    mathjax = folder / "_static" / "mathjax"
    text = "".join(file.read_text(encoding="utf-8") for file in folder.rglob("*.html"))
    for script in mathjax.glob("*.js"):
        if f"mathjax/{script.name}" not in text:
            script.unlink()
    for part in ("sre", "a11y", "ui", "adaptors", "input/mml"):
        shutil.rmtree(mathjax / part, ignore_errors=True)
    (mathjax / "input" / "tex" / "extensions" / "all-packages.js").unlink(missing_ok=True)
    for single in [*(mathjax / "input").glob("*.js"), *(mathjax / "output").glob("*.js")]:
        single.unlink()
    if "mathjax/tex-svg" not in text:
        shutil.rmtree(mathjax / "output" / "svg", ignore_errors=True)
    for unused in ("*.map", "*.ttf"):
        for file in (folder / "_static").rglob(unused):
            file.unlink()
    shutil.rmtree(folder / "_static" / "locales", ignore_errors=True)  # read while rendering only
