"""The namespace `elman` of torch's operators."""

import weakref

import torch

library = torch.library.Library("elman", "DEF")

# torch takes a library's operators away when Python exits; a daemon thread may still be in one of them.
for reference in weakref.getweakrefs(library):
    if isinstance(reference.__callback__, weakref.finalize):
        reference.__callback__.atexit = False
