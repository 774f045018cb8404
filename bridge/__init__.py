"""The bridge: a native front end for ASGI apps that shall not differ from uvicorn for its user."""
