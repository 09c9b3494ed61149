"""The live feed as its messages: ``client.FeedClient``; ``recorder.Recorder`` writes them to a file."""
