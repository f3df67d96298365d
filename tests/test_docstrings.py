"""Public docstrings name every parameter, attribute, result and error (NumPy convention)."""

import ast
import re

import pytest

from helpers import paths

HELPERS = paths.ROOT / "src" / "helpers"
MODULES = {
    str(file.relative_to(HELPERS)): file
    for file in sorted(HELPERS.rglob("*.py"))
    if file.name != "__init__.py"
}


def sections(doc: str) -> dict[str, str]:
    """Title -> text of the sections of a docstring."""
    parts = re.split(r"^([A-Z][A-Za-z ]+)\n-{3,}$", doc, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def entries(text: str) -> list[str]:
    """The names in a section: lines without indentation, up to a colon, split at commas."""
    heads = [line for line in text.splitlines() if line and not line[0].isspace()]
    return [name.strip() for head in heads for name in re.split(r" : ?", head)[0].split(",")]


def parameters(function: ast.FunctionDef, method: bool) -> list[str]:
    """Names of the parameters as a docstring writes them, ``self`` and private ones left out."""
    a = function.args
    names = [x.arg for x in (*a.posonlyargs, *a.args)]
    static = any(getattr(d, "id", "") == "staticmethod" for d in function.decorator_list)
    names = names[1:] if method and not static else names
    names += [f"*{a.vararg.arg}"] if a.vararg else []
    names += [x.arg for x in a.kwonlyargs]
    names += [f"**{a.kwarg.arg}"] if a.kwarg else []
    return [name for name in names if not name.startswith("_")]


def body(function: ast.FunctionDef):
    """The nodes of a function, those of functions defined inside it left out."""
    waiting = list(function.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.Lambda | ast.ClassDef):
            waiting.extend(ast.iter_child_nodes(node))


def gives(function: ast.FunctionDef) -> bool:
    """Whether a function returns or yields a value."""
    return any(
        isinstance(n, ast.Yield | ast.YieldFrom)
        or (
            isinstance(n, ast.Return)
            and n.value is not None
            and not (isinstance(n.value, ast.Constant) and n.value.value is None)
        )
        for n in body(function)
    )


def raised(function: ast.FunctionDef) -> set[str]:
    """Names of the errors that a function itself raises and does not catch."""
    found = set()
    waiting = [(node, set()) for node in function.body]
    while waiting:
        node, caught = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.Lambda | ast.ClassDef):
            continue
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            name = ast.unparse(node.exc.func).split(".")[-1]
            if name[0].isupper() and name not in caught:  # in small letters: a function makes it
                found.add(name)
        for child in ast.iter_child_nodes(node):
            inside = isinstance(node, ast.Try) and child in node.body
            handlers = node.handlers if inside else []
            more = {n.id for h in handlers if h.type for n in ast.walk(h.type) if hasattr(n, "id")}
            waiting.append((child, caught | more))
    return found


def lacking(module: str) -> list[str]:
    """What the docstrings of a module do not say, one line each."""
    tree = ast.parse(MODULES[module].read_text())
    found = [] if ast.get_docstring(tree) else ["the module has no docstring"]
    public = [n for n in tree.body if not getattr(n, "name", "_").startswith("_")]
    documented = {
        node.name: {
            m.name for m in node.body if isinstance(m, ast.FunctionDef) and ast.get_docstring(m)
        }
        for node in tree.body
        if isinstance(node, ast.ClassDef)
    }
    for node in public:
        if isinstance(node, ast.ClassDef):
            bases = [documented.get(ast.unparse(base), set()) for base in node.bases]
            found += _class(node, inherited=set().union(*bases))
        elif isinstance(node, ast.FunctionDef):
            found += _function(node, node.name, method=False)
    return found


def _class(node: ast.ClassDef, inherited: set[str]) -> list[str]:
    doc = ast.get_docstring(node) or ""
    said = sections(doc)
    fields = [
        n.target.id
        for n in node.body
        if isinstance(n, ast.AnnAssign)
        and not n.target.id.startswith("_")
        and "ClassVar" not in ast.unparse(n.annotation)
    ]
    functions = [n for n in node.body if isinstance(n, ast.FunctionDef)]
    made = [name for f in functions if f.name == "__init__" for name in parameters(f, method=True)]
    found = [] if doc else [f"{node.name} has no docstring"]
    found += _compare(node.name, "Attributes", fields, said, exact=False)
    found += _compare(node.name, "Parameters", made, said, exact=bool(made))
    for f in functions:
        if f.name in inherited and not ast.get_docstring(f):
            continue  # what the base class says of it holds
        if not f.name.startswith("_") or f.name == "__call__":
            found += _function(f, f"{node.name}.{f.name}", method=True)
    return found


def _function(node: ast.FunctionDef, name: str, method: bool) -> list[str]:
    doc = ast.get_docstring(node)
    if not doc:
        return [f"{name} has no docstring"]
    decorators = {ast.unparse(d).split(".")[-1].split("(")[0] for d in node.decorator_list}
    said = sections(doc)
    found = _compare(name, "Raises", sorted(raised(node)), said, exact=False)
    if decorators & {"property", "cached_property", "overload", "field_validator"}:
        return found
    found += _compare(name, "Parameters", parameters(node, method), said, exact=True)
    if gives(node) and not {"Returns", "Yields"} & said.keys():
        found.append(f"{name} says nothing of what it returns")
    return found


def _compare(name, title, wanted, said, exact) -> list[str]:
    named = entries(said.get(title, ""))
    found = [f"{name}: {title} lacks {w}" for w in wanted if w not in named]
    if exact:
        found += [
            f"{name}: {title} has {n}, which it does not take" for n in named if n not in wanted
        ]
    return found


def test_every_room_is_in_the_reference():
    page = (paths.ROOT / "book" / "api.md").read_text()
    rooms = {f.stem for f in HELPERS.iterdir() if not f.name.startswith(("_", "."))}
    assert set(re.findall(r"^   helpers\.(\w+)$", page, re.M)) == rooms


@pytest.mark.parametrize("module", MODULES)
def test_docstrings_name_every_parameter_result_and_error(module):
    assert lacking(module) == []


@pytest.mark.parametrize(
    "source, lack",
    [
        ('def f(a, *, b=1):\n  """F.\n\n  Parameters\n  ----------\n  a : int\n    It.\n  """',
         ["f: Parameters lacks b"]),
        ('def f():\n  """F."""\n  raise ValueError("x")', ["f: Raises lacks ValueError"]),
        ('def f():\n  """F."""\n  try:\n    raise OSError("x")\n  except OSError:\n    pass', []),
        ('def f():\n  """F."""\n  return 1', ["f says nothing of what it returns"]),
        ('def f():\n  """F.\n\n  Parameters\n  ----------\n  c\n    It.\n  """',
         ["f: Parameters has c, which it does not take"]),
        ('class A:\n  """A."""\n  x: int', ["A: Attributes lacks x"]),
        ("def f(): pass", ["f has no docstring"]),
    ],
)  # fmt: skip
def test_a_gap_is_seen(source, lack, tmp_path, monkeypatch):
    (tmp_path / "m.py").write_text(f'"""M."""\n{source}\n')
    monkeypatch.setitem(MODULES, "m.py", tmp_path / "m.py")
    assert lacking("m.py") == lack
