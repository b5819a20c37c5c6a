"""A Flask app: a page, a health path, and a form's text returned."""

from __future__ import annotations

from flask import Flask, request

app = Flask(__name__)


@app.get("/")
def page() -> str:
    """Greet."""
    return "Flask serves this page\n"


@app.get("/health")
def health() -> str:
    """Answer the health check."""
    return "ok\n"


@app.post("/echo")
def echo() -> bytes:
    """Return what was sent."""
    return request.get_data()
