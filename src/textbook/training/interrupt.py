"""Leaving in order when a node is taken back."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def sigterm_as_event() -> Iterator[threading.Event]:
    """Within the block SIGTERM, which a pre-empted node gets before it is killed, sets an event and does nothing else.

    Only the main thread can receive signals; elsewhere the event is never set.
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
