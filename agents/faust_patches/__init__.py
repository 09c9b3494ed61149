"""Everything of ours that overrides or reaches into Faust, mode or aiokafka.

`tests/agents/faust_patches/test_upstream.py` holds a hash of each upstream function concerned, and fails when an upgrade
changes one. Upstream issues are of github.com/faust-streaming/faust. Our tests are in `tests/agents/faust_patches`.

| Patched | Problem | Upstream issue | Our test | Can be deleted when |
|---|---|---|---|---|
| `Consumer.perform_seek` | A partition without a commit stays at the client's own position; positions of an earlier assignment are set; a position that the app knows better is overwritten | none known | test_consumer | it sets every position of one assignment at once, and has a hook for the app's |
| `Consumer.getmany` | Records fetched before the position was set are delivered after it: the generation is read after the wait for records | 596 | test_consumer | the generation is read before that wait, and records from before a seek are dropped |
| `ConsumerThread.__init__`, `ConsumerThread._fetch_records`, `ConsumerThread._seek_wait`, `ConsumerThread.on_partitions_revoked`, `ConsumerThread.on_partitions_assigned` | The same: they say at which position records were fetched | 596 | test_consumer | `Consumer.getmany` is |
| `Consumer._wait_next_records` | `getmany` sets positions while the flow is stopped: `not_waiting_next_records` is set where it should be cleared | none known | test_consumer | the event is cleared during the wait |
| `Consumer._filter_committable_offsets` | Offsets acknowledged after a revocation are committed as of the new generation | none known | test_consumer | a commit carries the generation of its assignment |
| `Consumer.verify_event_path` | The check for stuck partitions ends the worker when a position is being set | none known | test_consumer | it expects a partition without a position |
| `Consumer.wait_first` | Four tasks for each message, most of its cost | none known | test_wait_first | `_drain_messages` puts into a queue with room without a task |
| `Consumer._new_consumer_thread` | Selects our thread | not a fault | test_consumer, test_embedded | `ConsumerThread` is |
| `PatchedFlowControl.resume`, `PatchedApp.flow_control` | Resuming clears the queues after partitions were resumed: what was fetched in between is lost | 596 | test_flow_control | `resume` clears before it sets the event |
| `DurableTable.send_changelog` | The flush before a commit gives up early: an offset is committed whose table write is lost | none known | test_tables | a table's writes can be awaited |
| `DurableTable.partition_for_key` | The producer is asked for a key's partition without waiting; while its client does not know the topic that is a TypeError, and the worker ends | none known | test_tables | a table's write waits for the topic's partitions |
| `DurableTable.apply_changelog_batch` | A worker that was frozen delivers an old write after its successor's newer ones | none: Kafka's log is right | test_tables | changelog writers are fenced (transactions) |
| `Producer.create_topic` | Returns before the partitions of the topic are known; a table asks for them at once | none known | test_producer | it waits for them |
| `Producer.send` | An older answer with metadata makes the client forget a newer topic | none known (aiokafka) | test_producer | aiokafka ignores answers older than the latest request |
| `IdempotentProducer._settings_extra` | `enable_idempotence` is set in transactions only | none known | test_producer | it is a setting |
| `EmbeddedConsumerThread._create_worker_consumer` | `fetch_max_wait_ms` is fixed at 1,500; the embedded broker waits half of it | none known | test_embedded | it is a setting |
| `EmbeddedConsumerThread._highwaters` | The embedded broker reports too small an end of a log: tables are recovered short | none: the broker's | test_embedded | the broker reports the end |
| `positions.input_positions` (reads `app._consumer`, `consumer._committed_offset`) | No public way to ask what is acknowledged | none known | test_positions | there is one |
| `positions.partition_counts` (reads `app._consumer`), `Producer.partition_count` | No public way to ask what the producer knows of a topic | none known | test_positions | there is one |

Two faults are avoided instead: a commit can pass an unacknowledged event (606, open; PR 707), so `AckTracker` acknowledges
only the contiguous prefix; a recovery hangs with `consumer_auto_offset_reset="latest"` (651), so it is "earliest".

Transports are found the public way, by the scheme of the broker's URL: entry point group `faust.transports`.
"""  # noqa: E501 - a table
