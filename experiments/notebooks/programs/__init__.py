"""The short runs of the notebooks, each a program of its own: `python -m experiments.notebooks.programs.lbfgs`.

In a notebook the imports of the chapter's own names are left out, so that what is defined there runs.
"""
