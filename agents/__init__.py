"""The Faust apps: ``race`` and ``archive`` are workers, the other modules are what both use. See docs/faust.md."""
