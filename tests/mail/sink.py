"""A mail server for the tests: takes mail over SMTP and writes what it understood as lines of JSON.

    python sink.py PORT FOLDER

FOLDER/reply holds what every recipient is answered with; empty takes them, "stall" takes them and then never says that
it has the mail. FOLDER/mails gets a line for each mail.
"""

import asyncio
import email
import email.policy
import json
import pathlib
import sys
import time

from aiosmtpd.controller import Controller


class Sink:
    def __init__(self, folder):
        self.folder = folder

    def reply(self):
        return (self.folder / "reply").read_text().strip()

    async def handle_RCPT(self, server, session, envelope, address, options):
        reply = self.reply()
        if reply and reply != "stall":
            return reply
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.SMTP)
        part = lambda kind: message.get_body((kind,)).get_content()
        taken = {
            "from": envelope.mail_from,
            "to": ", ".join(envelope.rcpt_tos),
            "recipients": len(envelope.rcpt_tos),
            # What the server itself adds says nothing of the mail.
            "headers": [(name, str(value)) for name, value in message.items() if not name.startswith("X-")],
            "text": part("plain"),
            "html": part("html"),
            "raw": envelope.content.decode("utf-8", "replace"),
        }
        with open(self.folder / "mails", "a", encoding="utf-8") as file:
            file.write(json.dumps(taken) + "\n")
        if self.reply() == "stall":
            await asyncio.sleep(3600)
        return "250 OK"


def main():
    port, folder = int(sys.argv[1]), pathlib.Path(sys.argv[2])
    Controller(Sink(folder), hostname="127.0.0.1", port=port).start()
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    main()
