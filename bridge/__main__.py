"""`python -m bridgecheck.bridge APP` is `bridgecheck serve APP`, without the rest of bridgecheck in the app's process."""

from .command import serve

serve()
