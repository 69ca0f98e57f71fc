"""Sphinx's settings. The build runs offline: no intersphinx inventories, no fonts or scripts from afar."""

import sys
import tomllib
from pathlib import Path

from docutils import nodes
from sphinx import addnodes

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "docs"))  # for _commands

project = "headrace"
author = "The headrace developers"
copyright = "The headrace developers"
release = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
version = release

extensions = [
    "_commands",  # the command line's help texts, asked of the commands
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.doctest",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_build", "**/README.md"]
html_theme = "furo"
html_title = f"headrace {release}"
html_show_sphinx = False
html_copy_source = False

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

default_role = "py:obj"  # in docstrings, `name` is a link where the name has a page
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
napoleon_google_docstring = False
napoleon_preprocess_types = False
python_use_unqualified_type_names = True

# Every reference must lead somewhere, except to what other projects document: without their inventories,
# which would need the network, only our own names can be resolved.
nitpicky = True
nitpick_ignore_regex = [
    (r"py:.*", r"(?!headrace(\.|$)).*"),
    (r"py:class", r"headrace\.(\w+\.)*_\w+"),  # type variables
]

# Doctests run in a folder of their own, so that an example may write files.
doctest_global_setup = """
import os, tempfile
_home = os.getcwd()
_folder = tempfile.TemporaryDirectory()
os.chdir(_folder.name)
import numpy as np
import headrace
# What a module's own examples use without importing it.
from headrace.core.arrays import *
from headrace.core.budget import *
from headrace.core.buffers import *
from headrace.core.executors import *
from headrace.core.sizes import *
from headrace.core.span import *
from headrace.core.table_reader import *
from headrace.core.table_sinks import *
from headrace.signals.envelope import *
from headrace.signals.features import *
from headrace.signals.marks import *
from headrace.signals.sos import *
from headrace.signals.windowing import *
from headrace.testing import *
"""
doctest_global_cleanup = """
os.chdir(_home)
_folder.cleanup()
"""


def _plain_type_words(_app, doctree):
    """Leave words such as `shape`, `dtype` and `int` in the types of docstrings alone.

    Sphinx takes each word of ``ndarray, shape (n,), dtype`` for a class and finds attributes of that name.
    """
    for node in list(doctree.findall(addnodes.pending_xref)):
        target = node.get("reftarget", "")
        if node.get("refdomain") == "py" and node.get("reftype") == "class" and target.islower() and "." not in target:
            node.replace_self(nodes.Text(target))


def setup(app):
    app.connect("doctree-read", _plain_type_words)
