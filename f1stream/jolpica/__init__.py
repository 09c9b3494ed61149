"""The season's facts from the Jolpica API: asked for politely, landed as they were said, and asked again."""
