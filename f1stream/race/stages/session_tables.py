"""The tables of the session stage: checkpoints (``races``) and session headers (``standing``)."""

from __future__ import annotations

import json
import logging

from f1stream.logs import key_fields
from f1stream.processing.tables import KeyValueStore
from f1stream.race.stages.checkpoint import MAX_BYTES
from f1stream.race.stages.open_session import OpenSession
from f1stream.race.stages.session_race import SessionRace
from f1stream.topics import MOST, RunDamaged

log = logging.getLogger("f1stream")


class SessionTables:
    """Reads and writes sessions. A checkpoint is read together with its header, so the header is stored first."""

    def __init__(self, checkpoints: KeyValueStore, headers: KeyValueStore, official: bool) -> None:
        """``official``: whether official times correct and count in restored races."""
        self._checkpoints, self._headers, self._official = checkpoints, headers, official

    def read(self, key: bytes, name: str, supposed: int) -> OpenSession | None:
        """A session from the tables; None if none is stored.

        A checkpoint that cannot be decoded damages its run, not the next one. ``supposed``: the run id to assume if
        not even that can be decoded.
        """
        checkpoint, header = self._checkpoints.read(key), self._headers.read(key)
        if checkpoint is None:
            return None
        try:
            race = SessionRace.restore(name, checkpoint, header, self._official)
        except Exception as error:
            stored = _run_id(checkpoint, supposed)
            failure = RunDamaged(f"its checkpoint cannot be read back, {type(error).__name__}: {error}")
            return OpenSession(SessionRace(name, stored, self._official), failure=failure)
        session = OpenSession(race, -1 if race.t is None else race.t, counted=race.tally.samples)
        if race.damaged is not None:
            session.checkpoint_ms = MOST
        log.info("Run %d continues after session time %d ms.", race.run_id, session.checkpoint_ms,
                 extra=key_fields(key))  # fmt: skip
        return session

    async def write(self, sessions: dict[bytes, OpenSession]) -> list[bytes]:
        """Write headers and checkpoints; returns the keys of the stored checkpoints.

        If a session cannot be stored, the reason becomes its ``failure``.
        """
        checkpoints = {}
        for key, session in sessions.items():
            race = session.race
            try:
                checkpoint, header = race.checkpoint(), race.dump_header() if race.header_changed else None
                if checkpoint is not None and len(checkpoint) > MAX_BYTES:
                    raise RunDamaged(f"its checkpoint has {len(checkpoint)} bytes, more than {MAX_BYTES}")
            except Exception as error:
                session.failure = error
                continue
            if header is not None:
                self._headers.write(key, race.run_id, race.progress, header)
                race.header_changed = False
            if checkpoint is not None:
                checkpoints[key] = checkpoint
        await self._headers.flush()
        for key, checkpoint in checkpoints.items():
            race = sessions[key].race
            self._checkpoints.write(key, race.run_id, race.progress, checkpoint)
        await self._checkpoints.flush()
        return list(checkpoints)


def _run_id(checkpoint: bytes, otherwise: int) -> int:
    """The run id of a checkpoint that cannot be decoded as a whole."""
    try:
        return int(json.loads(checkpoint)["epoch"])
    except (ValueError, KeyError, TypeError):
        return otherwise
