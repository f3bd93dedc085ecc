"use strict";

const SILENT_DB = -60;

/** Measures the level of one track, in this browser. */
class Meter {
  /** @param {AudioContext} context @param {MediaStreamTrack} track */
  constructor(context, track) {
    this.analyser = context.createAnalyser();
    this.analyser.fftSize = 1024; // 21 ms at 48 kHz: a measurement every 20 ms misses nothing
    this.samples = new Float32Array(this.analyser.fftSize);
    this.source = context.createMediaStreamSource(new MediaStream([track]));
    this.source.connect(this.analyser);
  }

  /** RMS of the last 21 ms, 0 to 1. */
  level() {
    this.analyser.getFloatTimeDomainData(this.samples);
    let sum = 0;
    for (const sample of this.samples) sum += sample * sample;
    return Math.sqrt(sum / this.samples.length);
  }

  close() {
    this.source.disconnect();
  }
}

/** An RMS as dBFS, no lower than SILENT_DB. */
function decibels(level) {
  return level > 0 ? Math.max(SILENT_DB, 20 * Math.log10(level)) : SILENT_DB;
}

/** An RMS as the height of a bar, 0 to 1, on a logarithmic scale as people hear it. */
function height(level) {
  return Math.min(1, (decibels(level) - SILENT_DB) / (-8 - SILENT_DB)); // loud speech is at about -8 dBFS
}
