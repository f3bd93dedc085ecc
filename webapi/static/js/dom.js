"use strict";

const byId = (id) => document.getElementById(id);

function element(tag, text, className) {
  const made = document.createElement(tag);
  made.textContent = text; // never as HTML: the text may come from the room
  if (className) made.className = className;
  return made;
}

/** Set the text where it is another one: a screen reader may read out each change. */
function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function ms(value) {
  return Number.isFinite(value) ? `${Math.round(value)} ms` : "–";
}

function secondsOf(value) {
  return Number.isFinite(value) ? `${(value / 1000).toFixed(1)} s` : "–";
}

/** The median of numbers; NaN where there are none. */
function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[Math.floor((sorted.length - 1) / 2)] + sorted[Math.ceil((sorted.length - 1) / 2)]) / 2;
}
