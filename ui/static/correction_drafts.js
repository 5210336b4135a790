// A correction begins with the reply as the agent left it, and what is typed into it is kept in this tab until it is
// saved or given up: the words of a form reach the server only when it is sent.
const FIELDS = ["question", "answer"];

class CorrectionDrafts {
  constructor() {
    this.begun = new WeakMap(); // field -> the turn whose words it was given
    this.onInput = (event) => this.keep(event.target);
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
      if (words !== null && words !== field.value) this.put(field, words);
    }
  }
  reply() { return sessionStorage.getItem(`answerdesk:reply:${this.turn}`); } // where the agent changed it
  put(field, words) {
    this.isPutting = true; // the reply may change again: only what is typed here is the correction's own
    typeInto(field, words);
    this.isPutting = false;
  }
  keep(field) {
    const name = this.isPutting ? undefined : FIELDS.find((one) => this.field(one) === field);
    if (name) sessionStorage.setItem(this.place(name), field.value);
  }
}

export default mounting(CorrectionDrafts);
