"""Orderly shutdown on SIGTERM, which a node receives before it is pre-empted."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def sigterm_as_event() -> Iterator[threading.Event]:
    """Within the block, SIGTERM only sets the yielded event.

    Only the main thread can handle signals; in other threads the event is never set.
    """
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    before = signal.signal(signal.SIGTERM, lambda *_: event.set())
    try:
        yield event
    finally:
        signal.signal(signal.SIGTERM, before)
