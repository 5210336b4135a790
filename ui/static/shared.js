// Stands before every component's script: Streamlit gives each of them one module of its own.

// One object of the class draws whatever the server sends, until its place is gone.
function mounting(View) {
  return ({ parentElement, data, setTriggerValue }) => {
    const view = (parentElement.answerdeskView ??= new View(parentElement));
    view.tell = setTriggerValue;
    view.draw(data);
    return () => setTimeout(() => { // a superseded draw is cleaned up, too: only a view that is gone is closed
      if (parentElement.isConnected) return;
      view.close();
      delete parentElement.answerdeskView;
    });
  };
}

function element(name, className, text) {
  const node = document.createElement(name);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

// Tells whether a place shows this data already: drawn again as it was, it would lose what was opened, or a click.
function isDrawn(root, data) {
  const state = JSON.stringify(data);
  const same = root.answerdeskDrawn === state;
  root.answerdeskDrawn = state;
  return same;
}

// Replaces the rows of a place. Whoever stood on a row with the keyboard still stands on it: on the same control of the
// row with the same name.
function replaceRows(place, rows, nameOf) {
  const focused = place.getRootNode().activeElement;
  const controls = (row) => [...row.querySelectorAll("summary, button")];
  const before = [...place.children].find((row) => row.contains(focused));
  place.replaceChildren(...rows);
  const now = before && rows.find((row) => nameOf(row) === nameOf(before));
  if (!now) return;
  const control = controls(now)[controls(before).indexOf(focused)] ?? controls(now)[0];
  control?.focus({ preventScroll: true });
}

const [TRIES, TRY_AGAIN_MS] = [3, 100];

// Puts words into one of Streamlit's fields as typing does. React hears of a value by the event alone, and takes it
// for new only if it was set by the element's own setter, which React has replaced on the field. Where the field is
// just drawn, an effect of React's that is still due puts the server's words back: so they are put in again, unless
// somebody has begun to type. Listeners know the event by its isPut.
function typeInto(field, words) {
  let isTouched = false;
  field.addEventListener("input", ({ isPut }) => { isTouched ||= !isPut; });
  field.addEventListener("keydown", () => { isTouched = true; });
  const put = (tries) => {
    Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, "value").set.call(field, words);
    field.dispatchEvent(Object.assign(new Event("input", { bubbles: true }), { isPut: true }));
    setTimeout(() => {
      if (tries && field.isConnected && !isTouched && field.value !== words) put(tries - 1);
    }, TRY_AGAIN_MS);
  };
  put(TRIES);
}

const SIGNED_OUT = "answerdesk:signed-out"; // written at a sign-out, which tells the person's other tabs
function forgetDrafts() {
  for (const key of Object.keys(sessionStorage)) if (key.startsWith("answerdesk:")) sessionStorage.removeItem(key);
}
