// The page of a backtest: follows one that runs, and puts charts in the place of the server's drawings. Without it the
// drawings and tables stay.

const page = document.querySelector(".backtest");
const FOLLOW_MS = 1500;

/** The colour that a custom property has now, in this mode, as a canvas understands it. */
function color(name, alpha = 1) {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  page.append(probe);
  const channels = getComputedStyle(probe).color.match(/[\d.]+/g).slice(0, 3).join(", ");
  probe.remove();
  return `rgba(${channels}, ${alpha})`;
}

/** Takes the part that says how far it is from a fresh page; a page with a result is loaded whole. */
async function follow() {
  const answer = await fetch(location.href, { headers: { accept: "text/html" } });
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-waiting]");
  if (!answer.ok || !fresh) return location.reload();
  document.querySelector("[data-waiting]").replaceWith(document.adoptNode(fresh));
  setTimeout(retry, FOLLOW_MS);
}

/** A server that does not answer is asked again. */
function retry() {
  follow().catch(() => setTimeout(retry, 4 * FOLLOW_MS));
}

function base(host, lib) {
  const zone = page.dataset.zone;
  const clock = new Intl.DateTimeFormat("en-GB", { timeZone: zone, dateStyle: "medium", timeStyle: "short" });
  const hour = new Intl.DateTimeFormat("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit" });
  const day = new Intl.DateTimeFormat("en-GB", { timeZone: zone, day: "numeric", month: "short" });
  // What the server's drawing says in words is said of the chart in its place.
  const words = host.querySelector("[role=img]")?.getAttribute("aria-label");
  host.replaceChildren();
  if (words) {
    host.role = "img";
    host.ariaLabel = words;
  }
  const drawing = lib.createChart(host, {
    autoSize: true,
    // The logo would bring an inline style sheet, which the policy refuses; the page credits the library in words.
    layout: { attributionLogo: false },
    localization: { timeFormatter: (time) => `${clock.format(time * 1000)} ${zone}` },
    // All of a long test fits at once.
    timeScale: { timeVisible: true, minBarSpacing: 0.01, tickMarkFormatter: (time, kind) => (kind <= 2 ? day : hour).format(time * 1000) },
    // Scrolling the page must not be caught by the chart.
    handleScroll: { mouseWheel: false, vertTouchDrag: false },
    handleScale: { mouseWheel: false },
  });
  const dress = () => {
    const line = color("--line", 0.7);
    drawing.applyOptions({
      layout: {
        background: { color: "transparent" },
        textColor: color("--ink-2"),
        fontFamily: getComputedStyle(page).getPropertyValue("--font-num"),
        fontSize: 11,
      },
      grid: { vertLines: { color: line }, horzLines: { color: line } },
      rightPriceScale: { borderColor: line },
      timeScale: { borderColor: line },
    });
  };
  return { drawing, dress };
}

/** Points in order, one a second: the last of each stands. */
function inOrder(points) {
  return [...new Map(points.map((point) => [point[0], point]))].sort(([a], [b]) => a - b).map(([, point]) => point);
}

function equityChart(host, lib, data) {
  const { drawing, dress } = base(host, lib);
  const series = drawing.addSeries(lib.AreaSeries, { lineWidth: 2, priceFormat: { type: "price", precision: 2, minMove: 0.01 } });
  series.setData(inOrder(data.equity).map(([time, value]) => ({ time, value })));
  drawing.timeScale().fitContent();
  return () => {
    dress();
    series.applyOptions({
      lineColor: color("--accent-ink"),
      topColor: color("--accent-ink", 0.22),
      bottomColor: color("--accent-ink", 0.01),
    });
  };
}

/** The candle that holds an instant. */
function candleAt(candles, time) {
  let [low, high] = [0, candles.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (candles[middle][0] <= time) low = middle + 1;
    else high = middle;
  }
  return candles[Math.max(0, low - 1)][0];
}

function priceChart(host, lib, data) {
  const { drawing, dress } = base(host, lib);
  const candles = inOrder(data.candles);
  const digits = Number(host.dataset.digits ?? 5);
  const series = drawing.addSeries(lib.CandlestickSeries, { priceFormat: { type: "price", precision: digits, minMove: 10 ** -digits } });
  series.setData(candles.map(([time, open, high, low, close]) => ({ time, open, high, low, close })));
  const shown = lib.createSeriesMarkers(series, []);
  // As many as can be told apart: the newest.
  const newest = candles.slice(-160);
  if (newest.length) drawing.timeScale().setVisibleRange({ from: newest[0][0], to: newest.at(-1)[0] });
  return () => {
    dress();
    const [up, down, quiet] = [color("--up"), color("--down"), color("--ink-2")];
    series.applyOptions({ upColor: up, wickUpColor: up, downColor: down, wickDownColor: down, borderVisible: false });
    const markers = data.trades.flatMap(({ side, at, closed, net }) => {
      const bought = side === "buy";
      const open = { time: candleAt(candles, at), position: bought ? "belowBar" : "aboveBar", shape: bought ? "arrowUp" : "arrowDown", color: bought ? up : down };
      if (!closed) return [open];
      const text = net === null ? "" : net.toFixed(2);
      return [open, { time: candleAt(candles, closed[0]), position: bought ? "aboveBar" : "belowBar", shape: "circle", color: quiet, size: 0.6, text }];
    });
    shown.setMarkers(markers.sort((a, b) => a.time - b.time));
  };
}

async function charts() {
  const [lib, data] = await Promise.all([
    import(page.dataset.chartLib),
    fetch(page.dataset.chartUrl).then((answer) => (answer.ok ? answer.json() : Promise.reject(answer.status))),
  ]);
  const equity = document.querySelector("[data-equity]");
  const price = document.querySelector("[data-price]");
  const dressers = [];
  if (equity && data.equity.length > 1) dressers.push(equityChart(equity, lib, data));
  if (price && data.candles.length > 1) dressers.push(priceChart(price, lib, data));
  const dress = () => dressers.forEach((one) => one());
  dress();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", dress);
}

if (page?.querySelector("[data-waiting]")) setTimeout(retry, FOLLOW_MS);
if (page?.dataset.chartUrl) charts().catch((error) => console.warn("The charts did not load; the drawings stay.", error));
