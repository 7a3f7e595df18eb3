# SPDX-License-Identifier: Apache-2.0
"""`--record FILE`: what passes between a command and its card, in a new file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from host.cli.text import visible

if TYPE_CHECKING:
    from host.channel import Channel

F = TypeVar("F", bound=Callable[..., Any])


def record_options(verb: F) -> F:
    """The options of a recording; the verb gets them as `record` and `with_secrets`."""
    record = click.option(
        "--record",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="Write all that passes to a new file, PINs and keys masked (see `sscard trace`).",
    )
    secrets = click.option(
        "--with-secrets",
        is_flag=True,
        help="Keep PINs and keys in --record FILE. Only for cards with published test keys.",
    )
    return record(secrets(verb))


@contextmanager
def recorded(path: Path | None, with_secrets: bool) -> Iterator[Callable[..., Channel]]:
    """Puts a recorder around channels, one after the other, as `Recorder.around` does; without a
    path, nothing.

    Raises UsageError for a file that exists or cannot be made, and for one whose name hides that
    secrets are in it.
    """
    if path is None:
        if with_secrets:
            raise click.UsageError("--with-secrets is about --record FILE.")
        yield lambda channel, why=None, slot="": channel
        return

    from apdu.errors import FormatError
    from host.channel.recorder import Recorder

    try:
        recorder = Recorder(path, with_secrets=with_secrets)
    except FormatError as error:
        raise click.UsageError(f"--record {visible(str(path))}: {error}.") from None
    except OSError as error:
        why = error.strerror or str(error)
        raise click.UsageError(f"--record {visible(str(path))}: {why}.") from None
    if with_secrets:
        click.echo(f"PINs and keys go into {visible(str(path))}: keep it to yourself", err=True)
    try:
        yield recorder.around
    finally:
        recorder.close()
        if recorder.failure is not None:
            why = recorder.failure.strerror or str(recorder.failure)
            click.echo(f"the recording {visible(str(path))} broke off: {why}", err=True)
