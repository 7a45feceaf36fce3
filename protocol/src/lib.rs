//! What devices and servers agree on: ids, topics, ping batches, receipts and beacon frames.
