"""Compares what the demo's readers saw with each other and with find.

demo_verdict.py DIRECTORY PATH, where DIRECTORY holds consumer1, consumer2, summary (JSON) and find (a number).
"""

import json
import pathlib
import subprocess
import sys

work, target = pathlib.Path(sys.argv[1]), sys.argv[2]
seen = [json.loads((work / f"consumer{number}").read_text()) for number in (1, 2)]
summary = json.loads((work / "summary").read_text())
found = int((work / "find").read_text())

print(f"pwalk-scanner {target}: {summary['entries']:,} entries in {summary['wall_seconds']:.2f} s, "
      f"{summary['threads']} threads, {summary['huge_pages']}")
for number, consumer in enumerate(seen, 1):
    print(f"  consumer {number}   {consumer['rows']:>12,} entries   {consumer['bytes']:>18,} bytes   "
          f"hash {consumer['hash']}")
print(f"  find | wc -l {found:>12,} lines")

differences = [f"the consumers differ in {key}: {seen[0][key]} and {seen[1][key]}"
               for key in ("rows", "bytes", "hash", "complete") if seen[0][key] != seen[1][key]]
if not seen[0]["complete"]:
    differences.append("the scan was cut short")
if seen[0]["rows"] != found:
    names = len(subprocess.run(["find", "-H", target, "-printf", "."], capture_output=True, check=False).stdout)
    if seen[0]["rows"] == names:
        print(f"  of which {found - names:,} are due to newlines in names: find has {names:,} entries")
    else:
        differences.append(f"find has {names:,} entries (a tree in use changes between the two)")
print("OK: the same rows for both, and as many as find" if not differences else
      "\n".join(f"DIFFERS: {line}" for line in differences))
sys.exit(1 if differences else 0)
