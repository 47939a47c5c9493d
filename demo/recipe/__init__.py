"""The recipe of the demo model: art and words from pinned npm packages to open_clip weights."""
