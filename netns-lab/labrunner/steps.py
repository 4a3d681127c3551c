"""Performs the steps of a scenario at the hosts of a run, and says of each whether all was as expected."""

from __future__ import annotations

import contextlib
import json
import shlex
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from labrunner import expect, outage
from labrunner.errors import LabError
from labrunner.identity import REPOSITORY, Identity, bin_folder
from labrunner.scenario import Scenario, Step, fill
from labrunner.story import Story
from labrunner.typed import Answer, ask, patience, shown, start, stop

_HERE = Path(__file__).resolve().parent
_PAUSE_S = 0.1


@dataclass
class Result:
    """What came of a step. commands, output: as shown. measured: figures by name. complaints: empty means ✓."""

    say: str
    on: str
    commands: list[str] = field(default_factory=list)
    output: str = ""
    measured: dict[str, Any] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)
    summary: str = ""
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether all was as expected."""
        return not self.complaints


class Performer:
    """Holds what a run has so far: values saved by steps, programs in the background."""

    def __init__(self, run: Identity, scenario: Scenario, datapath: str, story: Story) -> None:
        self._run, self._scenario, self._story = run, scenario, story
        self._started = 0
        self._values = dict(scenario.values)
        self._values["datapath"] = "" if datapath == "auto" else f"--datapath {datapath}"
        self._values |= {"datapath_word": datapath, "run_dir": str(run.folder)}
        self._values |= {name: str(_HERE / f"{name}.py") for name in ("frames", "send_flows", "send_frames", "traffic")}
        self._values |= {f"netns.{host.name}": run.netns(host.name) for host in scenario.hosts}

    def perform(self, step: Step) -> Result:
        """Do it, telling the story as it goes."""
        step = self._filled(step)
        self._story.step(step.say)
        result = Result(step.say, step.on)
        began = time.monotonic()
        self._kind(step)(step, result)
        result.seconds = time.monotonic() - began
        self._story.verdict(ok=result.ok, summary=result.summary, seconds=result.seconds)
        for text in result.complaints:
            self._story.complaint(self._run.shown(text))
        return result

    def _kind(self, step: Step) -> Callable[[Step, Result], None]:
        if step.tcp:
            return self._transfer
        if step.outage:
            return self._outage
        if step.capture:
            return self._capture
        if step.decode:
            return self._decode
        return self._background if step.background else self._commands

    def _commands(self, step: Step, result: Result) -> None:
        *first, last = step.run
        if not self._all_succeed(step, result, first):
            return
        self._type(step, result, last, step.stdin)
        answer, found, complaints = self._until_as_expected(step, last)
        self._came_back(step, result, answer)
        result.measured |= found
        result.complaints += complaints
        result.summary = ", ".join(f"{path.rpartition('.')[2]} {_short(value)}" for path, value in found.items())
        if complaints:
            return
        self._save(step, answer, result)
        if step.relay_to:
            self._all_succeed(replace(step, on=step.relay_to, exit=0, show=-1), result, answer.stdout.splitlines())

    def _all_succeed(self, step: Step, result: Result, commands: list[str]) -> bool:
        """Type commands up to the first that fails; that is a complaint."""
        for command in commands:
            self._type(step, result, command)
            answer = ask(self._run, step.on, command, step.timeout_s)
            self._came_back(replace(step, exit=0), result, answer)
            if answer.exit:
                result.complaints.append(f"{answer.command}: exit status {answer.exit}")
                return False
        return True

    def _until_as_expected(self, step: Step, command: str) -> tuple[Answer, dict[str, Any], list[str]]:
        """Try, at most until `within_s` is over, until nothing is left to complain of; the last try counts."""
        deadline = time.monotonic() + step.within_s * patience()
        while True:
            answer = ask(self._run, step.on, command, step.timeout_s, step.stdin)
            complaints = [] if answer.exit == step.exit else [f"exit status {answer.exit}, expected {step.exit}"]
            complaints += expect.text_complaints(answer.stdout + answer.stderr, list(step.output))
            found, more = expect.json_findings(answer.stdout, step.json)
            if not complaints + more or time.monotonic() >= deadline:
                return answer, found, complaints + more
            time.sleep(_PAUSE_S)

    def _save(self, step: Step, answer: Answer, result: Result) -> None:
        if not step.save:
            return
        try:
            document = json.loads(answer.stdout)
            for name, path in step.save.items():
                self._values[name] = str(expect.pick(document, path))
        except (ValueError, LookupError) as error:
            result.complaints.append(f"can't save from its output: {error}")

    def _background(self, step: Step, result: Result) -> None:
        """It runs until the clean-up ends it; what it prints goes to a log that is shown if it ends at once."""
        self._type(step, result, step.background, step.stdin)
        self._started += 1  # a host may have several
        log = self._run.folder / f"{step.on}-{self._started}.log"
        with log.open("w") as file:
            words = shlex.split(step.background)
            process = start(self._run, step.on, words, stdout=file, stderr=subprocess.STDOUT, text=step.stdin)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.3)
            result.output = self._run.shown(log.read_text())
            self._story.printed(result.output, -1)
            result.complaints.append(f"it ended at once, exit status {process.returncode}")

    def _transfer(self, step: Step, result: Result) -> None:
        assert step.tcp is not None
        tcp, program = step.tcp, str(_HERE / "transfer.py")
        python = str(bin_folder() / "python")
        for host, words in ((tcp.to, "receive"), (step.on, f"send {tcp.address} {tcp.seconds:g}")):
            self._type(replace(step, on=host), result, f"{Path(program).relative_to(REPOSITORY)} {words}")
        receiver = start(
            self._run, tcp.to, [python, program, "receive"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        try:
            assert receiver.stdout is not None
            receiver.stdout.readline()  # "ready", or the end of file of one that failed
            command = f"{python} {program} send {tcp.address} {tcp.seconds:g}"
            sent = ask(self._run, step.on, command, step.timeout_s + tcp.seconds)
            received, problem = receiver.communicate(timeout=step.timeout_s * patience())
        except subprocess.TimeoutExpired:
            result.complaints.append("the receiver did not come to the end of the stream")
            return
        finally:
            stop(receiver)
        if sent.exit or receiver.returncode:
            result.complaints.append(_last_line(sent.stderr or problem))
            return
        self._judge_transfer(step, result, json.loads(sent.stdout), json.loads(received))

    def _judge_transfer(self, step: Step, result: Result, sent: dict[str, Any], received: dict[str, Any]) -> None:
        assert step.tcp is not None
        mbits = received["bytes"] * 8 / max(received["seconds"], 1e-9) / 1e6
        result.measured = {"sent_bytes": sent["bytes"], "mbits": round(mbits, 1), **received}
        if sent["bytes"] != received["bytes"]:
            result.complaints.append(f"{sent['bytes']} bytes were sent, {received['bytes']} came")
        if not received["intact"]:
            result.complaints.append("the bytes that came are not those that were sent")
        if mbits < step.tcp.min_mbits:
            result.complaints.append(f"{mbits:.1f} Mbit/s, expected {step.tcp.min_mbits:g}")
        amount = f"{received['bytes'] / 1e6:.1f} MB in {received['seconds']:.2f} s"
        verified = "every byte checked" if received["intact"] else "damaged"
        result.summary = f"{step.on} → {step.tcp.to}: {amount} = {mbits:.0f} Mbit/s, {verified}"

    def _outage(self, step: Step, result: Result) -> None:
        assert step.outage is not None
        what = step.outage
        self._type(step, result, outage.ping_command(what.address))
        self._type(replace(step, on=what.at), result, what.cut)
        try:
            silence, cut = outage.measure(self._run, step.on, what, step.timeout_s)
        except LabError as error:
            result.complaints.append(str(error))
            return
        if cut.exit:
            result.complaints.append(f"{cut.command}: exit status {cut.exit}: {_last_line(cut.stderr)}")
        longest_s = round(silence.longest_s, 3)
        result.measured = {"sent": silence.sent, "lost": silence.lost, "longest_silence_s": longest_s}
        result.summary = f"{silence.lost} of {silence.sent} pings lost, no answer for {longest_s:.2f} s at most"
        if longest_s > what.most_s:
            result.complaints.append(f"no answer for {longest_s:.2f} s, expected {what.most_s:g} s at most")

    def _capture(self, step: Step, result: Result) -> None:
        assert step.capture is not None
        capture = step.capture
        arguments = [str(bin_folder() / "python"), str(_HERE / "capture.py")]
        arguments += [capture.netdev, str(self._file(capture.name)), str(capture.packets)]
        process = start(self._run, step.on, arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.stdout is not None
        if not process.stdout.readline():
            result.complaints.append(_last_line(process.communicate()[1]))
        result.summary = f"capturing {capture.netdev} of {step.on}"

    def _decode(self, step: Step, result: Result) -> None:
        """Decoded by a program of its own: the runner stays free of scapy, which only the project's venv has."""
        assert step.decode is not None
        decode = step.decode
        words = [str(bin_folder() / "python"), str(_HERE / "decode.py"), str(self._file(decode.name))]
        words += [str(decode.packets), str(decode.cookie_bytes), decode.sublayer, *decode.only]
        tried = replace(step, json={}, output=(*step.output, r"L2TPv3"), within_s=decode.within_s)
        answer, _, result.complaints = self._until_as_expected(tried, " ".join(words))
        *lines, last = answer.stdout.rstrip("\n").split("\n")
        result.output = "\n".join(lines)
        self._story.printed(result.output, step.show)
        if answer.exit:
            self._story.printed(answer.stderr, -1)
        result.summary = last

    def _file(self, name: str) -> Path:
        return self._run.folder / f"{name}.pcap"

    def _type(self, step: Step, result: Result, command: str, stdin: str = "") -> None:
        result.commands.append(shown(self._run, command))
        self._story.typed(step.on, result.commands[-1], self._run.shown(stdin))

    def _came_back(self, step: Step, result: Result, answer: Answer) -> None:
        text = self._run.shown(answer.stdout + answer.stderr)
        result.output += text
        failed = answer.exit != step.exit
        self._story.printed(text, -1 if failed else step.show)

    def _filled(self, step: Step) -> Step:
        """The step with all values in place, those saved by earlier steps too."""
        return _fill_all(step, self._values, f"{self._scenario.name}: {step.say}")


def _fill_all(step: Step, values: dict[str, str], where: str) -> Step:
    def text(value: str) -> str:
        return fill(value, values, where)

    return replace(
        step,
        say=text(step.say),
        run=tuple(map(text, step.run)),
        stdin=text(step.stdin),
        background=text(step.background),
        output=tuple(map(text, step.output)),
        json={text(key): text(value) if isinstance(value, str) else value for key, value in step.json.items()},
        tcp=step.tcp and replace(step.tcp, address=text(step.tcp.address)),
        outage=step.outage and replace(step.outage, address=text(step.outage.address), cut=text(step.outage.cut)),
        capture=step.capture and replace(step.capture, netdev=text(step.capture.netdev)),
    )


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 40 else text[:39] + "…"


def _last_line(text: str) -> str:
    return text.strip().splitlines()[-1] if text.strip() else "it failed without a word"
