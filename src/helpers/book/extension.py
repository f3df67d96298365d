"""What Sphinx is taught for this book (an extension: ``extra_extensions`` in ``_config.yml``).

- outputs that can be turned or looked into, as a still image with its data beside it, from which
  ``book.js`` makes more where it runs;
- tables with number and caption, counted apart from the figures;
- a search that finds words of the text, not of the code;
- no launcher (thebe) that would ask another host for a script.
"""

from __future__ import annotations

import json
import re
import types
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

from helpers import paths
from helpers.book import chapters
from helpers.report import figure_data, interactive, structure_view

_KINDS = {structure_view.MIME: "structure", interactive.MIME: "plot"}


class TableFigure(nodes.figure):
    """A table with a caption: numbered as "Table n"."""


class ViewRenderer:
    """A view as an element with its data, hidden; myst-nb finds this class by its entry point.

    The picture that the same output carries is chosen by `_WithPicture` and put in front.
    """

    mime_priority_overrides: ClassVar = [
        ("html", structure_view.MIME, 2),
        ("html", interactive.MIME, 2),
        ("*", figure_data.MIME, None),
    ]

    @staticmethod
    def handle_mime(renderer, data, inline: bool):
        """Nodes for the MIME types of this book.

        Parameters
        ----------
        renderer : myst_nb.core.render.NbElementRenderer
            Renderer that calls this.
        data : myst_nb.core.render.MimeData
            One form of an output, with its MIME type and content.
        inline : bool
            Whether the output stands inside a line of text.

        Returns
        -------
        list of docutils.nodes.Node, or None
            One raw HTML node for a view, nothing for the numbers of a figure; None for any other
            MIME type and inside a line, so that myst-nb renders it.
        """
        if data.mime_type == figure_data.MIME:
            return []
        kind = _KINDS.get(data.mime_type)
        if kind is None or inline:
            return None
        content = data.content if isinstance(data.content, str) else json.dumps(data.content)
        # a script element ends at the first "</", wherever it stands
        content = content.replace("</", "<\\/")
        text = (
            f'<div class="zif4-view" data-kind="{kind}">'
            f'<script type="application/json">{content}</script></div>'
        )
        return [nodes.raw("", text, format="html", classes=[f"zif4-{kind}"])]


class _WithPicture(SphinxTransform):
    """Put the still picture of an output into its interactive form, before one is chosen."""

    default_priority = 800

    def apply(self, **_) -> None:
        for bundle in self.document.findall(nodes.container):
            if bundle.get("nb_element") != "mime_bundle":
                continue
            forms = {c.get("mime_type"): c for c in bundle.children}
            picture = forms.get("image/png")
            for mime in _KINDS:
                if mime in forms and picture is not None and picture.children:
                    still = picture.children[0].deepcopy()
                    still["classes"] += ["zif4-still"]
                    forms[mime].insert(0, still)


class _TablesApart(SphinxTransform):
    """Figures that hold a table become tables of their own count."""

    default_priority = 801

    def apply(self, **_) -> None:
        for figure in list(self.document.findall(nodes.figure)):
            if "tbl" in figure["classes"] and not isinstance(figure, TableFigure):
                table = TableFigure("", *figure.children, **figure.attributes)
                table.source, table.line = figure.source, figure.line
                figure.replace_self(table)
                for name in table["names"]:
                    self.document.nameids[name] = table["ids"][0]
                for one in table["ids"]:
                    self.document.ids[one] = table


def _visit(translator, node) -> None:
    translator.visit_figure(node)


def _depart(translator, node) -> None:
    translator.depart_figure(node)


def _index_text_only(app: Sphinx) -> None:
    """Feed the search with pages without their code and what the code printed."""
    builder: Any = app.builder  # those of HTML have an index_page
    if not hasattr(builder, "index_page"):
        return
    index_page = builder.index_page

    def of_text(self, name, tree, title):
        taken = []  # and put back: a copy of the tree takes longer than all the rest
        for node in list(tree.findall(_is_no_text)):
            taken.append((node.parent, node.parent.index(node), node))
            node.parent.remove(node)
        index_page(name, tree, title)
        for parent, place, node in reversed(taken):
            parent.insert(place, node)

    builder.index_page = types.MethodType(of_text, builder)


def _is_no_text(node: nodes.Node) -> bool:
    """Whether a part of a page is code, what code printed, or the data of a view."""
    if isinstance(node, nodes.raw):
        return any(c.startswith("zif4-") for c in node["classes"])
    return isinstance(node, nodes.literal_block)


def _one_contents_for_the_reference(app: Sphinx) -> None:
    """Make the side bar of the reference's pages once: it is the same on all 170 of them.

    They lie in one folder, so that its links are the same, too; Sphinx would copy the contents of
    the whole book for each, which took a quarter of the time of rendering.
    """
    builder: Any = app.builder  # those of HTML have such a function
    contents = getattr(builder, "_get_local_toctree", None)
    if contents is None:
        return
    known: dict[tuple, str] = {}

    def of_page(name: str, collapse: bool = True, **options) -> str:
        if "/reference/" not in name:
            return contents(name, collapse, **options)
        asked = (collapse, *sorted(options.items()))
        if asked not in known:
            known[asked] = contents(name, collapse, **options)
        return known[asked]

    builder._get_local_toctree = of_page


def _no_thebe(app, name, template, context, tree) -> None:
    """Leave out thebe's scripts, which every page had twice; the book launches nothing by them."""
    scripts = context.get("script_files", [])
    context["script_files"] = [
        s
        for s in scripts
        if "thebe" not in str(getattr(s, "filename", s) or "")
        and "THEBE" not in str(getattr(s, "attributes", {}).get("body", ""))
    ]


def _plain_bibliography(app, name, template, context, tree) -> None:
    """A bibliography without ARIA roles: a list of no list items, and entries of a former role.

    sphinxcontrib-bibtex writes the first; the second, ``doc-biblioentry``, ARIA has deprecated.
    """
    body = context.get("body")
    if body:
        body = body.replace(' role="list" class="citation-list"', ' class="citation-list"')
        context["body"] = body.replace(' role="doc-biblioentry"', "")


def _in_repository(page: str) -> str:
    """The file of the repository that a page is made from."""
    folder, _, name = page.rpartition("/")
    if folder == "notebooks":  # a page of another profile has its name behind the chapter's
        known = [c for c in chapters.names() if name == c or name.startswith(f"{c}_")]
        return f"{folder}/{max(known, key=len, default=name)}.py"
    if folder.endswith("/reference"):
        place = Path("src", *name.split("."))
        return str(place / "__init__.py" if (paths.ROOT / place).is_dir() else f"{place}.py")
    return f"{page}.md"


def _link_to_sources(app, name, template, context, tree) -> None:
    """Buttons lead to what the repository holds: chapters as text, and a notebook for Colab.

    The theme takes a page's file for that of the repository; an executed notebook is not in it,
    nor a page of the reference.
    """
    address = app.config.html_theme_options.get("repository_url")
    if not address:
        return

    def put_right(button: dict) -> None:
        url = button.get("url") or ""
        if "colab" in url:
            button["url"] = re.sub(r"/blob/([^/]+)/.*$", r"/blob/\1/binder/colab.ipynb", url)
        elif url.startswith("https://"):
            of_page = re.compile(rf"\b{re.escape(name)}\.\w+")
            button["url"] = of_page.sub(_in_repository(name), url)
        for inside in button.get("buttons") or []:
            put_right(inside)

    for button in context.get("header_buttons") or []:
        put_right(button)


def setup(app: Sphinx) -> dict:
    """Register nodes, transforms and event handlers; called by Sphinx.

    Parameters
    ----------
    app : sphinx.application.Sphinx
        The application.

    Returns
    -------
    dict of str to (str or bool)
        Version of the extension, and that it may read and write in parallel.
    """
    said = (_visit, _depart)
    app.add_enumerable_node(TableFigure, "table", html=said, latex=said, text=said)
    app.add_transform(_WithPicture)
    app.add_transform(_TablesApart)
    app.connect("builder-inited", _index_text_only)
    app.connect("builder-inited", _one_contents_for_the_reference)
    app.connect("html-page-context", _no_thebe, priority=900)
    app.connect("html-page-context", _link_to_sources, priority=900)
    app.connect("html-page-context", _plain_bibliography, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
