"""Sphinx's configuration: Markdown pages, an API reference from docstrings, formulas that need no network."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging

import engine

project = "engine"
copyright = "the authors of engine"
version = release = engine.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
default_role = "code"
smartquotes = False  # f' is a derivative
html_theme = "furo"
html_title = f"engine {release}"
html_static_path = ["_static"]
html_css_files = ["page.css"]
html_copy_source = False
html_show_sphinx = False

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True

logger = logging.getLogger(__name__)


def to_rst(app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """What docstrings write otherwise than reStructuredText: indented formulas, bars of absolute values."""
    written: list[str] = []
    for line in lines:
        formula = line.startswith("    ")
        if formula and not (written and written[-1]) and not in_formula(written):
            written += ["::", ""]
        written.append(line if formula else re.sub(r"\|(?=\S)", r"\\|", line))
    lines[:] = written


def in_formula(lines: list[str]) -> bool:
    """Whether the last line that is not blank belongs to an indented block."""
    return next((line for line in reversed(lines) if line), "").startswith("    ")


def shorten(
    app: Sphinx, what: str, name: str, thing: Any, options: Any, signature: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    """`Array` where a signature spells out the module that JAX keeps it in."""
    plain = [text and text.replace("jaxlib._jax.Array", "Array") for text in (signature, returns)]
    return plain[0], plain[1]


def mathml(node: nodes.math | nodes.math_block, block: bool) -> str:
    """A formula as MathML, which browsers show without a script; what cannot be converted is a warning."""
    try:
        return tex2mathml(node.astext(), as_block=block)
    except (MathError, SyntaxError) as error:
        logger.warning("formula %r: %s", node.astext(), error, location=node)
        return f"<code>{node.astext()}</code>"


def visit_inline(translator: Any, node: nodes.math) -> None:
    """A formula in a line."""
    translator.body.append(mathml(node, block=False))
    raise nodes.SkipNode


def visit_block(translator: Any, node: nodes.math_block) -> None:
    """A formula on lines of its own."""
    translator.body.append(f'<div class="formula">{mathml(node, block=True)}</div>\n')
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    """What this configuration adds to Sphinx."""
    app.connect("autodoc-process-docstring", to_rst)
    app.connect("autodoc-process-signature", shorten)
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))


html_math_renderer = "mathml"
