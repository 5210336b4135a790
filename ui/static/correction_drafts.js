// A correction begins with the reply as the agent left it, and what is typed into it is kept in this tab until it is
// saved or given up: the words of a form reach the server only when it is sent.
const FIELDS = ["question", "answer"];

class CorrectionDrafts {
  constructor() {
    this.begun = new WeakMap(); // field -> the turn whose words it was given
    this.onInput = (event) => this.keep(event);
    document.addEventListener("input", this.onInput);
    this.fields = new MutationObserver(() => this.begin());
    this.fields.observe(document.body, { subtree: true, childList: true }); // they may be drawn after this part
  }
  close() {
    document.removeEventListener("input", this.onInput);
    this.fields.disconnect();
  }

  draw({ turn, ended }) {
    this.turn = turn;
    if (ended) for (const name of FIELDS) sessionStorage.removeItem(this.place(name));
    this.begin();
  }

  place(name) { return `answerdesk:correct_${name}:${this.turn}`; }
  field(name) { return document.querySelector(`.st-key-correct_${name}-${this.turn} textarea`); }

  begin() {
    for (const name of FIELDS) {
      const field = this.field(name);
      if (!field || this.begun.get(field) === this.turn) continue;
      this.begun.set(field, this.turn);
      const words = sessionStorage.getItem(this.place(name)) ?? (name === "answer" ? this.reply() : null);
      if (words !== null && words !== field.value) typeInto(field, words);
    }
  }
  reply() { return sessionStorage.getItem(`answerdesk:reply:${this.turn}`); } // where the agent changed it
  keep({ target: field, isPut }) {
    if (isPut) return; // the reply may change again: only what is typed here is the correction's own
    const name = FIELDS.find((one) => this.field(one) === field);
    if (name) sessionStorage.setItem(this.place(name), field.value);
  }
}

export default mounting(CorrectionDrafts);
