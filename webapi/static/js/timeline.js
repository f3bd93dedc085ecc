"use strict";

const COLUMN_MS = 50;
const COLUMNS = 512; // 25 s, more than is shown at once

/** Draws the last seconds of a call: levels of both sides, spans of speech and playback, and the events. */
class Timeline {
  /** @param {HTMLCanvasElement} canvas @param {Conversation} conversation */
  constructor(canvas, conversation) {
    this.canvas = canvas;
    this.conversation = conversation;
    this.levels = { caller: new Float32Array(COLUMNS), bot: new Float32Array(COLUMNS) };
    this.column = 0; // the newest column, counted from the start of the page's clock
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", () => this.style());
    this.style();
    new ResizeObserver(() => this.size()).observe(canvas);
    this.size();
  }

  /** Read colours and font from the style sheet. */
  style() {
    const css = getComputedStyle(this.canvas);
    const names = ["caller", "caller-soft", "bot", "bot-soft", "cut", "cut-text", "text", "muted", "rule", "card"];
    this.colour = Object.fromEntries(names.map((name) => [name, css.getPropertyValue("--" + name).trim()]));
    this.font = css.fontFamily;
  }

  size() {
    const ratio = window.devicePixelRatio || 1;
    this.width = this.canvas.clientWidth;
    this.height = this.canvas.clientHeight;
    this.canvas.width = Math.round(this.width * ratio);
    this.canvas.height = Math.round(this.height * ratio);
    this.canvas.getContext("2d").setTransform(ratio, 0, 0, ratio, 0, 0);
    this.windowMs = Math.max(5000, Math.min(14_000, this.width * 12));
  }

  /** Note the levels of both sides at `now` (RMS, 0 to 1); a column keeps the highest. */
  add(now, caller, bot) {
    const column = Math.floor(now / COLUMN_MS);
    for (let fresh = Math.max(this.column + 1, column - COLUMNS + 1); fresh <= column; fresh++) {
      this.levels.caller[fresh % COLUMNS] = this.levels.bot[fresh % COLUMNS] = 0;
    }
    this.column = Math.max(this.column, column);
    const slot = column % COLUMNS;
    this.levels.caller[slot] = Math.max(this.levels.caller[slot], caller);
    this.levels.bot[slot] = Math.max(this.levels.bot[slot], bot);
  }

  draw(now) {
    const g = this.canvas.getContext("2d");
    if (this.calm.matches) now = Math.floor(now / 1000) * 1000; // with reduced motion: one step a second
    this.now = now;
    g.clearRect(0, 0, this.width, this.height);
    g.font = `11px ${this.font}`;
    g.textBaseline = "middle";
    const axis = 18;
    const strip = 42; // between the lanes: two rows of events
    const lane = (this.height - axis - strip) / 2;
    const you = { top: 0, mid: lane / 2, height: lane };
    const bot = { top: lane + strip, mid: lane + strip + lane / 2, height: lane };
    this.grid(g, this.height - axis);
    this.spans(g, you, this.conversation.caller, "caller");
    this.spans(g, bot, this.conversation.bot, "bot");
    this.bars(g, you, "caller");
    this.bars(g, bot, "bot");
    this.events(g, lane + strip / 4, lane + (strip * 3) / 4, bot);
    this.names(g, you, bot);
  }

  x(at) {
    return this.width - 2 - ((this.now - at) * (this.width - 2)) / this.windowMs;
  }

  grid(g, bottom) {
    g.fillStyle = this.colour.muted;
    g.strokeStyle = this.colour.rule;
    g.lineWidth = 1;
    g.textAlign = "center";
    const step = this.windowMs > 9000 ? 2 : 1;
    for (let ago = 0; ago * 1000 < this.windowMs; ago += step) {
      const x = Math.round(this.x(this.now - ago * 1000)) - 0.5;
      g.beginPath();
      g.moveTo(x, 0);
      g.lineTo(x, bottom);
      g.stroke();
      g.textAlign = ago ? "center" : "right";
      if (x > 14) g.fillText(ago ? `−${ago} s` : "now", ago ? x : this.width - 2, bottom + 11);
    }
  }

  spans(g, lane, spans, who) {
    for (const span of spans) {
      const [from, to] = [Math.max(-9, this.x(span.from)), this.x(span.to ?? this.now)];
      if (to < 0) continue;
      g.fillStyle = this.colour[who + "-soft"];
      g.beginPath();
      g.roundRect(from, lane.top + 1, Math.max(3, to - from), lane.height - 2, 8);
      g.fill();
      if (span.cut && span.to !== null) {
        g.fillStyle = this.colour.cut;
        g.fillRect(to - 2, lane.top + 1, 2, lane.height - 2);
      }
    }
  }

  bars(g, lane, who) {
    const [pitch, levels] = [(COLUMN_MS * (this.width - 2)) / this.windowMs, this.levels[who]];
    const thick = Math.max(1.5, pitch * 0.6);
    g.fillStyle = this.colour[who];
    const oldest = Math.max(0, this.column - Math.min(COLUMNS - 1, Math.ceil(this.windowMs / COLUMN_MS)));
    for (let column = oldest; column <= this.column; column++) {
      const x = this.x((column + 1) * COLUMN_MS);
      const tall = Math.max(1.5, height(levels[column % COLUMNS]) * (lane.height - 14));
      g.beginPath();
      g.roundRect(x, lane.mid - tall / 2, thick, tall, thick / 2);
      g.fill();
    }
  }

  /** The caller's events in the upper row, the bot's in the lower one. A label without space is left out, its dot stays. */
  events(g, upper, lower, bot) {
    const taken = []; // the places of dots and labels, {y, left, right}
    const put = (label, x, y, colour, align = "left", bold = false) => {
      g.font = `${bold ? "600 " : ""}11px ${this.font}`;
      const wide = g.measureText(label).width;
      const left = align === "right" ? x - wide : x;
      if (taken.some((t) => t.y === y && left < t.right + 2 && left + wide > t.left - 2)) return;
      taken.push({ y, left, right: left + wide });
      g.fillStyle = colour;
      g.textAlign = "left";
      g.fillText(label, left, y);
    };
    const marks = this.conversation.marks.filter((mark) => mark.name in TIMELINE_ROWS && this.x(mark.at) > -120);
    const place = (mark) => [this.x(mark.at), TIMELINE_ROWS[mark.name][0] ? lower : upper];
    for (const mark of marks) {
      const [x, y] = place(mark);
      taken.push({ y, left: x - 3, right: x + 3 });
    }
    for (const wait of this.conversation.waits) {
      const [from, to] = [this.x(wait.from), this.x(wait.to)];
      if (to < 0) continue;
      g.strokeStyle = this.colour.text;
      g.lineWidth = 1.5;
      g.beginPath();
      g.moveTo(from, lower - 4);
      g.lineTo(from, lower + 4);
      g.moveTo(from, lower);
      g.lineTo(to, lower);
      g.moveTo(to, lower - 4);
      g.lineTo(to, lower + 4);
      g.stroke();
      put(`${Math.round(wait.ms)} ms`, from - 5, lower, this.colour.text, "right", true);
    }
    const flags = marks.filter((mark) => mark.name === "barge_in").map((mark) => this.flag(g, this.x(mark.at), upper, taken));
    for (const mark of marks) {
      const [x, y] = place(mark);
      if (mark.name === "barge_in") continue;
      g.fillStyle = this.colour[TIMELINE_ROWS[mark.name][1]];
      g.beginPath();
      g.arc(x, y, 3, 0, 2 * Math.PI);
      g.fill();
      put(EVENTS[mark.name][0], x + 6, y, this.colour.muted);
    }
    for (const flag of flags) this.raise(g, flag, bot);
  }

  /** The place of a barge-in's flag, which stays free of labels. It has no name (wide: 0) where another flag is in the way. */
  flag(g, x, y, taken) {
    g.font = `600 11px ${this.font}`;
    const wide = g.measureText(EVENTS.barge_in[0]).width + 12;
    const left = Math.min(x, this.width - wide);
    const blocked = taken.some((t) => t.flag && left < t.right && left + wide > t.left);
    if (!blocked) taken.push({ y, left, right: left + wide, flag: true });
    return { x, y, left, wide: blocked ? 0 : wide };
  }

  /** Draw a barge-in: a line through both lanes, with its name. */
  raise(g, { x, y, left, wide }, bot) {
    g.strokeStyle = this.colour.cut;
    g.lineWidth = 1.5;
    g.beginPath();
    g.moveTo(x, 0);
    g.lineTo(x, bot.top + bot.height);
    g.stroke();
    if (!wide) return;
    g.fillStyle = this.colour.cut;
    g.beginPath();
    g.roundRect(left, y - 8.5, wide, 17, 4);
    g.fill();
    g.fillStyle = this.colour["cut-text"];
    g.font = `600 11px ${this.font}`;
    g.textAlign = "left";
    g.fillText(EVENTS.barge_in[0], left + 6, y + 0.5);
  }

  names(g, you, bot) {
    g.textAlign = "left";
    g.font = `600 11px ${this.font}`;
    for (const [name, lane, who] of [["You", you, "caller"], ["Bot", bot, "bot"]]) {
      const wide = g.measureText(name).width + 12;
      g.fillStyle = this.colour.card;
      g.beginPath();
      g.roundRect(2, lane.top + 4, wide, 18, 5);
      g.fill();
      g.fillStyle = this.colour[who];
      g.fillText(name, 8, lane.top + 13.5);
    }
  }
}

/** The events that the timeline shows: [row, name of the colour]. */
const TIMELINE_ROWS = {
  speech_started: [0, "caller"],
  speech_ended: [0, "caller"],
  superseded: [0, "cut"],
  barge_in: [0, "cut"],
  prompted: [1, "bot"],
  reply_started: [1, "bot"],
  filler_started: [1, "bot"],
  playback_started: [1, "bot"],
  playback_paused: [1, "bot"],
  playback_resumed: [1, "bot"],
  playback_ducked: [1, "bot"],
  playback_restored: [1, "bot"],
  playback_ended: [1, "bot"],
  dtmf: [0, "caller"],
  hung_up: [1, "cut"],
};
