"""Building blocks of a stage: batches, outputs, tables, acknowledgements. No Kafka client and no Faust in here."""
