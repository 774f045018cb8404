"""The observer: the ASGI app that a target serves in the real app's place, and that records what the app saw and did.

`app` is a face of the real app, which is named by the environment:

- BRIDGECHECK_APP: `module:attribute` of the real app; BRIDGECHECK_FACTORY=1 if it is to be called without arguments first.
- BRIDGECHECK_TRACE: the folder for this process's trace files; BRIDGECHECK_DOORBELL: the reader's datagram socket.

An app that cannot be had is an ImportError here, which the server reports in its own way. A trace that cannot be written is not: the
app must not notice, so the process writes one line to stderr and serves on unobserved. A missing trace is then an error on the gate's side.

Imported in a foreign interpreter (the target's), with only this package's parent on the path: nothing here imports bridgecheck or a third
party.
"""

import os

if "BRIDGECHECK_APP" in os.environ:
    from ._faces import Observer
    from ._loading import load

    app = Observer(os.environ.get("BRIDGECHECK_TRACE"), os.environ.get("BRIDGECHECK_DOORBELL")).observe(
        load(os.environ["BRIDGECHECK_APP"], factory=os.environ.get("BRIDGECHECK_FACTORY") == "1")
    )
else:

    def __getattr__(name):
        if name == "app":
            raise ImportError("bridgecheck_observer:app needs BRIDGECHECK_APP=module:attribute in the environment")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
