"""The Faust apps: each module is one kind of worker."""
