function content(cell) {
  const text = element("span", "text " + cell.tone, cell.text);
  if (cell.lang) text.lang = cell.lang;
  else text.translate = !cell.names;
  if (!cell.note) return [text];
  const note = element("span", "note", cell.note);
  note.translate = !cell.names;
  return [text, note];
}
const MANY_COLUMNS = 4; // more do not stand side by side on a telephone
const NARROW = "(max-width: 900px)"; // as in page.css: the right half is below the left one
const [REVEALS, REVEAL_EVERY_MS] = [8, 150]; // until what is in the right half has come, and has its height
function reveal(focuses) {
  const pane = document.querySelector(".st-key-right");
  if (!pane) return;
  pane.tabIndex = -1;
  if (focuses) pane.focus({ preventScroll: true });
  const moved = new AbortController(); // whoever scrolls meanwhile stays where that leads
  for (const gesture of ["wheel", "pointerdown", "keydown", "click"]) {
    document.addEventListener(gesture, () => moved.abort(), { signal: moved.signal, passive: true });
  }
  const show = (left) => {
    if (moved.signal.aborted) return;
    pane.scrollIntoView({ block: "start" });
    if (left) setTimeout(() => show(left - 1), REVEAL_EVERY_MS);
    else moved.abort();
  };
  show(REVEALS);
}
function onward(label) {
  const link = element("a", "onward", label);
  link.href = "#";
  link.addEventListener("click", (event) => {
    event.preventDefault();
    event.stopPropagation();
    reveal(true);
  });
  return link;
}
function tellChosen(root, data) {
  const before = root.answerdeskCurrent;
  root.answerdeskCurrent = data.current;
  if (data.current === before || !data.rows.some((row) => row.row_id === data.current)) return;
  const isChosenHere = before !== undefined; // else the address named it
  if (matchMedia(NARROW).matches) reveal(isChosenHere);
  if (!isChosenHere) return;
  document.dispatchEvent(new CustomEvent("answerdesk:say", { detail: { text: data.shown, urgent: false } }));
}
function namingCell(data) {
  return Math.max(0, data.columns.findIndex((column) => column.look === "wide"));
}
export default function ({ parentElement: root, data, setTriggerValue }) {
  root.answerdeskChoose = setTriggerValue;
  if (isDrawn(root, data)) return;
  root.querySelector(".label").textContent = data.heading;
  const table = root.querySelector("table");
  table.setAttribute("aria-label", data.heading);
  table.classList.toggle("many", data.columns.length > MANY_COLUMNS);
  table.hidden = data.rows.length === 0;
  const empty = root.querySelector(".empty");
  empty.hidden = data.rows.length > 0;
  empty.textContent = data.empty;
  const head = element("tr");
  head.append(...data.columns.map((column) => {
    const cell = element("th", column.look, column.label);
    cell.scope = "col";
    return cell;
  }));
  root.querySelector("thead").replaceChildren(head);
  const lines = data.rows.map((row) => {
    const line = element("tr", row.row_id ? "can" : "");
    line.dataset.row = row.row_id;
    if (row.row_id && row.row_id === data.current) line.setAttribute("aria-current", "true");
    row.cells.forEach((cell, index) => {
      const place = line.appendChild(element("td", data.columns[index].look));
      place.dataset.label = data.columns[index].label;
      if (row.row_id && index === namingCell(data)) {
        const choose = place.appendChild(element("button"));
        choose.type = "button";
        choose.append(...content(cell));
        if (row.row_id === data.current) place.append(onward(data.onward));
      } else place.append(...content(cell));
    });
    if (row.row_id) line.addEventListener("click", () => root.answerdeskChoose("chosen", row.row_id));
    return line;
  });
  replaceRows(root.querySelector("tbody"), lines, (line) => line.dataset.row);
  tellChosen(root, data);
}
