"""The browser's half of ``ui/services/turn_feed.py``: receives turn updates for the page's parts."""

from collections.abc import Callable
from functools import cache

import streamlit as st

from ui.components.mounting import MOUNTING

_SCRIPT = (
    MOUNTING
    + r"""
const LOOK_EVERY_MS = 1000;
const AGAIN_AFTER_MS = 6000; // a redraw that was asked for and did not come
const UNKNOWN_TAB = 4404;
const NO_SIGN_IN = 4401;

class Socket {
  constructor() {
    this.timer = setInterval(() => this.look(), LOOK_EVERY_MS);
  }
  close() {
    clearInterval(this.timer);
    this.socket?.close();
  }

  draw(data) {
    this.data = data;
    if (this.tab !== data.tab) this.connect();
    this.check();
  }

  connect() {
    this.socket?.close();
    this.tab = this.data.tab;
    this.triedAt = performance.now();
    const address = new URL(this.data.path + "?tab=" + encodeURIComponent(this.tab), location.href);
    address.protocol = address.protocol.replace("http", "ws");
    const socket = new WebSocket(address);
    socket.onmessage = (event) => this.hear(JSON.parse(event.data));
    socket.onclose = (event) => {
      if (event.code === UNKNOWN_TAB) this.unknown = this.tab;
      if (event.code === NO_SIGN_IN) location.reload(); // which leads to the form, and back to this page
    };
    this.socket = socket;
  }

  hear({ feed, evidence }) {
    const desk = (window.answerdesk ??= {});
    desk.feed = this.heard = feed;
    if (evidence) {
      desk.evidence = evidence;
      document.dispatchEvent(new CustomEvent("answerdesk:evidence", { detail: evidence }));
    }
    document.dispatchEvent(new CustomEvent("answerdesk:feed", { detail: feed }));
    this.check();
  }

  // The page itself draws what belongs to a finished turn, and what it was too early to draw.
  check() {
    const { turn, final, found } = this.data;
    if (!this.heard || this.heard.turn !== turn || final) return;
    if (this.heard.final) this.redraw(turn + " end");
    else if (this.heard.found && !found) this.redraw(turn + " found");
  }
  redraw(reason) {
    if (this.reason === reason && performance.now() - this.askedAt < AGAIN_AFTER_MS) return;
    this.reason = reason;
    this.askedAt = performance.now();
    this.tell("redraw", reason + " " + Date.now());
  }

  look() {
    if (!this.data) return;
    if (this.socket.readyState === WebSocket.CLOSED && this.unknown !== this.tab
        && performance.now() - this.triedAt >= AGAIN_AFTER_MS) this.connect();
    if (!this.data.turn || this.data.final) return;
    if (this.socket.readyState === WebSocket.OPEN) this.check();
    else this.tell("redraw", "unheard " + Date.now()); // nobody tells it: the page looks for itself
  }
}

export default mounting(Socket);
"""
)


@cache
def _component() -> Callable[..., object]:
    return st.components.v2.component("answerdesk.turn_socket", js=_SCRIPT)


def draw_socket(path: str, tab: str, turn_id: str, *, final: bool, found: bool) -> None:
    """Hear of ``turn_id`` at ``path`` under the token ``tab``; the page runs again when it shows too little of it.

    ``final`` and ``found`` tell what this run draws: the turn's end, its passages.
    """
    data = {"path": path, "tab": tab, "turn": turn_id, "final": final, "found": found}
    _component()(key="turn_socket", data=data, height=1, on_redraw_change=_nothing)


def _nothing() -> None:
    """Let the page run again: that is all that is wanted."""
