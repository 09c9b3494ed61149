"""The feed's messages as our records: ``parser.Parser``."""
