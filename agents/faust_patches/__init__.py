"""Everything of ours that overrides or reaches into Faust, mode or aiokafka.

The table of patches is in ``docs/faust.md``: problem, upstream issue, our test, when it can be deleted.
``tests/agents/faust_patches/test_upstream.py`` stores a hash of each upstream function concerned, and fails when an
upgrade changes one.
"""
