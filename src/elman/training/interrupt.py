"""Ctrl-C and SIGTERM as a request to stop after the step in hand."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StopRequest:
    """`signal` is the number of the signal that asked to stop, 0 while none has."""

    signal = 0


@contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Catch SIGINT and SIGTERM while the block runs; a second signal acts as usual. Main thread only, else a no-op."""
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return

    def note(number: int, frame: FrameType | None) -> None:
        request.signal = number
        for each in previous:
            signal.signal(each, previous[each])

    previous = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    for each in previous:
        signal.signal(each, note)
    try:
        yield request
    finally:
        for each, handler in previous.items():
            signal.signal(each, handler)
