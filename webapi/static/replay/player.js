"use strict";

/**
 * Where in the call we are, and the mix that is heard there. Without audio (none was made, or its file is not
 * beside the page) there still is a position. `moved` is called when it changes, `changed` when play begins or ends.
 */
class Player {
  constructor(audio, seconds, { moved, changed }) {
    Object.assign(this, { audio, seconds, moved, changed });
    this.at = 0;
    this.usable = audio !== null;
    if (!audio) return;
    for (const name of ["play", "pause", "ended"]) audio.addEventListener(name, () => this.turned());
    audio.addEventListener("error", () => {
      this.usable = false;
      this.changed();
    });
  }

  get playing() {
    return this.usable && !this.audio.paused && !this.audio.ended;
  }

  async toggle() {
    if (!this.usable) return;
    if (this.playing) {
      this.audio.pause();
      return;
    }
    if (this.at >= this.seconds - 0.02) this.seek(0);
    try {
      await this.audio.play();
    } catch (error) {
      if (error.name !== "AbortError") this.changed(); // one who pauses at once is no failure; the rest is told by "error"
    }
  }

  seek(t) {
    this.at = Math.min(this.seconds, Math.max(0, t));
    if (this.usable) this.audio.currentTime = this.at;
    this.moved();
  }

  turned() {
    if (this.audio.ended) this.at = this.seconds;
    this.changed();
    this.moved();
    this.follow();
  }

  /** While it plays, the position is the audio's. */
  follow() {
    cancelAnimationFrame(this.next);
    if (!this.playing) return;
    this.at = Math.min(this.seconds, this.audio.currentTime);
    this.moved();
    this.next = requestAnimationFrame(() => this.follow());
  }

  /** Hear one side on both ears, or both, each on its own. */
  hear(which) {
    if (!this.context) {
      if (which === "both") return;
      this.context = new AudioContext();
      this.source = this.context.createMediaElementSource(this.audio);
      this.out = this.context.createGain();
      this.out.connect(this.context.destination);
    }
    this.context.resume();
    this.source.disconnect();
    if (which === "both") {
      this.source.connect(this.out);
      return;
    }
    const splitter = this.context.createChannelSplitter(2);
    this.source.connect(splitter);
    splitter.connect(this.out, which === "caller" ? 0 : 1);
  }
}
