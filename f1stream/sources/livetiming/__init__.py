"""Formula 1's live timing: from the wire, or a recording of it, to a stream of feed messages.

``message`` is what both give; ``recording`` reads files, ``client`` speaks with the feed, ``recorder`` writes
what it says to a file.
"""
