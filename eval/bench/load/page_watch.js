// What a page notes of one question by itself, so that the measurement need not ask it again and again: a look from
// outside costs the page's own time, a hundred times a question, and on a machine that browsers and desk share that is
// what would be measured.  An observer in the page notes the moments, and they are fetched once, at the end.
(() => {
  const ENDED = new Set(["done", "refused", "failed", "stopped"]);
  let asked = null;

  function shown(name) { // the moment at which the picture with it is made, not when the document had it
    if (name in asked.seen) return;
    const one = asked;
    one.seen[name] = null;
    requestAnimationFrame(() => {
      const after = new MessageChannel();
      after.port1.onmessage = () => {
        one.seen[name] = performance.now() - one.enteredAt;
        if (name === "end") one.tell();
      };
      after.port2.postMessage(null);
    });
  }

  function look(node) {
    const { turn, turnState, passages } = node.dataset;
    if (!asked || asked.enteredAt === null || !turn || turn === asked.before) return;
    if (passages !== undefined && passages !== "0") shown("evidence");
    if (turnState === "thinking" || turnState === "answering") shown("words");
    if (!ENDED.has(turnState)) return;
    asked.state = turnState;
    asked.view = node;
    for (const name of ["evidence", "words", "end"]) shown(name);
  }

  const observer = new MutationObserver((changes) => { for (const change of changes) look(change.target); });
  const attach = Element.prototype.attachShadow;
  Element.prototype.attachShadow = function (options) { // the desk's parts are in shadow roots
    const root = attach.call(this, options);
    observer.observe(root, { subtree: true, attributeFilter: ["data-turn-state", "data-passages"] });
    return root;
  };
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && asked && asked.enteredAt === null) asked.enteredAt = event.timeStamp;
  }, true);

  // To be called before Enter; `ended` resolves when the answer of the question that Enter sends is on the page.
  window.answerdeskWatch = {
    expect() {
      const before = new URLSearchParams(location.search).get("turn");
      asked = { before, enteredAt: null, seen: {}, state: "", view: null };
      asked.ended = new Promise((resolve) => { asked.tell = resolve; });
    },
    async ended() {
      const one = asked;
      await one.ended;
      const text = one.view.querySelector(".answer").innerText;
      return { state: one.state, text, seen: one.seen };
    },
    seen() { return asked.seen; },
  };
})();
