"""`threadline customers export`."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from app.api.bodies import event, interaction
from app.cli.erasure.whose import Client, Customer, NoCustomer, whose
from app.cli.support.store import in_store, note
from app.cli.support.terminal import print_error, print_note
from app.embedded.running import resolve
from app.exporting.export import export as exported
from app.exporting.gathering import Forms, subject_of
from app.settings.loading import load
from sql import EventStore


def export(
    customer: Customer,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The ZIP to write; not one that is there.")
    ],
    client: Client = None,
) -> int:
    """Export all that is kept of a customer: a ZIP with data.json for programs and timeline.html to be read.

    Exit code 1 where there is no such customer, or the file cannot be written.
    """

    async def work(store: EventStore) -> int:
        try:
            owner, id = await whose(store, customer, client)
        except NoCustomer as error:
            return print_error(str(error))
        subject = await subject_of(store, owner, id)
        if subject is None:
            return print_error("This customer was erased.")
        await note(store, "customer.export", owner, str(id))
        try:
            # For the user alone: it is all personal.
            with open(output, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:  # noqa: ASYNC230
                forms = Forms(interaction, event)
                async for piece in exported(store, resolve(load()), subject, datetime.now(UTC), forms):
                    file.write(piece)
        except OSError as error:
            return print_error(f"{output} cannot be written: {error.strerror}.")
        return print_note(f"{output} has all that is kept of customer {id}, in clear. Guard it.")

    return in_store(work)
