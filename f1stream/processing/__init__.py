"""What every stage is made of: records in, outputs and tables out, acknowledgements. No Kafka client, no Faust."""
