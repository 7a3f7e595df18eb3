# SPDX-License-Identifier: Apache-2.0
"""Reading lines from a person: with prompt_toolkit completed and recalled, without it as typed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from host.cli.shell.completing import completion
from host.cli.shell.history import History
from host.cli.shell.session import Session

Read = Callable[[str], str]


def keyboard(session: Session, history: History) -> tuple[Read, bool]:
    """A reader of lines, and whether it completes them."""
    try:
        import prompt_toolkit  # type: ignore[import-not-found,unused-ignore]  # noqa: F401
    except ImportError:
        return _plain(history), False
    return _completing(session, history), True


def _plain(history: History) -> Read:
    def read(prompt: str) -> str:
        try:
            line = input(prompt)
        except (EOFError, KeyboardInterrupt):
            print()  # behind ^C or ^D
            raise
        history.keep(line)
        return line

    return read


def completer(session: Session) -> Any:
    """Our completion, in the words of prompt_toolkit."""
    from prompt_toolkit.completion import (  # type: ignore[import-not-found,unused-ignore]
        Completer,
        Completion,
    )

    class Words(Completer):  # type: ignore[misc,unused-ignore]
        """A blank stands behind what is complete."""

        def get_completions(self, document: Any, complete_event: Any) -> Iterable[Any]:
            found = completion(session, document.text_before_cursor)
            for each in found.candidates:
                more = "" if each.word.endswith("/") else " "
                yield Completion(
                    each.word + more,
                    -len(found.typed),
                    display=each.word,
                    display_meta=each.meaning,
                )

    return Words()


def _completing(session: Session, history: History) -> Read:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.history import (  # type: ignore[import-not-found,unused-ignore]
        InMemoryHistory,
    )

    class Kept(InMemoryHistory):  # type: ignore[misc,unused-ignore]
        """What was typed, in the shell's own history: a line with a secret is not even recalled."""

        def append_string(self, string: str) -> None:
            if history.keep(string):
                super().append_string(string)

    prompter: Any = PromptSession(
        completer=completer(session),
        history=Kept(history.lines),
        complete_while_typing=False,
        enable_history_search=True,
    )

    def read(prompt: str) -> str:
        line: str = prompter.prompt(prompt)
        return line

    return read
