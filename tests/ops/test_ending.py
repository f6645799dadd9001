"""A process ends though daemon threads are at work: in the kernels, in torch's operators, between both."""

import subprocess
import sys

import pytest

SCRIPT = """
import sys, threading, time, warnings
import torch
from elman import nn
warnings.simplefilter("ignore")
layer, x = nn.LSTM(32, 64, batch_first=True), torch.randn(16, 50, 32)

def infer():
    with torch.no_grad():
        layer(x)

def step():
    with torch.no_grad():
        layer.step(x[:, 0])

def train():
    layer(x, lengths=[50] * 15 + [3])[0].sum().backward()

works = [dict(infer=infer, step=step, train=train)[name] for name in sys.argv[1].split(",")]
begun = threading.Barrier(len(works) + 1)

def forever(work):
    work()
    begun.wait()
    while True:
        work()

for work in works:
    threading.Thread(target=forever, args=(work,), daemon=True).start()
begun.wait()
time.sleep(float(sys.argv[2]))
"""


@pytest.mark.parametrize("works", ["infer,infer", "step,step", "train,train", "infer,step,train"])
def test_daemon_threads_do_not_abort_the_end(works):
    for delay in ("0.05", "0.153"):
        done = subprocess.run([sys.executable, "-c", SCRIPT, works, delay], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0 and not done.stderr, (done.returncode, done.stderr[-2000:])


def test_an_exception_that_is_none_of_these_still_aborts():
    script = "import ctypes, elman.nn; ctypes.CDLL('libstdc++.so.6')._ZSt9terminatev()"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=120)
    assert done.returncode < 0
