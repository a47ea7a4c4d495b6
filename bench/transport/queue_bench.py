"""multiprocessing.Queue between two pinned processes: prints GB/s, millions per second or nanoseconds.

    queue_bench.py batches|records|asleep SENDERS_CPU READERS_CPU
"""

import multiprocessing
import os
import statistics
import sys
import time

import numpy

SECONDS = 0.15
PAUSE = 0.0004


def read_stream(queue, cpu, answer):
    os.sched_setaffinity(0, {cpu})
    first = last = None
    messages = size = total = 0
    while (message := queue.get()) is not None:
        total += int(numpy.frombuffer(message, dtype="u8").sum())
        last = time.monotonic_ns()
        first = first or last
        messages += 1
        size += len(message)
    answer.put((messages, size, last - first))


def read_latencies(queue, cpu, answer):
    os.sched_setaffinity(0, {cpu})
    latencies = []
    while (sent := queue.get()) is not None:
        latencies.append(time.monotonic_ns() - sent)
    answer.put(statistics.median(latencies[10:]))


def main():
    workload, sender, reader = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    os.sched_setaffinity(0, {sender})
    queue, answer = multiprocessing.Queue(maxsize=0 if workload == "asleep" else 1000), multiprocessing.Queue()
    target = read_latencies if workload == "asleep" else read_stream
    child = multiprocessing.Process(target=target, args=(queue, reader, answer))
    child.start()
    payload = bytes(range(64)) * (1024 if workload == "batches" else 1)
    time.sleep(0.02)
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        if workload == "asleep":
            queue.put(time.monotonic_ns())
            time.sleep(PAUSE)
        else:
            queue.put(payload)
    queue.put(None)
    result = answer.get(timeout=20)
    child.join()
    if workload == "asleep":
        print(result)
    else:
        messages, size, nanoseconds = result
        print(size / nanoseconds if workload == "batches" else messages * 1e3 / nanoseconds)


main()
