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

/** Names the viewer's own fields for who hears the page; it draws them late, each in a tree of its own. */
function name(root) {
  for (const field of root.querySelectorAll("textarea, input, select")) {
    if (!field.labels?.length && !field.ariaLabel) field.ariaLabel = field.placeholder || "Example of the request";
  }
  for (const element of root.querySelectorAll("*")) if (element.shadowRoot) watch(element.shadowRoot);
}

const watched = new WeakSet();

function watch(root) {
  name(root);
  if (watched.has(root)) return;
  watched.add(root);
  new MutationObserver(() => name(root)).observe(root, { childList: true, subtree: true });
}

customElements.whenDefined("rapi-doc").then(() => watch(viewer.shadowRoot));
dress();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", dress);
