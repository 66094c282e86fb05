"""`rewriter batch`: many messages at once, on all cores.

In: an mbox, a Maildir or a folder; or a template and a CSV of recipients. Out: a mailbox of the
same form with every message rewritten; or a folder with a message for each recipient.

Promise: a message that can't be rewritten comes out as it came, with a warning; with `--strict` it
doesn't come out, and the status says so. What was there before is never overwritten.
"""

import contextlib
import csv
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import BinaryIO, Final

from rewriter import exits
from rewriter.commands.mailboxes import NoMailbox, Stored, stored
from rewriter.commands.options import Parser, add_settings, complain, settings_of
from rewriter.commands.rewriters import Rewriters
from rewriter.commands.settings import Settings
from rewriter.config import ConfigError
from rewriter.merge import RECIPIENT
from rewriter.mime.message import (
    PlannedMessage,
    Refused,
    RewrittenMessage,
    plan_message,
)

# Jobs that a process is given at once: enough that asking for them costs little.
CHUNK: Final = 16
ADDRESS_COLUMNS: Final = (RECIPIENT, "email", "address", "to")


@dataclass(frozen=True, slots=True)
class Row:
    """One recipient of a CSV: a file name, and the columns, with the address as `recipient`."""

    name: str
    values: Mapping[str, str]

    def __str__(self) -> str:
        return self.name


Job = Stored | Row


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one job. `data` is None where it was written already, or refused."""

    job: Job
    data: bytes | None
    said: tuple[str, ...]
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Work:
    """What is done to each job. `template` is for rows."""

    settings: Settings
    target: Path
    template: bytes | None = None

    def begin(self) -> "Worker":
        """Make ready what all jobs of a process share. Raises ConfigError, KeyringError."""
        rewriters = Rewriters(self.settings)
        if self.template is None:
            return Worker(self, rewriters)
        try:
            policy = rewriters.of_message(self.template).policy
        except Refused as refusal:
            raise ConfigError("tracking_domain", str(refusal)) from refusal
        return Worker(self, rewriters, plan_message(self.template, policy))


@dataclass(frozen=True, slots=True)
class Worker:
    """One process at its share of the work."""

    work: Work
    rewriters: Rewriters
    plan: PlannedMessage | None = None

    def do(self, job: Job) -> Outcome:
        """Do one job: write the file that it names, or give back a message of an mbox."""
        try:
            message = self._rewritten(job)
        except Refused as refusal:
            return Outcome(job, None, tuple(map(str, refusal.notices)), refused=True)
        said = tuple(map(str, message.notices))
        if not job.name:
            return Outcome(job, bytes(message), said)
        file = self.work.target / job.name
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("wb") as opened:
            opened.writelines(message.pieces)
        return Outcome(job, None, said)

    def _rewritten(self, job: Job) -> RewrittenMessage:
        letterhead = self.work.settings.letterhead
        if isinstance(job, Stored):
            return self.rewriters.message(job.read(), letterhead)
        assert self.plan is not None  # noqa: S101 - a template is what rows are for
        letterhead = replace(letterhead, recipient=job.values[RECIPIENT])
        return self.plan.render(letterhead, job.values)


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run the batch; return its exit status. Raises ConfigError, KeyringError, OSError."""
    parser = Parser(
        prog="rewriter batch",
        description="Rewrite every message of an mbox, a Maildir or a folder; or a template for"
        " each row of a CSV, whose columns fill {{name}} and whose column 'recipient' or 'email'"
        " is the address.",
    )
    parser.add_argument("source", type=Path, metavar="SOURCE", help="mailbox, or the template")
    parser.add_argument("target", type=Path, metavar="TARGET", help="what is written; must be new")
    parser.add_argument("--recipients", type=Path, metavar="CSV", help="SOURCE is a template")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), metavar="N", help="processes")
    add_settings(parser)
    options = parser.parse_args(arguments)
    settings = settings_of(options, environment)
    if options.target.exists():
        parser.error(f"{options.target} is there already")
    try:
        if options.recipients:
            work = Work(settings, options.target, options.source.read_bytes())
            jobs: Sequence[Job] = list(_rows(options.recipients))
        else:
            work = Work(settings, options.target)
            jobs = stored(options.source)
    except FileNotFoundError as error:
        complain(f"there is no {error.filename}")
        return exits.NO_INPUT
    except NoMailbox as error:
        complain(str(error))
        return exits.NO_INPUT
    outcomes = _outcomes(work, jobs, max(options.jobs or 1, 1))
    return _collected(_with_progress(outcomes, len(jobs)), options.target)


_WORKER: Final[list[Worker]] = []
"""This process's own, once it has begun."""


def _begin(work: Work) -> None:
    _WORKER[:] = [work.begin()]


def _do(job: Job) -> Outcome:
    return _WORKER[0].do(job)


def _outcomes(work: Work, jobs: Sequence[Job], processes: int) -> Iterator[Outcome]:
    """Do the jobs, in as many processes, and give the outcomes in the order of the jobs."""
    _begin(work)  # a bad keyring stops us here, not in every process
    if processes == 1 or len(jobs) <= CHUNK:
        yield from map(_do, jobs)
        return
    with get_context("spawn").Pool(processes, _begin, (work,)) as pool:
        yield from pool.imap(_do, jobs, CHUNK)


def _collected(outcomes: Iterable[Outcome], target: Path) -> int:
    """Write what has no file of its own into one mbox; say what there is to say."""
    status = exits.OK
    with contextlib.ExitStack() as stack:
        mbox: BinaryIO | None = None
        for outcome in outcomes:
            for said in outcome.said:
                complain(f"{'error' if outcome.refused else 'warning'}: {outcome.job}: {said}")
            if outcome.refused:
                status = exits.DATA
            elif outcome.data is not None and isinstance(outcome.job, Stored):
                mbox = mbox or stack.enter_context(whole(target))
                mbox.write(outcome.data + outcome.job.separator)
    return status


@contextlib.contextmanager
def whole(target: Path) -> Iterator[BinaryIO]:
    """Open a file that takes its name only once it is whole."""
    part = target.with_name(target.name + ".part")
    try:
        with part.open("xb") as file:
            yield file
        part.rename(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _rows(path: Path) -> Iterator[Row]:
    """Read the recipients. Raises NoMailbox, OSError."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file, restval="")
        names = {(name or "").strip().lower(): name for name in reader.fieldnames or ()}
        column = next((names[name] for name in ADDRESS_COLUMNS if name in names), None)
        if column is None:
            raise NoMailbox(f"{path} has no column {' or '.join(ADDRESS_COLUMNS)}")
        for number, row in enumerate(reader, 1):
            values = {name: value for name, value in row.items() if isinstance(value, str) and name}
            yield Row(f"{number:07}.eml", {**values, RECIPIENT: row[column].strip()})


def _with_progress(outcomes: Iterator[Outcome], total: int) -> Iterator[Outcome]:
    """Show a bar to a person who watches, if rich is installed."""
    try:
        from rich.console import Console  # noqa: PLC0415 - an extra
        from rich.progress import track  # noqa: PLC0415 - of the same
    except ModuleNotFoundError:
        return outcomes
    console = Console(stderr=True)
    if not console.is_terminal:
        return outcomes
    return iter(track(outcomes, "Rewriting", total=total, console=console))
