"""What services write is passed on whole, line by line and byte for byte; the daemon's own lines go to its stderr."""

import os

from harness import wait_until


def numbered(text, width):
    return [line for line in text.splitlines() if len(line) == width - 1 and line.split(" ", 1)[0].isdigit()]


def test_lines_of_several_services_are_passed_on_whole_and_in_order(nest):
    daemon = nest.daemon("""
[services.narrow]
command = ["@programs/speaker", "--lines", "3000", "--width", "60", "--split", "--pause", "50"]
[services.wide]
command = ["@programs/speaker", "--lines", "3000", "--width", "900", "--split", "--pause", "50"]
[services.talk]
command = ["@programs/speaker", "--lines", "500", "--width", "77", "--to", "stderr"]
""")
    wait_until(lambda: len(daemon.out_text()) >= 3000 * 960, what="all lines", report=daemon.report)
    out = daemon.out_text()
    for width in (60, 900):
        lines = numbered(out, width)
        assert [int(line.split(" ", 1)[0]) for line in lines] == list(range(3000)), width
    assert len(out.splitlines()) == 6000, "nothing else is on stdout"
    wait_until(lambda: len(numbered(daemon.log_text(), 77)) == 500, what="stderr's lines")


def test_bytes_are_not_touched_and_a_last_line_without_its_end_is_not_lost(nest):
    raw = bytes(byte for byte in range(256) if byte != 10) * 8
    (nest.tmp / "raw").write_bytes(raw + b"\n" + b"no end of line")
    daemon = nest.daemon('[services.one]\ncommand = ["cat", "@tmp/raw"]\n')
    wait_until(lambda: b"no end of line" in daemon.out_path().read_bytes(), what="all of it", report=daemon.report)
    assert daemon.out_path().read_bytes().startswith(raw + b"\nno end of line")


def test_a_line_longer_than_a_pipe_arrives_whole(nest):
    daemon = nest.daemon('[services.one]\ncommand = ["@programs/speaker", "--lines", "3", "--width", "60000"]\n')
    wait_until(lambda: len(daemon.out_text()) >= 180_000, what="three long lines")
    assert len(numbered(daemon.out_text(), 60_000)) == 3


def test_the_services_fds_can_be_opened_again_and_stdin_is_dev_null(nest):
    script = "readlink /proc/self/fd/0; echo again > /dev/stdout; echo talk > /dev/stderr; ls /proc/self/fd | tr '\\\\n' ' '"
    daemon = nest.daemon(f'[services.one]\ncommand = ["sh", "-c", "{script}"]\n')
    wait_until(lambda: "again" in daemon.out_text() and "talk" in daemon.log_text(), what="its lines",
               report=daemon.report)
    lines = wait_until(lambda: len(found := daemon.out_text().splitlines()) >= 3 and found, what="three lines",
                       report=daemon.report)
    assert lines[0] == "/dev/null"
    assert set(lines[2].split()) == {"0", "1", "2", "3"}, "only its own descriptors, and that of ls"


def test_nobody_reading_the_daemons_output_stops_neither_daemon_nor_service(nest):
    reader, writer = os.pipe()
    daemon = nest.daemon("""
[services.loud]
command = ["@programs/speaker", "--width", "1000"]
[services.quiet]
command = ["@programs/crasher", "--after", "1000000"]
""", stdout=writer, start=False)
    daemon.start()
    os.close(writer)
    wait_until(lambda: daemon.ctl("ping")[0] == 0, what="an answer")
    daemon.wait_ready("quiet")
    assert daemon.ctl("restart", "quiet")[0] == 0, "a full pipe blocks nothing"
    os.close(reader)
    assert daemon.ctl("restart", "quiet")[0] == 0, "a broken one neither"
    assert daemon.stop() == 0


def test_the_daemons_own_lines_have_time_level_and_service(nest):
    daemon = nest.daemon('[services.one]\ncommand = ["@programs/crasher", "--exit", "3"]\nbackoff = { first = "1h", max = "1h" }\n')
    daemon.wait(lambda: daemon.service("one")["state"] == "backoff", what="backoff")
    line = next(line for line in daemon.log_text().splitlines() if "one: " in line and "3" in line)
    words = line.split(" ")
    assert words[0][:4].isdigit(), line
    assert any(level in line.lower() for level in ("info", "warning", "error")), line
