"""The self-test: servers that are wrong on purpose, each in one named way, so that a case which turns red has been seen to do so.

A mutation is a way of being wrong (mutation.py). It alters what the app is handed and what becomes of its events (events.py), or the bytes
on their way (wire.py). Any server can be started with one (wrong.py); zoo.py plays the cases to them.
"""
