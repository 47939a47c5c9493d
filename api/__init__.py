"""HTTP, websocket and pages; no model, no vectors, no pixels."""
