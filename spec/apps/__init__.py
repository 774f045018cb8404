"""Small ASGI apps for the spec cases, without a framework. Each does one thing the specification has a rule about."""
