"""Servers that are wrong on purpose: python server.py FAULT HOST PORT APP. None of them ever calls the app."""

import os
import signal
import socket
import sys
import time

fault, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])

if fault == "exits":
    print("cannot read the licence file", file=sys.stderr)
    sys.exit(7)
if fault == "deaf":
    time.sleep(60)

listener = socket.create_server((host, port))
signal.alarm(60)  # whatever the test does, this ends
served = 0
while True:
    connection, _ = listener.accept()
    with connection:
        if fault == "closes":
            continue
        data = connection.recv(65536)
        if not data:
            continue
        served += 1
        if fault == "dies" and served == 3:
            os.kill(os.getpid(), signal.SIGSEGV)
        if fault == "garbage":
            connection.sendall(b"\x16\x03\x01 this is no HTTP\r\n\r\n" * 10)
        else:
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok")
