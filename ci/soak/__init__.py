"""The parts of ci/soak_bridge.py."""
