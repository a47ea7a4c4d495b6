"""One of the demo's readers: attaches to a live scan, reads every row, prints what it saw as JSON."""

import json
import sys

import pwalk

with pwalk.attach(sys.argv[1], timeout=60, verify=True) as consumer:
    rows = sum(len(batch) for batch in consumer)
    stats = consumer.stats

print(json.dumps({
    "rows": rows,
    "bytes": stats.file_bytes,
    "hash": f"{stats.content_hash:016x}",
    "complete": consumer.complete,
}))
