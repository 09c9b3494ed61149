"""How the race workers grow with sessions and workers, and one job of theirs in Quix Streams beside Faust."""
