"""bridgecheck: may this native front end take uvicorn's place? The command line; the work is in bridgecheck.conformance."""
