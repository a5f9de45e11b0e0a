// Keeps the account page up to date: figures and rows as HTML from the server, the curve as points.
// The events are described in platform/server/src/portal/view/live.rs.

const page = document.querySelector("[data-live-url]");

/** The colour that a custom property has now, in this mode, as a canvas understands it. */
function color(name) {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  page.append(probe);
  const resolved = getComputedStyle(probe).color;
  probe.remove();
  return resolved;
}

/** The same colour, let through by `alpha`. */
function faint(name, alpha) {
  const channels = color(name).match(/[\d.]+/g).slice(0, 3).join(", ");
  return `rgba(${channels}, ${alpha})`;
}

function say(state, text) {
  const badge = page.querySelector("[data-live-state]");
  if (badge.dataset.liveState === state) return;
  badge.dataset.liveState = state;
  badge.querySelector(".live-text").textContent = text;
}

/** Who has the focus inside `host`, in a way that survives new HTML. */
function focused(host) {
  const active = document.activeElement;
  if (!host.contains(active)) return null;
  const form = active.closest("form");
  if (form) return `form[action="${CSS.escape(form.getAttribute("action"))}"] button`;
  return active.getAttribute("href") ? `a[href="${CSS.escape(active.getAttribute("href"))}"]` : null;
}

/** Copies of figures, such as those in the bar at the thumb. */
function mirror() {
  for (const copy of document.querySelectorAll("[data-mirror]")) {
    const source = page.querySelector(`[data-figure="${copy.dataset.mirror}"]`);
    if (source) copy.replaceChildren(...source.cloneNode(true).childNodes);
  }
}

function upsert(host, fresh) {
  for (const element of [...fresh.children]) {
    const old = element.id && document.getElementById(element.id);
    if (old && host.contains(old)) old.replaceWith(element);
    else host.prepend(element);
  }
  const max = Number(host.dataset.liveMax ?? 100);
  while (host.children.length > max) host.lastElementChild.remove();
}

function patch({ target, placement, html }) {
  const host = page.querySelector(`[data-live="${CSS.escape(target)}"]`);
  if (!host) return;
  const focus = focused(host);
  const template = document.createElement("template");
  template.innerHTML = html;
  if (placement === "upsert") upsert(host, template.content);
  else host.replaceChildren(template.content);
  if (focus) host.querySelector(focus)?.focus({ preventScroll: true });
  if (target === "stats") mirror();
}

/** Points of a curve that is shown whole while it grows. */
const FITS = 200;

/** A chart in place of the server's drawing; the drawing stays when the library does not come. */
async function chart(host) {
  const { createChart, AreaSeries, LineStyle } = await import(page.dataset.chartLib);
  const points = new Map();
  for (const [at, value] of JSON.parse(host.dataset.points ?? "[]")) points.set(Math.floor(at / 1000), value);
  const zone = host.dataset.zone;
  const clock = new Intl.DateTimeFormat("en-GB", { timeZone: zone, dateStyle: "medium", timeStyle: "medium" });
  const short = new Intl.DateTimeFormat("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit" });
  const day = new Intl.DateTimeFormat("en-GB", { timeZone: zone, day: "numeric", month: "short" });
  const amount = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  // What the server's drawing says in words is said of the chart in its place.
  const words = host.querySelector("[role=img]")?.getAttribute("aria-label");
  host.replaceChildren();
  if (words) {
    host.role = "img";
    host.ariaLabel = words;
  }
  const drawing = createChart(host, {
    autoSize: true,
    // The logo would bring an inline style sheet, which the policy refuses; the page credits the library in words.
    layout: { attributionLogo: false },
    localization: { timeFormatter: (time) => `${clock.format(time * 1000)} ${zone}`, priceFormatter: amount.format },
    timeScale: {
      timeVisible: true,
      rightOffsetPixels: 32,
      tickMarkFormatter: (time, kind) => (kind <= 2 ? day : short).format(time * 1000),
    },
  });
  const series = drawing.addSeries(AreaSeries, { lineWidth: 2, priceFormat: { type: "price", precision: 2, minMove: 0.01 } });
  const dress = () => {
    const line = faint("--line", 0.7);
    drawing.applyOptions({
      layout: {
        background: { color: "transparent" },
        textColor: color("--ink-2"),
        fontFamily: getComputedStyle(page).getPropertyValue("--font-num"),
        fontSize: 11,
      },
      grid: { vertLines: { color: line }, horzLines: { color: line } },
      rightPriceScale: { borderColor: line, scaleMargins: { top: 0.14, bottom: 0.08 } },
      timeScale: { borderColor: line },
    });
    series.applyOptions({
      lineColor: color("--accent-ink"),
      topColor: faint("--accent-ink", 0.22),
      bottomColor: faint("--accent-ink", 0.01),
    });
  };
  dress();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", dress);
  series.setData([...points].sort(([a], [b]) => a - b).map(([time, value]) => ({ time, value })));
  drawing.timeScale().fitContent();
  // A young curve fills the place as it grows, until somebody looks closer.
  let fits = points.size < FITS;
  for (const kind of ["wheel", "pointerdown", "touchstart"]) {
    host.addEventListener(kind, () => (fits = false), { passive: true });
  }

  let last = Math.max(0, ...points.keys());
  let floor = null;
  return ({ at, equity, floor: level }) => {
    const time = Math.floor(at / 1000);
    // A replay that starts over goes back in time; the curve then starts over too.
    if (time < last) series.setData([]);
    last = time;
    series.update({ time, value: equity });
    fits &&= series.data().length < FITS;
    if (fits) drawing.timeScale().fitContent();
    if (level === null) return;
    const line = { price: level, color: color("--down"), lineStyle: LineStyle.Dashed, lineWidth: 1, title: "breach" };
    if (floor) floor.applyOptions(line);
    else floor = series.createPriceLine(line);
  };
}

function listen(draw) {
  const stream = new EventSource(page.dataset.liveUrl);
  stream.addEventListener("open", () => say("on", "Live"));
  stream.addEventListener("error", () => {
    if (stream.readyState === EventSource.CLOSED) say("off", "Not live: reload the page, or sign in again");
    else say("wait", "Reconnecting");
  });
  stream.addEventListener("patch", (event) => patch(JSON.parse(event.data)));
  stream.addEventListener("equity", (event) => draw(JSON.parse(event.data)));
  addEventListener("pagehide", () => stream.close());
  // A page that comes back from the browser's memory has missed events: the server knows better.
  addEventListener("pageshow", (event) => event.persisted && location.reload());
}

if (page) {
  let draw = () => {};
  listen((point) => draw(point));
  const host = page.querySelector(".chart");
  if (host) {
    chart(host).then(
      (ready) => (draw = ready),
      (error) => console.warn("The live chart did not load; the drawing stays as it was.", error),
    );
  }
}
