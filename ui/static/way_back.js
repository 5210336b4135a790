export default function ({ parentElement: root, data }) {
  const way = root.querySelector(".way");
  way.textContent = data.label;
  way.hidden = !data.label;
  way.onclick = (event) => {
    event.preventDefault();
    for (const part of document.querySelectorAll(".st-key-left *")) {
      const row = part.shadowRoot?.querySelector('tr[aria-current="true"] button');
      if (row) { row.scrollIntoView({ block: "center" }); row.focus({ preventScroll: true }); }
    }
  };
}
