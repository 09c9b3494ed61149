"""The two stages of the race worker in plain Python: per driver, then per session.

    telemetry, laps ──▶ DriverStage ──▶ updates ──▶ SessionStage ──▶ frames
                                       messages ──▶

``agents/race.py`` connects them to Kafka; ``f1stream.processing.batch.process_batch`` runs their steps in order.
"""
