"""Schedulers: objects that write a schedule into the parameter groups of an optimizer."""
