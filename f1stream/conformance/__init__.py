"""``f1stream check``: what our rules make of recorded sessions, beside what the feed itself says of them.

``feed`` reads the feed's own order, laps and times, with nothing of the parser; ``replay`` takes a session through
both stages' logic in process; ``compare`` holds the two together; ``commands`` prints the table.
"""
