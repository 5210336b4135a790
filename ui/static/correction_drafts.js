// A correction begins with the reply as the agent left it, and what is typed into it is kept in this tab until it is
// saved or given up: the words of a form reach the server only when it is sent.
const FIELDS = ["question", "answer"];

class CorrectionDrafts {
  constructor() {
    this.begun = new WeakMap(); // field -> the correction whose words it was given
    this.onInput = (event) => this.keep(event);
    document.addEventListener("input", this.onInput);
    this.fields = new MutationObserver(() => this.begin());
    this.fields.observe(document.body, { subtree: true, childList: true }); // they may be drawn after this part
  }
  close() {
    document.removeEventListener("input", this.onInput);
    this.fields.disconnect();
  }

  draw({ turn, attempt }) {
    this.turn = turn;
    this.attempt = attempt; // each correction has fields of its own: one that ended never comes back into the next
    for (let ended = 0; ended < attempt; ended++) {
      for (const name of FIELDS) sessionStorage.removeItem(this.place(name, ended));
    }
    this.begin();
  }

  place(name, attempt = this.attempt) { return `answerdesk:correct_${name}:${this.turn}:${attempt}`; }
  field(name) { return document.querySelector(`.st-key-correct_${name}-${this.turn}-${this.attempt} textarea`); }

  begin() {
    for (const name of FIELDS) {
      const field = this.field(name);
      const correction = this.place(name);
      if (!field || this.begun.get(field) === correction) continue;
      this.begun.set(field, correction);
      const words = sessionStorage.getItem(correction) ?? (name === "answer" ? this.reply() : null);
      if (words !== null && words !== field.value) typeInto(field, words);
      if (name === FIELDS[0]) this.show(field);
    }
  }
  show(field) { // a form that opens below the fold is not seen; nobody's words end up in another field
    if (document.activeElement?.matches(":read-write")) return;
    field.focus({ preventScroll: true });
    (field.closest("[data-testid=stForm]") ?? field).scrollIntoView({ block: "nearest" });
  }
  reply() { return sessionStorage.getItem(`answerdesk:reply:${this.turn}`); } // where the agent changed it
  keep({ target: field, isPut }) {
    if (isPut) return; // the reply may change again: only what is typed here is the correction's own
    const name = FIELDS.find((one) => this.field(one) === field);
    if (name) sessionStorage.setItem(this.place(name), field.value);
  }
}

export default mounting(CorrectionDrafts);
