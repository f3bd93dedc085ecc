"use strict";

/** From the top of the stage, in px: where each lane stands. */
const LANE = {
  axis: 12, top: 22, bottom: 340,
  caller: { top: 26, height: 84 },
  voiced: { top: 116, height: 9 },
  decided: 132, cut: 155, // rows of letters
  delays: { stop: 186, reply: 205 },
  bot: { top: 221, height: 84 },
  bots: 313, // its events
};
const SOFT = { top: LANE.bot.top + LANE.bot.height / 4, height: LANE.bot.height / 2 }; // a reply that plays softly
const BAR = 3; // px from one bar of a waveform to the next
const TICKS = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200];

/** What stands where: a part of the call (seconds) over a width (px). */
class View {
  constructor(seconds) {
    this.total = Math.max(0.5, seconds);
    this.width = 1;
    this.set(0, this.total);
  }

  /** At least half a second and at most the whole call, within the call. */
  set(start, span) {
    this.span = Math.min(this.total, Math.max(0.5, span));
    this.start = Math.min(this.total - this.span, Math.max(0, start));
  }

  x(t) {
    return ((t - this.start) / this.span) * this.width;
  }

  t(x) {
    return Math.min(this.total, Math.max(0, this.start + (x / this.width) * this.span));
  }

  get end() {
    return this.start + this.span;
  }

  /** Wider or narrower by a factor; what is at `t` stays where it is. */
  zoom(factor, t) {
    const before = (t - this.start) / this.span;
    this.set(this.start, this.span * factor);
    this.set(t - before * this.span, this.span);
  }

  /** Move so far that `t` is seen; true where that was needed. While it plays, the view turns like a page. */
  show(t, playing) {
    const late = this.start + this.span * (playing ? 0.96 : 1);
    if (t >= this.start && (t <= late || this.end >= this.total - 1e-6)) return false;
    this.set(t - this.span * 0.08, this.span);
    return true;
  }
}

/** The part of the call that is in view, and the strip with all of it: everything but letters and cursor. */
class Picture {
  constructor(call, view, canvas, overview) {
    Object.assign(this, { call, view, canvas, overview });
    this.style();
  }

  /** Colours and type are the style sheet's. */
  style() {
    const css = getComputedStyle(this.canvas);
    const names = ["caller", "caller-soft", "bot", "bot-soft", "cut", "text", "muted", "rule", "edge", "track", "card"];
    this.colour = Object.fromEntries(names.map((name) => [name, css.getPropertyValue("--" + name).trim()]));
    this.font = css.fontFamily;
  }

  fit(canvas) {
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    const g = canvas.getContext("2d");
    g.setTransform(ratio, 0, 0, ratio, 0, 0);
    g.clearRect(0, 0, width, height);
    return g;
  }

  draw() {
    const g = this.fit(this.canvas);
    const { call, view } = this;
    this.axis(g);
    g.fillStyle = this.colour.track;
    this.box(g, view.x(0), view.x(call.seconds), LANE.voiced, 4);
    for (const [start, end] of seen(call.voiced, view)) this.band(g, start, end);
    this.likely(g);
    for (const [start, end, turn] of seen(call.speech, view)) this.span(g, start, end, LANE.caller, "caller", turn);
    g.globalAlpha = 0.45;
    for (const [start, end] of seen(call.fillers, view)) this.span(g, start, end, LANE.bot, "bot");
    g.globalAlpha = 1;
    for (const [start, end, turn, , , ducked] of seen(call.playback, view)) this.span(g, start, end, ducked ? SOFT : LANE.bot, "bot", turn);
    this.wave(g, call.peaks.caller, LANE.caller, this.colour.caller);
    this.wave(g, call.peaks.bot, LANE.bot, this.colour.bot);
    for (const span of seen(call.playback, view)) this.ended(g, span);
    this.lines(g);
    this.delays(g);
    this.name(g, "caller", LANE.caller);
    this.name(g, "bot", LANE.bot);
    this.strip();
  }

  axis(g) {
    const { view } = this;
    const step = TICKS.find((each) => (each / view.span) * view.width >= 58) ?? TICKS[TICKS.length - 1];
    g.font = `11.5px ${this.font}`;
    g.textBaseline = "middle";
    g.strokeStyle = this.colour.rule;
    g.lineWidth = 1;
    for (let i = Math.ceil(view.start / step - 1e-9); i * step <= view.end + 1e-9; i++) {
      const x = Math.round(view.x(i * step)) + 0.5;
      g.beginPath();
      g.moveTo(x, LANE.top);
      g.lineTo(x, LANE.bottom);
      g.stroke();
      g.fillStyle = this.colour.muted;
      if (x > view.width - 18) continue;
      g.textAlign = x < 18 ? "left" : "center";
      g.fillText(tick(i * step), x < 18 ? x + 8 : x, LANE.axis - 3); // at the left, the cursor stands on the line
    }
  }

  box(g, left, right, lane, radius) {
    const from = Math.max(-20, left);
    const wide = Math.max(1, Math.min(this.view.width + 20, right) - from);
    g.beginPath();
    g.roundRect(from, lane.top, wide, lane.height, Math.min(radius, wide / 2));
    g.fill();
  }

  band(g, start, end) {
    g.fillStyle = this.colour.caller;
    this.box(g, this.view.x(start), this.view.x(end), LANE.voiced, 2);
  }

  // How likely a voice is, over the band of the voiced frames: 0 is below it, 1 above it.
  likely(g) {
    const { call, view } = this;
    if (!call.likely.length) return;
    const { top, height } = LANE.voiced;
    const end = Math.min(view.end, call.seconds);
    let y = top + height + 3;
    g.strokeStyle = this.colour.text;
    g.lineWidth = 1;
    g.beginPath();
    g.moveTo(view.x(view.start), y);
    for (const [t, p] of call.likely) {
      if (t >= end) break;
      if (t > view.start) g.lineTo(view.x(t), y);
      y = top + height + 3 - p * (height + 6);
      g.lineTo(view.x(Math.max(t, view.start)), y);
    }
    g.lineTo(view.x(end), y);
    g.stroke();
  }

  span(g, start, end, lane, who, turn) {
    const [left, right] = [this.view.x(start), this.view.x(end)];
    g.fillStyle = this.colour[who + "-soft"];
    this.box(g, left, right, lane, 9);
    if (turn === undefined || right - Math.max(0, left) < 64) return;
    g.fillStyle = this.colour[who];
    g.font = `600 11.5px ${this.font}`;
    g.textAlign = "right";
    g.fillText(`turn ${turn}`, Math.min(right, this.view.width) - 8, lane.top + 12);
  }

  /** Bars on a grid of time, so that they keep their shape while the view moves. */
  wave(g, peaks, lane, colour) {
    const { view, call } = this;
    const bin = (BAR / view.width) * view.span;
    const middle = lane.top + lane.height / 2;
    g.fillStyle = colour;
    for (let i = Math.floor(view.start / bin); i * bin < view.end; i++) {
      const peak = highest(peaks, (i * bin) / call.column_s, ((i + 1) * bin) / call.column_s);
      const half = Math.sqrt(peak / 255) * (lane.height / 2 - 8);
      if (half < 0.6) continue;
      g.beginPath();
      g.roundRect(view.x(i * bin), middle - half, BAR - 1, 2 * half, 1);
      g.fill();
    }
  }

  /** Where a reply that was cut off stops. */
  ended(g, [, end, , cut, heardMs]) {
    if (!cut) return;
    const x = this.view.x(end);
    g.fillStyle = this.colour.cut;
    const thick = this.dense(2) ? 1 : 3;
    g.fillRect(x - thick / 2, LANE.bot.top - 2, thick, LANE.bot.height + 4);
    const words = `cut after ${heardMs} ms`;
    g.font = `11.5px ${this.font}`;
    const until = this.view.t(x + g.measureText(words).width + 14);
    if (this.call.playback.some(([start]) => start > end - 0.001 && start < until)) return;
    g.textAlign = "left";
    g.fillText(words, x + 8, LANE.bot.top + LANE.bot.height - 9);
  }

  /** From the letters to what they are about. */
  lines(g) {
    for (const event of this.call.events) {
      const about = eventAbout(event);
      if (about.row > 1 || this.dense(about.row ? 2 : 8) || event.t < this.view.start || event.t > this.view.end) continue;
      const x = this.view.x(event.t);
      g.strokeStyle = this.colour[about.colour];
      g.lineWidth = 1.5;
      g.setLineDash(event.event === "superseded" ? [3, 3] : []);
      g.beginPath();
      g.moveTo(x, LANE.caller.top);
      g.lineTo(x, about.row ? LANE.bot.top + LANE.bot.height : LANE.decided + 9);
      g.stroke();
    }
    g.setLineDash([]);
  }

  /** Fewer pixels a second than that: marks would hide what they are about. */
  dense(pixels) {
    return this.view.width / this.view.span < pixels;
  }

  delays(g) {
    if (this.dense(2)) return;
    const taken = { stop: -Infinity, reply: -Infinity };
    g.font = `600 12px ${this.font}`;
    const delays = seen(this.call.delays, this.view);
    for (const [i, [start, end, , kind, ms]] of delays.entries()) {
      const [left, right, y] = [this.view.x(start), this.view.x(end), LANE.delays[kind]];
      g.strokeStyle = g.fillStyle = kind === "stop" ? this.colour.cut : this.colour.text;
      g.lineWidth = 1.5;
      g.beginPath();
      for (const x of [left, right]) {
        g.moveTo(x, y - 5);
        g.lineTo(x, y + 5);
      }
      g.moveTo(left, y);
      g.lineTo(right, y);
      g.stroke();
      const words = `${Math.round(ms)} ms`;
      const wide = g.measureText(words).width;
      const at = right + 7 + wide < this.view.width ? right + 7 : left - 7 - wide;
      const next = delays.find((each, j) => j > i && each[3] === kind);
      if (at < taken[kind] || (next && this.view.x(next[0]) < at + wide + 4)) continue;
      taken[kind] = at + wide + 6;
      g.textAlign = "left";
      g.lineWidth = 4;
      g.lineJoin = "round";
      g.strokeStyle = this.colour.card;
      g.strokeText(words, at, y + 0.5);
      g.fillText(words, at, y + 0.5);
    }
  }

  name(g, who, lane) {
    g.font = `600 12px ${this.font}`;
    g.textAlign = "left";
    g.lineWidth = 4;
    g.strokeStyle = this.colour.card;
    g.globalAlpha = 0.8;
    g.strokeText(who, 5, lane.top + 12);
    g.globalAlpha = 1;
    g.fillStyle = this.colour[who];
    g.fillText(who, 5, lane.top + 12);
  }

  /** The whole call, small: who is loud, and which part is in view. */
  strip() {
    const g = this.fit(this.overview);
    const { call, view } = this;
    const [width, height] = [this.overview.clientWidth, this.overview.clientHeight];
    const wide = (t) => (t / view.total) * width;
    g.fillStyle = this.colour.track;
    g.beginPath();
    g.roundRect(0, 0, width, height, 8);
    g.fill();
    for (let x = 0; x < width; x += 2) {
      const [from, to] = [(x / width) * view.total, ((x + 2) / width) * view.total].map((t) => t / call.column_s);
      for (const [who, sign] of [["caller", -1], ["bot", 1]]) {
        const tall = Math.sqrt(highest(call.peaks[who], from, to) / 255) * (height / 2 - 3);
        g.fillStyle = this.colour[who];
        g.fillRect(x, sign < 0 ? height / 2 - tall : height / 2, 1.4, tall);
      }
    }
    for (const event of call.events) {
      if (event.event !== "barge_in") continue;
      g.fillStyle = this.colour.cut;
      g.fillRect(wide(event.t) - 0.75, 0, 1.5, 9);
    }
    if (view.span > view.total - 1e-6) return;
    g.strokeStyle = this.colour.text;
    g.lineWidth = 2;
    g.beginPath();
    g.roundRect(Math.max(1, wide(view.start)), 1, Math.max(6, wide(view.span) - 2), height - 2, 7);
    g.stroke();
  }
}

/** The spans (start first, end second) of which something is in view. */
function seen(spans, view) {
  return spans.filter((span) => span[0] < view.end && span[1] > view.start);
}

/** The highest peak of the columns from `from` to `to`. */
function highest(peaks, from, to) {
  let peak = 0;
  const last = Math.min(peaks.length, Math.max(Math.floor(from) + 1, Math.round(to)));
  for (let i = Math.max(0, Math.floor(from)); i < last; i++) if (peaks[i] > peak) peak = peaks[i];
  return peak;
}

/** A time on the axis. */
function tick(t) {
  if (t < 60) return `${+t.toFixed(2)} s`;
  const whole = Math.round(t * 100) / 100;
  const rest = +(whole % 60).toFixed(2);
  return `${clockHead(whole)}:${rest < 10 ? "0" : ""}${rest}`;
}

function clockHead(t) {
  const minutes = Math.floor(t / 60);
  return minutes < 60 ? `${minutes}` : `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}`;
}
