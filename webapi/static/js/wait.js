"use strict";

/** How long a caller waits for the bot: the figures of all turns, and what the last wait went into. */
class Wait {
  /** `places` has the elements `median`, `last`, `bar`, `parts` and `empty`. */
  constructor(places) {
    this.places = places;
    this.reset();
  }

  reset() {
    this.waits = []; // ms
    this.colours = new Map(); // name of a part → its colour
    this.show(null);
  }

  /** Take the line of a turn. One without a wait (a prompt, an utterance without a reply) changes nothing. */
  take(turn) {
    if (!Number.isFinite(turn.caller_wait_ms)) return;
    this.waits.push(turn.caller_wait_ms);
    this.show(Array.isArray(turn.parts) ? turn.parts.filter(isPart).map((part) => ({ ...part, name: part.name.slice(0, 40) })) : []);
  }

  show(parts) {
    const { median: middle, last, bar, parts: list, empty } = this.places;
    figure(middle, median(this.waits));
    figure(last, this.waits[this.waits.length - 1]);
    empty.hidden = this.waits.length > 0;
    bar.replaceChildren(...(parts || []).map((part) => this.segment(part)));
    list.replaceChildren(...sums(parts || []).map((part) => this.row(part)));
    bar.hidden = list.hidden = !bar.children.length;
  }

  segment({ name, ms: length }) {
    const segment = document.createElement("i");
    segment.style.flexGrow = length;
    segment.style.background = this.colour(name);
    return segment;
  }

  row({ name, ms: length, setting }) {
    const row = document.createElement("li");
    const swatch = element("i", "");
    swatch.style.background = this.colour(name);
    row.dataset.part = name;
    row.append(swatch, element("span", Object.hasOwn(PARTS, name) ? PARTS[name] : name.replace(/_/g, " ")), element("b", length < 1 ? "< 1 ms" : ms(length)));
    if (typeof setting === "string") row.append(element("code", setting.slice(0, 40)));
    return row;
  }

  /** A name keeps its colour; names that the node does not know take turns. */
  colour(name) {
    if (Object.hasOwn(PARTS, name)) return `var(--${name})`;
    if (!this.colours.has(name)) this.colours.set(name, `var(--other-part-${1 + (this.colours.size % 3)})`);
    return this.colours.get(name);
  }
}

/** The parts of one name together, in the order of their first. */
function sums(parts) {
  const found = new Map();
  for (const part of parts) found.set(part.name, { ...part, ms: part.ms + (found.get(part.name)?.ms ?? 0) });
  return [...found.values()];
}

function isPart(part) {
  return Boolean(part) && typeof part.name === "string" && Number.isFinite(part.ms) && part.ms >= 0;
}

/** Show ms as a number and a smaller unit. */
function figure(place, value) {
  const [number, unit] = (value >= 10_000 ? secondsOf(value) : ms(value)).split(" ");
  place.replaceChildren(number, ...(unit ? [element("small", ` ${unit}`)] : []));
}
