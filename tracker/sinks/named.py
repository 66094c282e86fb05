"""Named sinks: from the names in the settings to sinks."""

from collections.abc import Sequence
from pathlib import Path

from tracker.mistake import Exit, Mistake
from tracker.sinks import Sink
from tracker.sinks.file import FileSink
from tracker.sinks.stdout import StdoutSink
from tracker.sinks.store import StoreSink
from tracker.store.database import Store


def named(names: Sequence[str], store: Store) -> list[Sink]:
    """Return the sinks that the names stand for. Raises Mistake."""
    if not names:
        raise Mistake("sinks should name at least one, such as store", Exit.CONFIG)
    if twice := {name for name in names if names.count(name) > 1}:
        raise Mistake(f"sinks names {', '.join(sorted(twice))} twice", Exit.CONFIG)
    return [_sink(name, store) for name in names]


def _sink(name: str, store: Store) -> Sink:
    match name.partition(":"):
        case "store", "", "":
            return StoreSink(store)
        case "stdout", "", "":
            return StdoutSink()
        case "file", ":", path if path:
            return FileSink(Path(path))
        case _:
            raise Mistake(
                f"there is no sink '{name}': it may be store, stdout, or file: and a path",
                Exit.CONFIG,
            )
