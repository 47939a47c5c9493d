"""Other queues under the same load; each runs in an environment of its own and knows nothing of Clipline."""
