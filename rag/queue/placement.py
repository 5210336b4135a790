"""Chooses the host for the next ticket: the least busy, or the one with the prompt's beginning in its cache."""

import sqlite3
from collections.abc import Mapping

Slots = Mapping[str, int]
"""How many questions each host answers at once, by the host's name."""


def free_hosts(connection: sqlite3.Connection, slots: Slots) -> dict[str, float]:
    """Return the hosts with a free slot, in the order of ``slots``, each with the share of its slots that is taken.

    All lines of the file count: two may lead to the same host.
    """
    counted = connection.execute("SELECT host, count(*) FROM ticket WHERE host IS NOT NULL GROUP BY host").fetchall()
    running = {host: count for host, count in counted}
    return {host: running.get(host, 0) / own for host, own in slots.items() if running.get(host, 0) < own}


def host_for(connection: sqlite3.Connection, ticket: sqlite3.Row, free: Mapping[str, float]) -> str:
    """Choose among the ``free`` hosts.

    One that failed this ticket is the last choice; a follow-up prefers one that read a prompt of its conversation
    lately; else the smallest share decides, and then the order in which they were named.
    """
    avoided = set(ticket["avoided"].split())
    warm: set[str] = set()
    if ticket["follows_up"]:
        conversation = ticket["conversation"]
        found = connection.execute("SELECT host FROM recent WHERE conversation = ?", (conversation,)).fetchall()
        warm = {host for (host,) in found}
    return min(free, key=lambda host: (host in avoided, host not in warm, free[host]))


def remember_prompt(connection: sqlite3.Connection, host: str, ticket: sqlite3.Row, *, kept: int) -> None:
    """Note whose prompt a host reads now; ``kept``, its slots, are how many its cache holds."""
    connection.execute("REPLACE INTO recent VALUES (?, ?, ?)", (host, ticket["conversation"], ticket["ticket"]))
    connection.execute(
        "DELETE FROM recent WHERE host = :host AND ticket <= "
        "(SELECT ticket FROM recent WHERE host = :host ORDER BY ticket DESC LIMIT 1 OFFSET :kept)",
        {"host": host, "kept": kept},
    )
