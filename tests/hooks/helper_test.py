#!/usr/bin/python3
"""outpost-hook and its libraries, without an agent and with the real one. Arguments: the programs outpost and outpost-hook."""

import json
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile

import harness

OUTPOST, HELPER = (os.path.abspath(program) for program in sys.argv[1:3])

# A hook in Python that talks to the socket itself, as a hostile one would.
HOSTILE = """#!/usr/bin/python3
import json, os, socket, subprocess, sys, time

def connect():
    there = socket.socket(socket.AF_UNIX)
    directory, name = os.path.split(os.environ["OUTPOST_SOCKET"])
    os.chdir(directory)
    there.connect(name)
    os.chdir(os.environ["OUTPOST_WORKSPACE"])
    return there

def ask(there, text):
    there.sendall(text)
    return there.makefile().readline()

def call(verb, **args):
    return json.dumps({"v": 1, "id": os.urandom(8).hex(), "verb": verb, "args": args}).encode() + b"\\n"
"""


class Helper(harness.PluginTest):
    def hook(self, *words, status=0, **variables):
        environment = {"PATH": os.environ["PATH"], "OUTPOST_WORKSPACE": self.path("workspace"), "OUTPOST_SHARED": self.path("shared")}
        ended = subprocess.run(
            [HELPER, *words], capture_output=True, text=True, check=False, env={**environment, **variables}, cwd=self.top
        )
        self.assertEqual(ended.returncode, status, ended.stdout + ended.stderr)
        return ended.stdout, ended.stderr

    def events(self):
        return [json.loads(line) for line in self.read("workspace", ".hook-events.ndjson").splitlines()]

    def job(self, status=1, interpreter="bash", secrets=None, stages=("test",), **hooks):
        """Runs a job with these hooks; returns what was printed, and keeps its journal."""
        for stage, script in hooks.items():
            head = "#!/bin/bash\nset -eu\n" if interpreter == "bash" else HOSTILE
            self.write(f"plugins/own/hooks/{stage}", head + script, 0o755)
        job = {"name": "try", "plugins_path": [self.path("plugins")], "plugins": ["own"], "timeout": "2min", "grace": "1s"}
        if secrets:
            job["secrets"] = secrets
        self.directory = tempfile.mkdtemp(dir=self.top) + "/job"
        file = self.write("job.yml", json.dumps(job))
        command = [OUTPOST, "job", "run", "--directory", self.directory, file]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        output = ended.stdout + ended.stderr
        self.assertEqual(ended.returncode, status, output)
        return output

    def journal(self, kind="step.told"):
        with sqlite3.connect(self.directory + "/journal.db") as database:
            rows = database.execute("SELECT body FROM events WHERE type = ? ORDER BY seq", (kind,)).fetchall()
        return [json.loads(row[0]) for row in rows]

    def told(self, verb):
        return [event["data"] for event in self.journal() if event["data"]["verb"] == verb]

    # ---- without an agent ----

    def test_without_an_agent_it_is_written_down(self):
        self.hook("result", "boots", "fail", "--message", "no ping", "--duration", "1.5")
        self.hook("metric", "speed", "-4.5", "--unit", "MiB/s")
        self.hook("warn", "the", "array", "is", "slow")
        result, metric, warning = self.events()
        self.assertEqual(result["args"], {"name": "boots", "outcome": "fail", "message": "no ping", "duration_ms": 1500})
        self.assertEqual(metric["args"], {"name": "speed", "value": -4.5, "unit": "MiB/s"})
        self.assertEqual((warning["verb"], warning["args"]["text"]), ("warn", "the array is slow"))

    def test_values_keep_their_type(self):
        for text, value in (("3", 3), ("true", True), ('["a"]', ["a"]), ("1.2.3", "1.2.3")):
            self.hook("var", "set", "it", text)
            self.assertEqual(json.loads(self.hook("var", "get", "it", "--json")[0]), value)
        self.hook("var", "set", "it", "3", "--text")
        self.assertEqual(self.hook("var", "get", "it", "--json")[0], '"3"\n')
        self.assertEqual(self.hook("var", "list")[0], 'it="3"\n')
        self.hook("var", "unset", "it")
        self.assertIn("no value it", self.hook("var", "get", "it", status=1)[1])
        self.assertEqual(self.hook("var", "get", "it", "--default", "x")[0], "x\n")

    def test_secrets_are_not_written_down(self):
        self.hook("var", "set", "it", "hunter2", "--secret")
        self.hook("redact", "correct horse")
        self.assertNotIn("hunter2", self.read("workspace", ".hook-events.ndjson"))
        self.assertNotIn("horse", self.read("workspace", ".hook-events.ndjson"))
        self.write("secrets/token", "t0ken")
        known = {"OUTPOST_SECRETS": self.path("secrets")}
        self.assertEqual(self.hook("secret", "get", "token", **known)[0], "t0ken")
        self.assertIn("no secret other", self.hook("secret", "get", "other", status=1, **known)[1])
        self.hook("secret", "get", "../workspace", status=64, **known)

    def test_components_are_found(self):
        known = {"OUTPOST_COMPONENT_ACME_OS_VERSION": "1.2", "OUTPOST_COMPONENT_ACME_OS_PATH": "/there"}
        self.assertEqual(self.hook("component", "path", "acme-os", **known)[0], "/there\n")
        self.assertIn("acme_os", self.hook("component", "version", "ocp", status=1, **known)[1])

    def test_a_command_is_tried_again(self):
        script = 'n=$(cat n 2>/dev/null || echo 0); echo $((n + 1)) >n; [ "$n" -eq 2 ]'
        self.hook("exec", "--retries", "3", "--backoff", "10ms", "--", "sh", "-c", script)
        self.assertEqual(self.read("n"), "3\n")
        self.assertIn("attempt 1 of 1", self.hook("exec", "--", "sh", "-c", "exit 7", status=7)[1])
        self.hook("exec", "--timeout", "100ms", "--", "sleep", "600", status=124)
        self.hook("exec", "--", "/no/such/program", status=127)

    def test_bad_calls_say_what_is_right(self):
        for words, said in (
            (["resutl"], 'did you mean "result"'),
            (["result", "a", "well"], "pass, fail, error, skip or xfail"),
            (["result", "a"], "something is missing"),
            (["result", "a", "pass", "--suit", "s"], 'did you mean "--suite"'),
            (["metric", "a", "fast"], "is no number"),
            (["progress", "half"], "is not like 3/10"),
            (["timeout", "soon"], "is not a duration"),
            (["artifact", "/no/such/file"], "No such file"),
            (["artifact", "/"], "is a directory"),
            (["env", "set", "A B=c"], "is not like NAME=VALUE"),
            (["resource", "lock", "../x"], "is no name"),
            (["result", "", "fail"], "a case has a name"),
            (["heartbeat", "now"], "is too much"),
        ):
            self.assertIn(said, self.hook(*words, status=64)[1], words)

        self.assertIn("contract's own", self.hook("env", "set", "PATH=/tmp", status=1)[1])

    def test_an_empty_reason_is_no_reason_to_go_on(self):
        self.assertIn("abort: no reason was given", self.hook("abort", "", status=1)[1])
        self.assertEqual(self.events()[0]["args"]["why"], "no reason was given")

    def test_an_agent_that_is_gone_is_an_error_of_the_lab(self):
        # A socket of which nobody can say that its agent will be back: the directory is not ours to look into.
        self.assertIn("cannot be reached", self.hook("note", "x", status=69, OUTPOST_SOCKET="/proc/version/socket")[1])

    # ---- with one ----

    def test_a_reported_failure_counts_although_the_hook_ends_with_0(self):
        output = self.job(
            test="""
outpost-hook result one pass --duration 2
outpost-hook result two fail --message 'a < b & "c"' --suite other
outpost-hook result three xfail
outpost-hook result two fail --message again --suite other
"""
        )
        self.assertRegex(output, r"verdict: +failure")
        self.assertIn("1 of 3 cases failed in own", output)
        (found,) = self.journal("result.found")
        self.assertEqual(found["data"]["name"], "test/own/reported")
        self.assertEqual((found["data"]["total"], found["data"]["failures"], found["data"]["skips"]), (3, 1, 1))

    def test_a_failure_counts_although_its_log_is_not_there(self):
        output = self.job(test="outpost-hook result one fail --log /no/such.log || true")
        self.assertRegex(output, r"verdict: +failure")
        self.assertIn("/no/such.log: No such file", output)

    def test_what_is_said_is_in_the_journal(self):
        self.write("workspace/unit.xml", '<testsuite><testcase name="a"/></testsuite>')
        output = self.job(
            0,
            install=f"""
printf '%s' 0123456789 >private; chmod 0400 private
outpost-hook artifact private --name logs/private.txt --type text/plain
outpost-hook junit '{self.path("workspace")}/u*.xml'
outpost-hook metric speed 4.5 --unit MiB/s
outpost-hook note "all is well" --file a.c:3
outpost-hook progress 1/2 half
outpost-hook status busy
outpost-hook env set ACME=blue LANGUAGE=C
outpost-hook var set ports '[1, 2]'
echo '# done' | outpost-hook summary -
outpost-hook group start "a part"; outpost-hook group end
! outpost-hook cancelled
outpost-hook resource lock strip; outpost-hook resource list; outpost-hook resource unlock strip
! outpost-hook env set OUTPOST_JOB_ID=1
! outpost-hook reboot
left=$(outpost-hook timeout 60s); [ "$left" -le 60 ]; outpost-hook heartbeat
""",
            test="""
[ "$ACME $LANGUAGE" = "blue C" ]
[ "$(outpost-hook var get ports)" = "[1,2]" ]
outpost-hook env list
""",
        )
        self.assertIn("ACME=blue", output)
        self.assertIn('"name":"strip"', output)
        artifacts = {event["data"]["name"]: event["blobs"][0] for event in self.journal("artifact.found")}
        self.assertEqual(set(artifacts), {"logs/private.txt", "install/own/summary.md"})
        (copy,) = [path for path in self.files("handed-over") if path.endswith(artifacts["logs/private.txt"]["path"])]
        with open(copy, encoding="utf-8") as file:
            self.assertEqual(file.read(), "0123456789")
        self.assertEqual(self.journal("result.found")[0]["data"]["name"], "install/own/unit")
        self.assertEqual(self.told("metric")[0]["value"], 4.5)
        self.assertEqual(self.told("note")[0]["file"], "a.c:3")
        self.assertEqual(self.told("var")[0]["value"], [1, 2])
        self.assertEqual([each["verb"] for each in self.told("lock") + self.told("unlock")], ["lock", "unlock"])
        self.assertLessEqual(self.told("timeout")[0]["timeout_ms"], 120_000)

    def test_several_junit_files_are_one_result(self):
        for name, body in (("a", "<testcase name='x'/>"), ("b", "<testcase name='x'><failure/></testcase>"), ("none", "")):
            self.write(f"reports/{name}.xml", f"<testsuites><testsuite name='{name}'>{body}</testsuite></testsuites>")
        self.write("reports/broken.xml", "<testsuites><testsuite name='broken'><testcase name='x'/>")
        self.write("reports/other.xml", "<html/>")
        output = self.job(
            test=f"""
cd '{self.path("reports")}'
outpost-hook junit --name unit a.xml b.xml none.xml && outpost-hook junit a.xml broken.xml || exit 70
outpost-hook junit --each a.xml b.xml && outpost-hook junit --name one a.xml || exit 70
status=0; outpost-hook junit other.xml a.xml away.xml b.xml || status=$?
[ $status = 64 ]
"""
        )
        self.assertIn("other.xml: other is not JUnit: its root is <html>", output)
        self.assertIn("away.xml: No such file or directory", output)
        results = {event["data"]["name"]: event for event in self.journal("result.found")}
        counted = {name: (each["data"]["total"], each["data"]["failures"]) for name, each in results.items()}
        names = {"unit": (2, 1), "broken": (1, 0), "junit": (1, 0), "a": (1, 0), "b": (1, 1), "one": (1, 0), "junit.2": (2, 1)}
        self.assertEqual(counted, {f"test/own/{name}": numbers for name, numbers in names.items()})
        self.assertFalse(results["test/own/broken"]["data"]["well_formed"])
        handed_over = {os.path.basename(path) for path in self.files("handed-over")}
        self.assertEqual(handed_over, {os.path.basename(each["blobs"][0]["path"]) for each in results.values()})
        (whole,) = [path for path in self.files("handed-over") if path.endswith(results["test/own/unit"]["blobs"][0]["path"])]
        with open(whole, encoding="utf-8") as file:
            self.assertEqual([line.split('"')[1] for line in file if "<testsuite " in line], ["a", "b", "none"])

    def test_parts_of_a_result_that_are_not_all_here_are_asked_for_again(self):
        output = self.job(
            interpreter="python",
            test="""
there = connect()
print(ask(there, call("junit", name="unit", whole="feed", parts=2)))
there.sendall(call("junit", name="unit", whole="x" * 1000, parts=-1))
print(there.makefile().readline())
sys.exit(1)
""",
        )
        self.assertEqual(output.count('"status":75'), 2, output)
        self.assertEqual(self.journal("result.found"), [])

    def test_a_case_that_passed_when_it_was_run_again_is_flaky_and_no_failure(self):
        tries = "<testcase classname='c' name='shaky'><failure/></testcase><testcase classname='c' name='shaky'/>"
        output = self.job(0, test=f"echo \"<testsuite name='s'>{tries}<testcase name='other'/></testsuite>\" >\"$OUTPOST_RESULTS/unit.xml\"")
        self.assertIn("2 cases, 2 passed (1 flaky), 0 failed", output)
        self.assertIn("flaky: s:c:shaky", output)
        self.assertIn("2, 2 passed (1 flaky)", output)

    def files(self, folder):
        found = []
        for top, _, names in os.walk(self.directory):
            found += [os.path.join(top, name) for name in names if f"/{folder}/" in os.path.join(top, name)]
        return found

    def test_what_is_hidden_is_in_no_log(self):
        output = self.job(
            0,
            install='outpost-hook redact --file <(echo tell-nobody); echo "it is tell-nobody"; outpost-hook note tell-nobody',
            test='echo "still tell-nobody"',
        )
        self.assertNotIn("tell-nobody", output)
        self.assertIn("it is ***", output)
        self.assertIn("still ***", output)
        self.assertEqual(self.told("note")[0]["text"], "***")
        self.assertNotIn("tell-nobody", json.dumps(self.journal()))

    def test_the_last_error_is_part_of_the_reason(self):
        output = self.job(test='outpost-hook error "array 3 does not answer"; exit 77')
        self.assertRegex(output, r"verdict: +error")
        self.assertIn("the lab is at fault, not the product: array 3 does not answer", output)

    def test_abort_ends_the_job(self):
        output = self.job(install="outpost-hook abort 'the lab is on fire' || sleep 600", test="echo never", collect="echo closing")
        self.assertRegex(output, r"verdict: +error")
        self.assertIn("has aborted the job: the lab is on fire", output)
        self.assertNotIn("never", output)
        self.assertIn("closing", output)

    def test_retry_is_obeyed(self):
        output = self.job(0, acquire='[ "$OUTPOST_ATTEMPT" -gt 1 ] || { outpost-hook retry 1 busy || exit; }; echo "attempt $OUTPOST_ATTEMPT"')
        self.assertIn("attempt 2", output)

    def test_a_time_limit_is_not_put_off_beyond_its_bound(self):
        output = self.job(test="outpost-hook timeout 1s; outpost-hook timeout 1s; exec sleep 600")
        self.assertRegex(output, r"verdict: +failure")
        self.assertIn("its time was up", output)

    def test_the_libraries_say_the_same(self):
        output = self.job(
            test="""
. "$OUTPOST_LIB/hook.bash"
hook_case good true
hook_case bad sh -c 'echo it broke; exit 3' || :
hook_step "a part" echo inside
hook_var set n 3
python3 - <<'PYTHON'
import os, sys
sys.dont_write_bytecode = True
sys.path.insert(0, os.environ["OUTPOST_LIB"])
import outpost_hook as hook
assert hook.var_get("n") == 3 and hook.var_get("none", 7) == 7
with hook.case("python", suite="other"):
    assert False, "as it should"
with hook.case("skipped"):
    raise hook.Skip("nothing there")
hook.metric("speed", -1.5)
assert not hook.cancelled() and hook.lock("strip", wait=1) and hook.locks()[0]["name"] == "strip"
hook.unlock("strip")
hook.redact("py-secret")
print("it is py-secret", flush=True)
assert hook.timeout(60) <= 60
with hook.group("more"):
    hook.note("said")
try:
    hook.env_set(PATH="x")
except hook.HookError as refused:
    assert refused.status == 1
else:
    raise AssertionError("PATH was set")
PYTHON
"""
        )
        (found,) = self.journal("result.found")
        self.assertEqual((found["data"]["total"], found["data"]["failures"], found["data"]["skips"]), (4, 2, 1), output)
        self.assertEqual(self.told("result")[1]["message"], "ended with 3: it broke")
        self.assertIn("it is ***", output)

    # ---- hooks that mean no good ----

    def test_a_line_without_end_ends_its_connection(self):
        self.job(
            0,
            interpreter="python",
            test="""
there = connect()
try:
    for _ in range(1024):
        there.sendall(b"x" * 2**20)
    sys.exit("it was taken whole")
except (BrokenPipeError, ConnectionResetError):
    pass
assert json.loads(ask(connect(), call("note", text="still heard")))["status"] == 0
""",
        )
        self.assertEqual(self.told("note")[0]["text"], "still heard")

    def test_nonsense_is_refused(self):
        self.job(
            0,
            interpreter="python",
            test="""
for line, status in (
    (b"x\\n", 64), (b"[]\\n", 64), (b'{"v": 2}\\n', 69), (b'{"v": 1, "id": "x", "verb": "note"}\\n', 64), (b"\\xff\\xfe\\n", 64),
    (b"[" * 1000 + b"\\n", 64), (call("nonsense"), 69), (call("metric", name="a", value="b"), 64), (call("metric", name="../a", value=1), 64),
    (call("result", name="a", outcome="well"), 64), (call("result", outcome="pass"), 64), (call("artifact", name="a"), 64),
    (call("artifact", name="../../a"), 64), (call("timeout", more_ms=-1), 64), (call("timeout", more_ms="x"), 64), (call("env", set=[1]), 64),
    (call("env", set={"A=B": "c"}), 64), (call("env", set={"PATH": "c"}), 1), (call("redact", text="x"), 64), (call("lock", name="a/b"), 64),
    (call("unlock", name="not-mine"), 1), (call("abort"), 64), (call("retry"), 64), (call("progress", done="x"), 64),
):
    answer = json.loads(ask(connect(), line))
    assert answer["status"] == status, (line[:80], answer)
""",
        )

    def test_a_call_that_is_sent_twice_counts_once(self):
        self.job(
            0,
            interpreter="python",
            test="""
line = call("metric", name="a", value=1)
for _ in range(3):
    assert json.loads(ask(connect(), line))["status"] == 0
""",
        )
        self.assertEqual(len(self.told("metric")), 1)

    def test_a_call_on_many_connections_at_once_counts_once(self):
        self.job(
            0,
            interpreter="python",
            test="""
with open("mine", "w") as file:
    file.write("x" * 2**20)
for verb, files, args in (("artifact", ["mine"], {"name": "mine"}), ("metric", [], {"name": "a", "value": 1}), ("redact", [], {"text": "hidden"})):
    line = json.dumps({"v": 1, "id": os.urandom(8).hex(), "verb": verb, "files": len(files), "args": args}).encode() + b"\\n"
    connections = [connect() for _ in range(8)]
    for there in connections:
        socket.send_fds(there, [line], [os.open(file, os.O_RDONLY) for file in files])
    for there in connections:
        assert json.loads(there.makefile().readline())["status"] == 0
""",
        )
        self.assertEqual((len(self.journal("artifact.found")), len(self.told("metric")), len(self.told("redact"))), (1, 1, 1))

    def test_files_that_are_none_are_not_read(self):
        self.job(
            0,
            interpreter="python",
            test="""
def hand_over(file):
    there = connect()
    line = json.dumps({"v": 1, "id": os.urandom(8).hex(), "verb": "artifact", "files": 1, "args": {"name": "x"}}).encode() + b"\\n"
    socket.send_fds(there, [line], [file])
    return json.loads(there.makefile().readline())["status"]

pipe = os.pipe()
assert hand_over(pipe[0]) == 64
assert hand_over(os.open("/dev/zero", os.O_RDONLY)) == 64
assert hand_over(os.open("/", os.O_RDONLY)) == 64
assert hand_over(os.open("w", os.O_WRONLY | os.O_CREAT, 0o600)) == 64
assert hand_over(os.open("w", os.O_PATH)) == 64
assert hand_over(os.open("w", os.O_RDONLY)) == 0
""",
        )
        self.assertEqual(len(self.journal("artifact.found")), 1)

    def test_many_connections_and_processes_harm_nobody_else(self):
        self.job(
            0,
            interpreter="python",
            test="""
idle = [connect() for _ in range(60)]  # More than are served; they say nothing.
for there in idle:
    there.close()
# Somebody who is gone before it is heard.
for _ in range(20):
    if os.fork() == 0:
        there = connect()
        there.sendall(call("note", text="from the grave"))
        os._exit(0)
for _ in range(20):
    os.wait()
for _ in range(300):
    assert json.loads(ask(connect(), call("status", text="x")))["status"] == 0
assert subprocess.run(["outpost-hook", "note", "heard"]).returncode == 0
""",
        )
        self.assertEqual(self.told("note")[-1]["text"], "heard")

    @staticmethod
    def hear_from_outside(where):
        """What somebody hears who calls at a step's socket without being of it; nothing, as soon as it is hung up."""
        directory, name = os.path.split(where)
        here = os.getcwd()
        with socket.socket(socket.AF_UNIX) as there:
            os.chdir(directory)  # The path may be longer than an address can be.
            try:
                there.connect(name)
            finally:
                os.chdir(here)
            try:
                there.sendall(b'{"v": 1, "id": "0123456789", "verb": "note", "args": {"text": "a lie"}}\n')
                return there.recv(100)
            except (BrokenPipeError, ConnectionResetError):
                return b""

    def test_nobody_from_outside_the_step_is_heard(self):
        # The hook waits until somebody who is not below its guardian has tried: this test.
        self.write("plugins/own/hooks/test", '#!/bin/bash\necho "$OUTPOST_SOCKET" >"' + self.path("where") + '"\nuntil [ -e "' + self.path("done") + '" ]; do sleep 0.1; done\noutpost-hook note own\n', 0o755)
        job = self.write("job.yml", json.dumps({"name": "try", "plugins_path": [self.path("plugins")], "plugins": ["own"]}))
        self.directory = tempfile.mkdtemp(dir=self.top) + "/job"
        with subprocess.Popen([OUTPOST, "job", "run", "--directory", self.directory, job], stdout=subprocess.DEVNULL) as running:
            while not os.path.exists(self.path("where")) or not self.read("where").endswith("\n"):
                self.assertIsNone(running.poll())
                os.sched_yield()
            heard = self.hear_from_outside(self.read("where").strip())
            self.write("done", "")
            self.assertEqual(running.wait(), 0)
        self.assertEqual(heard, b"")
        self.assertEqual([each["text"] for each in self.told("note")], ["own"])


if __name__ == "__main__":
    sys.argv[1:] = sys.argv[3:]
    harness.main()
