"""Inputs that nobody thought of: damaged files, settings, folders, checkpoints, and layers of random shape.

`make fuzz` draws cases for some minutes; a short run of each target is part of the tests. A target is one file here
with a class that has three functions (see `case.Target`): it names the corpus that comes first, draws further cases,
and checks the law that all of them obey. Whatever fails is left in `build/fuzz/`; once mended it moves to
`corpus/<target>/`, where every later run begins.
"""
