"""From files to pixels and thumbnails."""
