"""Formula 1's live timing: messages of the live feed, or of a recording of it, as our records.

``recording`` reads files and ``connection`` the live feed; both give ``message.FeedMessage``. ``parser`` makes our
records from them: ``as_session`` of a whole recording, ``live_run`` while a session is on.
"""
