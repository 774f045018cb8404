"""A project's own tests as traffic: run as they are, then over real sockets under reference, twin and candidate, and compared.

`plugin` is what pytest loads; the other files are imported only where its options are given. docs/test-suite.md is for its users.
"""
