"""The demo: a shop to judge servers with, its pages, its tests and its recorded traffic."""
