"""Imports real events through the real programs and reads all of them back by category, and streams one by one.

    import_events.py HISTORY_SCRIPT REPOSITORY | import_events.py FILE.ndjson.gz

The script makes events from the history of the repository. WEIR_PROGRAM and WEIR_SERVER_PROGRAM name the programs. Every
record must come back at its position and equal as JSON, with exact numbers and times.
"""
import atexit
import decimal
import gzip
import json
import os
import signal
import subprocess
import sys
import tempfile

STREAMS = 100


def parse(line):
    record = json.loads(line, parse_float=decimal.Decimal)
    if record.get("meta", 0) is None:  # EventoDB's dumps have null for absent metadata
        del record["meta"]
    return record


def events_of(arguments):
    if len(arguments) == 1:
        with gzip.open(arguments[0], "rb") as dump:
            return dump.read(), True
    made = subprocess.run(["sh", *arguments], stdout=subprocess.PIPE, check=False)
    if made.returncode != 0:
        print("skipped: no git history here to make events of")
        sys.exit(77)
    return made.stdout, False


class Weir:
    def __init__(self, directory):
        self.directory = directory
        self.server = subprocess.Popen(
            [os.environ["WEIR_SERVER_PROGRAM"], "--store", "sqlite:" + directory + "/weir-data",
             "--listen", "tcp://127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
        self.url = self.server.stdout.readline().removeprefix("listening on ").strip()

    def run(self, *words, **options):
        return subprocess.run([os.environ["WEIR_PROGRAM"], "--server", self.url, *words], cwd=self.directory,
                              stdout=subprocess.PIPE, check=True, **options).stdout

    def read(self, *words):
        return [parse(line) for line in self.run(*words).splitlines()]

    def stop(self):
        self.server.send_signal(signal.SIGTERM)
        assert self.server.wait(20) == 0, "weir-server did not stop in good order"


def assert_same(got, want, what):
    assert len(got) == len(want), f"{what}: {len(got)} records, want {len(want)}"
    for one, other in zip(got, want):
        assert one == other, f"{what}: {one} is not {other}"


def main():
    dump, is_eventodb = events_of(sys.argv[1:])
    records = sorted((parse(line) for line in dump.splitlines()), key=lambda r: r["gpos"])
    streams, categories = {}, {}
    for record in records:
        streams.setdefault(record["stream"], []).append(record)
        categories.setdefault(record["stream"].partition("-")[0], []).append(record)
    # The history keeps growing, and each stream is read by a new process, so about a hundred streams of it are read.
    step = 1 if is_eventodb else max(1, len(streams) // STREAMS)
    with tempfile.TemporaryDirectory() as directory:
        weir = Weir(directory)
        atexit.register(weir.server.kill)  # also if a check fails
        form = ["--eventodb"] if is_eventodb else []
        weir.run("import", *form, input=dump)
        again = json.loads(weir.run("-o", "json", "import", *form, input=dump).splitlines()[-1])
        assert again["skipped_identical"] == len(records), f"the second import says {again}"
        for name, want in categories.items():
            assert_same(weir.read("category", name), want, f"category {name}")
        for name, want in sorted(streams.items())[::step]:
            want.sort(key=lambda r: r["pos"])
            assert_same(weir.read("read", name), want, f"stream {name}")
        assert_same(weir.read("category", ""), records, "the namespace")
        weir.stop()
    print(f"{len(records)} records of {len(streams)} streams and {len(categories)} categories read back equal, every {step}. stream by itself")


main()
