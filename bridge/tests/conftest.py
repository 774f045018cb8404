"""What all tests here start from."""

import signal

from .live import _end_of_usual  # noqa: F401

# A shell ignores SIGINT for what it runs in the background, and whatever that starts inherits it. The servers that these tests interrupt
# must see Ctrl-C as in front of a terminal; a handler of ours is the default again behind exec.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
