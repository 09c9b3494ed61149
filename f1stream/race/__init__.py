"""The rules of racing: plain functions of session time, without Kafka, clock or I/O. See docs/rules.md."""
