"""Names for the parameters of tests, the same in every process that collects them."""

import re


def repr_without_address(value: object) -> str:
    """The text of `repr`, less the place in memory that functions and iterators show there."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))
