const LOOK_EVERY_MS = 1000;
const AGAIN_AFTER_MS = 6000; // a redraw that was asked for and did not come, or the end of a sign-in
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
      // Which leads to the form, and back to this page. A sign-out in another tab is heard first: it takes the drafts.
      if (event.code === NO_SIGN_IN) setTimeout(() => location.reload(), AGAIN_AFTER_MS);
    };
    this.socket = socket;
  }

  hear({ feed, evidence, redraw }) {
    if (redraw) { // the page may not show this any more, which its next run says
      this.tell("redraw", "rights " + Date.now());
      return;
    }
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
