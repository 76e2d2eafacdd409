"""Let Prefect send a message when a run needs a person: `perenne up` runs, then

    .venv/bin/python docs/automations/notify.py --mail "mailto://mail.example?from=perenne@example&to=archive@example"
    .venv/bin/python docs/automations/notify.py --webhook https://chat.example/hooks/archive
    .venv/bin/python docs/automations/notify.py --off

Prefect sends it, not Perenne: this only makes a notification block and the automation of `needs-a-person.yaml`. Asked
again, it changes both. `--mail` takes any address that Apprise knows; with a user and STARTTLS it is
`mailtos://user:password@mail.example?...`. `--webhook` posts {"text": "subject, line, body"}, as most chats take it.
`--try` sends one message at once.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent
BLOCK = "perenne-needs-a-person"
PLACE = "THE-ID-OF-THE-BLOCK"


def settings(block: str) -> list[dict[str, Any]]:
    """The automation with the block's id in it."""
    text = (HERE / "needs-a-person.yaml").read_text(encoding="utf-8").replace(PLACE, block)
    return [yaml.safe_load(text)]


def server(home: Path) -> str:
    """The address of the home's server. Raises OSError when it never ran."""
    return f"http://127.0.0.1:{json.loads((home / 'prefect' / 'server.json').read_text())['port']}/api"


async def main(given: argparse.Namespace) -> None:
    """Remove what an earlier call made, then make it as asked."""
    from prefect.blocks.notifications import CustomWebhookNotificationBlock, SlackWebhook
    from prefect.client.orchestration import get_client
    from prefect.events.schemas.automations import AutomationCore

    async with get_client() as client:
        (name,) = {one["name"] for one in settings("")}
        for old in await client.read_automations_by_name(name):
            await client.delete_automation(old.id)
        if given.off:
            print("No message is sent any more.")
            return
        block: Any
        if given.webhook:
            body = {"text": "{{subject}}\n{{body}}"}
            block = CustomWebhookNotificationBlock(name=name, url=given.webhook, json_data=body)
        else:
            # Prefect's own e-mail block needs a service elsewhere; the one for Slack takes any address of Apprise.
            block = SlackWebhook(url=given.mail)
        document = await block.asave(BLOCK, overwrite=True)
        if given.try_it:
            with block.raise_on_failure():
                await block.anotify(subject="Perenne", body="This is how a message comes.")
        for one in settings(str(document)):
            made = await client.create_automation(AutomationCore.model_validate(one))
            print(f"{name}: automation {made}, block {document}")


if __name__ == "__main__":
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    way = asked.add_mutually_exclusive_group(required=True)
    way.add_argument("--mail", help="an address of Apprise, mailto:// or mailtos://")
    way.add_argument("--webhook", help="an address that takes a POST of JSON")
    way.add_argument("--off", action="store_true", help="remove the automation")
    asked.add_argument("--try", dest="try_it", action="store_true", help="send one message at once")
    told = asked.parse_args()
    os.environ["PREFECT_API_URL"] = server(Path(os.environ.get("PERENNE_HOME", Path.home() / "perenne")))
    os.environ.setdefault("DO_NOT_TRACK", "1")
    sys.exit(asyncio.run(main(told)))
