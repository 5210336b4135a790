export default function ({ parentElement: root, data }) {
  root.querySelector(".part").setAttribute("aria-label", data.label);
  root.querySelector(".part").innerHTML = data.plots;
}
