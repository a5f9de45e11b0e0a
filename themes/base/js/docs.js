// Dresses the API viewer in the page's colours; its own attributes know light and dark only.

const viewer = document.querySelector("rapi-doc");

function dress() {
  const style = getComputedStyle(document.body);
  const mode = document.documentElement.dataset.mode;
  const dark = mode === "dark" || (mode === "auto" && matchMedia("(prefers-color-scheme: dark)").matches);
  viewer.setAttribute("theme", dark ? "dark" : "light");
  viewer.setAttribute("bg-color", hex(style.backgroundColor));
  viewer.setAttribute("text-color", hex(style.color));
  viewer.setAttribute("regular-font", style.fontFamily);
}

/** `rgb(1, 2, 3)` as the viewer wants it. */
function hex(color) {
  const channels = color.match(/\d+/g).slice(0, 3);
  return `#${channels.map((channel) => Number(channel).toString(16).padStart(2, "0")).join("")}`;
}

dress();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", dress);
