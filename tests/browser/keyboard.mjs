// Somebody without a mouse: goes from one thing to the next by Tab, must see where they are, and must get away again.

import assert from 'node:assert/strict';

/** More than any page has things to stop at. */
const ENOUGH = 80;

/** Presses Tab until it has the focus; fails when that cannot be seen. */
export async function focusByTab(page, locator) {
  await locator.waitFor();
  await page.evaluate(watch);
  for (let pressed = 0; pressed < ENOUGH; pressed += 1) {
    await page.keyboard.press('Tab');
    if (await locator.evaluate((element) => element === document.activeElement)) {
      checkSeen(await page.evaluate(() => globalThis.stop()), page);
      return;
    }
  }
  assert.fail(`${ENOUGH} presses of Tab did not reach ${locator} at ${page.url()}`);
}

/** Goes to a button, a link or a box and presses it. */
export async function press(page, locator, key = 'Enter') {
  await focusByTab(page, locator);
  await page.keyboard.press(key);
}

/** Goes to a field and types over what it held: Tab selects it whole. */
export async function type(page, locator, text) {
  await focusByTab(page, locator);
  await page.keyboard.type(text);
}

/** Goes to a list and moves down it by the arrow until it shows `label`. */
export async function choose(page, locator, label) {
  await focusByTab(page, locator);
  const shown = () => locator.evaluate((list) => list.selectedOptions[0].label);
  await page.keyboard.press('Home');
  for (let last, now = await shown(); now !== label; now = await shown()) {
    assert.notEqual(now, last, `the arrow does not reach ${label}`);
    last = now;
    await page.keyboard.press('ArrowDown');
  }
}

/** Goes once round the page by Tab and once by Shift+Tab. Each passes all there is to stop at, in the page's order, shows
    the focus at every stop and is held by none. */
export async function goesRound(page) {
  const expected = await page.evaluate(watch);
  for (const key of ['Tab', 'Shift+Tab']) {
    const passed = [];
    for (let pressed = 0; ; pressed += 1) {
      assert.ok(pressed < ENOUGH, `${key} does not come round at ${page.url()}`);
      await page.keyboard.press(key);
      const stop = await page.evaluate(() => globalThis.stop());
      // Between the last and the first is the browser itself.
      if (stop === null) continue;
      if (stop.number === passed[0]?.number && passed.length > 1) break;
      // Day, month, year and the calendar of a date are stops of their own in it.
      if (stop.isDate && stop.number === passed.at(-1)?.number) continue;
      const held = `${stop.name} holds the focus against ${key} at ${page.url()}`;
      assert.notEqual(stop.number, passed.at(-1)?.number, held);
      checkSeen(stop, page);
      passed.push(stop);
    }
    if (key === 'Shift+Tab') passed.reverse();
    const first = passed.findIndex(({ number }) => number === expected[0].number);
    const inOrder = [...passed.slice(first), ...passed.slice(0, first)].map(({ name }) => name);
    assert.deepEqual(inOrder, expected.map(({ name }) => name), `the stops of ${key} at ${page.url()}`);
  }
}

function checkSeen({ name, drawn, inSight }, page) {
  assert.ok(drawn, `the focus cannot be seen on ${name} at ${page.url()}`);
  assert.ok(inSight, `${name} has the focus and is out of sight at ${page.url()}`);
}

/** Runs in the page: notes how everything is drawn without the focus, so that `stop()` can tell what the focus changes.
    Answers what there is to stop at. */
function watch() {
  document.activeElement?.blur();
  const visible = (colour) => !/^(transparent|rgba\(.*, 0\))$/.test(colour);
  // The ring may be drawn around the card that a link covers.
  const rings = (element) =>
    [element, element.closest('.card') ?? element].flatMap((drawn) => {
      const { outlineStyle, outlineWidth, outlineColor, boxShadow } = getComputedStyle(drawn);
      const outlined = outlineStyle !== 'none' && parseFloat(outlineWidth) > 0 && visible(outlineColor);
      return [outlined ? `${outlineStyle} ${outlineWidth} ${outlineColor}` : '', boxShadow === 'none' ? '' : boxShadow];
    });
  const elements = [...document.querySelectorAll('body *')];
  const before = new Map(elements.map((element) => [element, rings(element)]));
  const named = (element) => {
    const text = element.labels?.[0]?.innerText ?? element.textContent.trim();
    return { number: elements.indexOf(element), name: `${element.localName} "${text}"` };
  };
  globalThis.stop = () => {
    const element = document.activeElement;
    if (element === null || element === document.body) return null;
    const [box] = element.getClientRects();
    // The middle of what fits into the window: a long table is scrolled to where it begins.
    const middle = (from, to, size) => (Math.max(from, 0) + Math.min(to, size)) / 2;
    const there = document.elementFromPoint(
      middle(box.left, box.right, innerWidth),
      middle(box.top, box.bottom, innerHeight),
    );
    return {
      ...named(element),
      drawn: rings(element).some((ring, n) => ring !== '' && ring !== before.get(element)?.[n]),
      inSight: element.contains(there) || Boolean(there?.contains(element)),
      isDate: element.matches('input[type=date]'),
    };
  };
  const reachable = (element) => element.tabIndex >= 0 && element.matches(':enabled, a[href], [tabindex]');
  return elements.filter((element) => reachable(element) && element.checkVisibility({ visibilityProperty: true })).map(named);
}
