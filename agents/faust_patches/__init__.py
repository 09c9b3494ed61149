"""Everything of ours that overrides or reaches into Faust, mode or aiokafka."""
