"""New chapters: `python -m labml_nn_optim new-chapter NAME`."""

from labml_nn_optim.skeleton.new_chapter import Chapter, SkeletonError, Written, write_chapter

__all__ = ["Chapter", "SkeletonError", "Written", "write_chapter"]
