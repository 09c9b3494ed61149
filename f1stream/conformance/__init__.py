"""``f1stream check``: compares our rules' results on recorded sessions with the feed's own values.

``feed`` reads the feed's order, laps and times without the parser, ``archive_values`` those of an archive. ``replay``
runs a session through the logic of both stages in process. ``checks`` has each comparison, ``compare`` applies them
to a source, and ``commands`` prints the table.
"""
