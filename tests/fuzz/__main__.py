"""`make fuzz`: the corpus of every target first, then new cases of each in turn until the time is over.

make fuzz                                       # three minutes of all targets
make fuzz FUZZ="readers tables --seconds 600"
make fuzz FUZZ="layers --seed 7 --cases 100"    # the same cases every time
make fuzz FUZZ="--replay build/fuzz/readers/3f2a--a.csv"
"""

import argparse
import os
import sys
import tempfile
import time
import traceback
from pathlib import Path
from random import Random, SystemRandom

from .case import Broken, Case, Target, check, read
from .targets import TARGETS

_FAILURES = Path("build/fuzz")


def main(arguments: list[str]) -> int:
    """Returns how many cases broke their law, at most 100."""
    options = _options(arguments)
    os.environ["ELMAN_CACHE"] = tempfile.mkdtemp(prefix="elman-fuzz-cache-")
    if options.replay:
        return _replay([Path(name) for name in options.replay])
    targets = [TARGETS[name] for name in options.targets or TARGETS]
    print(f"seed {options.seed}", flush=True)
    cases = dict.fromkeys((target.name for target in targets), 0)
    broken = 0
    for target in targets:
        for case in target.corpus():
            broken += not _holds(target, case)
    deadline = time.monotonic() + options.seconds
    randoms = {target.name: Random(f"{options.seed} {target.name}") for target in targets}
    while time.monotonic() < deadline and broken < 100:
        for target in targets:
            case = target.draw(randoms[target.name])
            broken += not _holds(target, case)
            cases[target.name] += 1
        if options.cases and min(cases.values()) >= options.cases:
            break
    print(", ".join(f"{name} {count}" for name, count in cases.items()) + f": {broken} broken", flush=True)
    return broken


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; all if not given")
    parser.add_argument("--seconds", type=float, default=180, help="how long, 180 if not given")
    parser.add_argument("--cases", type=int, default=0, help="new cases of each target at most")
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(2**31), help="of what is drawn")
    parser.add_argument("--replay", nargs="+", metavar="FILE", help="check cases that were left in build/fuzz")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.targets if name not in TARGETS]
    if unknown:
        parser.error(f"no target {unknown[0]!r}; there are {', '.join(TARGETS)}")
    return options


def _holds(target: Target, case: Case) -> bool:
    with tempfile.TemporaryDirectory(prefix="elman-fuzz-") as folder:
        try:
            check(target, case, Path(folder))
        except Broken as error:
            path = _FAILURES / target.name / f"{case.digest}--{case.name}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(case.content)
            print(f"{path}: {str(error)[:500]}", flush=True)
            return False
    return True


def _replay(paths: list[Path]) -> int:
    """Each case once, with its traceback. The target is the name of its folder."""
    broken = 0
    for path in paths:
        target = TARGETS[path.parent.name]
        case = read(path)
        with tempfile.TemporaryDirectory(prefix="elman-fuzz-") as folder:
            try:
                check(target, case, Path(folder))
                print(f"{path}: holds")
            except Broken as error:
                broken += 1
                print(f"{path}: {error}")
                traceback.print_exception(error.__cause__)
    return broken


if __name__ == "__main__":
    sys.exit(min(1, main(sys.argv[1:])))
