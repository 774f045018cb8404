"""Autobahn's WebSocket cases, run by kosoku: exchanges whose script is Autobahn's own, and who plays it.

`case` is what a case is to the pipe, `drive` plays cases to targets, `runner` is the process that it does so with.
"""
