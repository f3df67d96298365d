"""The scripts that the pages share, taken from the installed wheels when the book is rendered.

Nothing of them is in the repository: NGL, which draws structures, comes out of nglview's wheel,
plotly.js out of plotly's. A page over file:// needs no network for either. Both lie there
compressed, at two fifths of their size, as text in a script: over file:// a page may load a script,
but no other file. ``book.js`` unpacks them.
"""

from __future__ import annotations

import base64
import gzip
import re
import sys
from pathlib import Path

from helpers.book.chapters import BookError

#: words that the module of NGL has
_NGL_MARKS = ("ColormakerRegistry", "TrajectoryPlayer")
_MODULE = re.compile(r"[{,](\d+):(?:function)?\(?[\w$,]*\)?(?:=>)?\{")
_REQUIRED = re.compile(r"\b[\w$]\((\d{4,6})\)")

# webpack's loader, as far as these two files use it: modules by number, made when asked for.
_LOADER = """
(function (scope) {
  "use strict";
  var modules = {}, made = {};
  scope.%(queue)s = {push: function (chunk) { Object.assign(modules, chunk[1]); }};
  function need(id) {
    if (made[id]) return made[id].exports;
    if (!modules[id]) throw new Error("NGL: no module " + id);
    var one = made[id] = {id: id, loaded: false, exports: {}};
    modules[id].call(one.exports, one, one.exports, need);
    one.loaded = true;
    return one.exports;
  }
  need.o = function (thing, key) { return Object.prototype.hasOwnProperty.call(thing, key); };
  need.d = function (exports, getters) {
    for (var key in getters)
      if (need.o(getters, key) && !need.o(exports, key))
        Object.defineProperty(exports, key, {enumerable: true, get: getters[key]});
  };
  need.r = function (exports) { Object.defineProperty(exports, "__esModule", {value: true}); };
  need.n = function (module) {
    var get = module && module.__esModule ? function () { return module.default; }
                                          : function () { return module; };
    need.d(get, {a: get});
    return get;
  };
  need.nmd = function (module) { module.paths = []; module.children = []; return module; };
  need.g = scope;
  scope.zif4_need = need;
})(window);
"""


def ngl() -> str:
    """NGL as one script that sets ``window.NGL``, from the files that nglview gives JupyterLab.

    Returns
    -------
    str
        JavaScript.

    Raises
    ------
    BookError
        nglview's wheel holds no NGL where it used to: its version is too new or too old.
    """
    folder = Path(sys.prefix) / "share/jupyter/labextensions/nglview-js-widgets/static"
    chunks = {file: file.read_text(encoding="utf-8") for file in sorted(folder.glob("*.js"))}
    speaking = [f for f, text in chunks.items() if all(m in text for m in _NGL_MARKS)]
    if not speaking:
        raise BookError(
            f"no NGL in {folder}: the installed nglview keeps it elsewhere; "
            "bring back the locked environment by `make env`"
        )
    core = max(speaking, key=lambda f: len(chunks[f]))  # nglview's own code speaks of NGL, too
    text = chunks[core]
    starts = [(m.start(1), m.group(1)) for m in _MODULE.finditer(text) if len(m.group(1)) > 3]
    where = text.index("TrajectoryPlayer")
    module = [number for start, number in starts if start < where][-1]
    inside = {number for _, number in starts}
    needed, files = set(_REQUIRED.findall(text)) - inside, [core]
    for file, other in chunks.items():
        if file != core and any(re.search(rf"[{{,]{n}:", other[:400]) for n in needed):
            files.append(file)
    queue = re.findall(r"self\.(webpackChunk\w+)", text)[0]
    parts = [_LOADER % {"queue": queue}, *(chunks[f] for f in files[::-1])]
    return ";\n".join([*parts, f"window.NGL = window.zif4_need({module})", ""])


def plotly() -> str:
    """plotly.js, minified, from plotly's wheel.

    Returns
    -------
    str
        JavaScript.
    """
    import plotly

    return (Path(plotly.__file__).parent / "package_data" / "plotly.min.js").read_text("utf-8")


def packed(script: str) -> str:
    """A script that holds another one, compressed.

    Parameters
    ----------
    script : str
        JavaScript.

    Returns
    -------
    str
        JavaScript that sets ``window.zif4_packed`` to its gzip file in base64.
    """
    small = gzip.compress(script.encode(), compresslevel=9, mtime=0)
    return f'window.zif4_packed = "{base64.b64encode(small).decode()}";\n'


def write(folder: Path) -> list[Path]:
    """Put the scripts that pages share into a folder, packed.

    Parameters
    ----------
    folder : Path
        The folder, ``_static`` of the book; made if needed.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    BookError
        As `ngl`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, make in (("ngl.js", ngl), ("plotly.js", plotly)):
        (folder / name).write_text(packed(make()), encoding="utf-8")
        written.append(folder / name)
    return written
