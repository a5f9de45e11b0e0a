// Dresses the API viewer in the page's colours; its own attributes know light and dark only.

const viewer = document.querySelector("rapi-doc");

function dress() {
  const style = getComputedStyle(document.body);
  const accent = token("--accent-ink");
  const mode = document.documentElement.dataset.mode;
  const dark = mode === "dark" || (mode === "auto" && matchMedia("(prefers-color-scheme: dark)").matches);
  viewer.setAttribute("theme", dark ? "dark" : "light");
  viewer.setAttribute("bg-color", hex(style.backgroundColor));
  viewer.setAttribute("text-color", hex(style.color));
  viewer.setAttribute("primary-color", accent);
  viewer.setAttribute("nav-accent-color", accent);
  viewer.setAttribute("nav-bg-color", token("--sunken"));
  viewer.setAttribute("nav-text-color", token("--ink-2"));
  viewer.setAttribute("nav-hover-bg-color", token("--quiet-soft"));
  viewer.setAttribute("nav-hover-text-color", token("--ink"));
  viewer.setAttribute("regular-font", style.fontFamily);
}

/** What a custom property is in this mode. */
function token(name) {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const color = hex(getComputedStyle(probe).color);
  probe.remove();
  return color;
}

/** `rgb(1, 2, 3)` as the viewer wants it. */
function hex(color) {
  const channels = color.match(/\d+/g).slice(0, 3);
  return `#${channels.map((channel) => Number(channel).toString(16).padStart(2, "0")).join("")}`;
}

dress();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", dress);
