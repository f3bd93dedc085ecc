"use strict";

const LINES_KEPT = 200;
const CHARACTERS_KEPT = 10_000; // of a line

/**
 * The conversation in words: a line for each side of each turn, of the node's `transcript` and `heard_text` messages.
 *
 * `rows` is a list in an ARIA log, of which screen readers read out what is added. Interim text is hidden from them: a line
 * without final text as a whole, and it is made anew with its first final text. Each further text is an element of its own.
 */
class Talk {
  constructor(rows) {
    this.rows = rows;
    this.reset();
  }

  reset() {
    this.lines = new Map(); // key → {trace, side, who, said, interim, heard, row}
    this.rows.replaceChildren();
  }

  /** Take a message of the node. `caller` is what the caller's lines are headed with. Returns whether words were not heard. */
  take(message, caller) {
    const text = typeof message.text === "string" ? message.text.trim() : "";
    const of = (side) => this.lines.get(keyOf(message, side));
    if (message.event === "transcript" && text) this.told(message, text, message.speaker === "bot" ? ["bot", "Bot"] : ["caller", caller]);
    if (message.event === "heard_text") return this.heard(of("bot"), text);
    // A reply that never played has no heard_text.
    if (message.event === "turn" && message.heard_ms === 0 && of("bot")?.heard === null) return this.heard(of("bot"), "");
    return false;
  }

  told(message, text, [side, who]) {
    const atEnd = this.isAtEnd();
    const key = keyOf(message, side);
    if (!this.lines.has(key)) this.open(key, message, side, who);
    const line = this.lines.get(key);
    const final = message.final !== false;
    line.interim = final ? "" : text.slice(0, CHARACTERS_KEPT);
    if (final) this.add(line, text);
    showInterim(line);
    if (atEnd) this.toEnd();
  }

  /** Put an empty line where it belongs: the caller's before the bot's of the same turn, else at the end. */
  open(key, message, side, who) {
    const line = { side, who, said: [], interim: "", heard: null, row: rowOf(side, who) };
    line.row.ariaHidden = "true";
    const other = this.lines.get(keyOf(message, side === "bot" ? "caller" : "bot"));
    if (!other) this.rows.append(line.row);
    else if (side === "caller") other.row.before(line.row);
    else other.row.after(line.row);
    this.lines.set(key, line);
    for (const [old, { row }] of this.lines) {
      if (this.lines.size <= LINES_KEPT) break;
      row.remove();
      this.lines.delete(old);
    }
  }

  add(line, text) {
    const length = line.said.reduce((sum, each) => sum + each.length + 1, 0);
    const kept = text.slice(0, Math.max(0, CHARACTERS_KEPT - length));
    if (!kept) return;
    if (!line.said.length) {
      const row = rowOf(line.side, line.who); // a new element, so that it is read out
      line.row.replaceWith(row);
      line.row = row;
    }
    line.said.push(kept);
    if (line.heard === null) wordsOf(line).append(element("span", length ? ` ${kept}` : kept));
    else this.heard(line, line.heard);
  }

  /** Strike through what is behind the words that were heard. Returns whether there is something. */
  heard(line, heard) {
    if (!line) return false;
    line.heard = heard;
    const said = line.said.join(" ");
    let same = 0;
    while (same < heard.length && heard[same] === said[same]) same++;
    const rest = said.slice(same).trim();
    if (!rest) return false;
    const struck = element("s", "");
    struck.append(element("span", "not heard: ", "unseen"), document.createTextNode(rest));
    shorten(wordsOf(line), same);
    wordsOf(line).append(...(same ? [" "] : []), struck);
    return true;
  }

  isAtEnd() {
    const box = this.rows.parentElement;
    return box.scrollHeight - box.scrollTop - box.clientHeight < 40;
  }

  toEnd() {
    this.rows.parentElement.scrollTop = this.rows.parentElement.scrollHeight;
  }
}

function keyOf(message, side) {
  return JSON.stringify([message.session_id, message.trace_id, side]);
}

function rowOf(side, who) {
  const row = document.createElement("li");
  row.dataset.side = side;
  const text = element("span", "", "text");
  text.append(element("span", "", "words"));
  row.append(element("span", who, "who"), element("span", ": ", "unseen"), text);
  return row;
}

function wordsOf(line) {
  return line.row.querySelector(".words");
}

function showInterim(line) {
  line.row.querySelector(".interim")?.remove();
  line.row.toggleAttribute("data-interim", line.interim !== "");
  if (!line.interim) return;
  const interim = element("span", line.said.length ? ` ${line.interim}` : line.interim, "interim");
  interim.ariaHidden = "true";
  wordsOf(line).after(interim);
}

/** Cut the texts of an element after `length` characters. What stays is not made anew, so that it is not read out again. */
function shorten(words, length) {
  for (const piece of [...words.childNodes]) {
    const text = piece.textContent;
    if (piece.nodeName === "S" || length <= 0) piece.remove();
    else if (text.length > length) (piece.firstChild ?? piece).data = text.slice(0, length).trimEnd();
    length -= text.length;
  }
}
