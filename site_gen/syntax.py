"""Python's own parser, without its warnings: the code on a page is somebody else's."""

import ast
import warnings


def syntax_tree(text: str) -> ast.Module:
    """Return the syntax tree of a module. Raises SyntaxError, and ValueError for null bytes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text)
