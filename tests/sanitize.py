"""Runs pytest on another build of the kernels (make sanitize): `python tests/sanitize.py MODULE.so [arguments]`."""

import importlib.util
import sys

import pytest
import torch  # noqa: F401  (its OpenMP must be there before the kernels ask for one)

NAME = "elman.ops._kernels"

if __name__ == "__main__":
    spec = importlib.util.spec_from_file_location(NAME, sys.argv[1])
    sys.modules[NAME] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[NAME])
    sys.exit(pytest.main(sys.argv[2:]))
